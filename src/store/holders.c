/* See holders.h. Who holds nothing is not remembered. */
#include <store/holders.h>

#include <base/map.h>

#include <pthread.h>
#include <stdlib.h>

struct holder {
	struct store_held held;
	unsigned pins;
	size_t name_len;
	char name[];
};

struct holders {
	pthread_mutex_t lock;
	struct map *by_user; /* name -> struct holder */
};

struct holders *holders_new(void)
{
	struct holders *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->by_user = map_new();
	if (!h->by_user || pthread_mutex_init(&h->lock, NULL) != 0) {
		map_free(h->by_user);
		free(h);
		return NULL;
	}
	return h;
}

static void free_one(struct span key, void *value, void *ctx)
{
	(void)key;
	(void)ctx;
	free(value);
}

void holders_free(struct holders *h)
{
	if (!h)
		return;
	map_each(h->by_user, free_one, NULL);
	map_free(h->by_user);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct holder *make(struct holders *h, struct span user)
{
	struct holder *holder = calloc(1, sizeof(*holder) + user.len);
	if (!holder)
		return NULL;
	holder->name_len = user.len;
	if (user.len)
		memcpy(holder->name, user.ptr, user.len);
	if (map_put(h->by_user, user, holder) < 0) {
		free(holder);
		return NULL;
	}
	return holder;
}

void holders_add(struct holders *h, struct span user, uint64_t bytes)
{
	if (user.len == 0)
		return;
	(void)pthread_mutex_lock(&h->lock);
	struct holder *holder = map_get(h->by_user, user);
	if (!holder)
		holder = make(h, user);
	if (holder) {
		holder->held.messages++;
		holder->held.bytes += bytes;
	}
	(void)pthread_mutex_unlock(&h->lock);
}

struct holder *holders_pin(struct holders *h, struct span user)
{
	(void)pthread_mutex_lock(&h->lock);
	struct holder *holder = map_get(h->by_user, user);
	if (holder)
		holder->pins++;
	(void)pthread_mutex_unlock(&h->lock);
	return holder;
}

void holders_unpin(struct holders *h, struct holder *holder)
{
	if (!holder)
		return;
	(void)pthread_mutex_lock(&h->lock);
	if (--holder->pins == 0 && holder->held.messages == 0) {
		(void)map_remove(
		    h->by_user, span_make(holder->name, holder->name_len));
		free(holder);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

/* The count may be too low: what there was no memory for is not in it. */
void holders_drop(struct holders *h, struct holder *holder, uint64_t bytes)
{
	if (!holder)
		return;
	(void)pthread_mutex_lock(&h->lock);
	if (holder->held.messages > 0)
		holder->held.messages--;
	holder->held.bytes -=
	    bytes < holder->held.bytes ? bytes : holder->held.bytes;
	if (holder->held.messages == 0)
		holder->held.bytes = 0;
	(void)pthread_mutex_unlock(&h->lock);
}

void holders_look(struct holders *h, struct span user, struct store_held *out)
{
	(void)pthread_mutex_lock(&h->lock);
	const struct holder *holder = map_get(h->by_user, user);
	*out = holder ? holder->held : (struct store_held){ 0, 0 };
	(void)pthread_mutex_unlock(&h->lock);
}
