/*
 * How many sessions there are, in all and per address; IPv6 counts by /64,
 * which is what one customer usually has.
 *
 * Shared mutable state, any thread: total and the map, guarded by lock; the
 * critical section is one lookup and an addition.
 */
#include <smtp/session_internal.h>

#include <base/map.h>
#include <base/netaddr.h>

#include <pthread.h>
#include <stdlib.h>

struct smtp_limits {
	pthread_mutex_t lock;
	size_t total, ceiling;
	struct map *addresses; /* struct address_count */
};

struct address_count {
	size_t count;
};

enum {
	IPV6_PREFIX = 64
};

struct smtp_limits *smtp_limits_new(size_t ceiling)
{
	struct smtp_limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ceiling = ceiling;
	l->addresses = map_new();
	if (!l->addresses || pthread_mutex_init(&l->lock, NULL) != 0) {
		map_free(l->addresses);
		free(l);
		return NULL;
	}
	return l;
}

static void free_count(struct span key, void *value, void *ctx)
{
	(void)key;
	(void)ctx;
	free(value);
}

void smtp_limits_free(struct smtp_limits *l)
{
	if (!l)
		return;
	map_each(l->addresses, free_count, NULL);
	map_free(l->addresses);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

/* The address, or its network. */
static struct network key_of(const struct netaddr *peer)
{
	return network_of(peer, IPV6_PREFIX);
}

static struct address_count *count_of(struct map *m, struct span key)
{
	struct address_count *c = map_get(m, key);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (c && map_put(m, key, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

enum smtp_admission smtp_limits_enter(struct smtp_limits *l,
    const struct netaddr *peer, const struct config_smtp *limits)
{
	struct network network = key_of(peer);
	struct span key = span_make(&network, sizeof(network));
	enum smtp_admission result = SMTP_ADMIT;

	(void)pthread_mutex_lock(&l->lock);
	struct address_count *c = count_of(l->addresses, key);
	if (!c || l->total >= l->ceiling ||
	    (limits->sessions_total > 0 &&
		l->total >= (size_t)limits->sessions_total))
		result = SMTP_ADMIT_FULL;
	else if (limits->sessions_per_ip > 0 &&
		 c->count >= (size_t)limits->sessions_per_ip)
		result = SMTP_ADMIT_TOO_MANY;
	if (result == SMTP_ADMIT) {
		l->total++;
		c->count++;
	} else if (c && c->count == 0) {
		free(map_remove(l->addresses, key));
	}
	(void)pthread_mutex_unlock(&l->lock);
	return result;
}

void smtp_limits_leave(struct smtp_limits *l, const struct netaddr *peer)
{
	struct network network = key_of(peer);
	struct span key = span_make(&network, sizeof(network));

	(void)pthread_mutex_lock(&l->lock);
	struct address_count *c = map_get(l->addresses, key);
	if (c && --c->count == 0)
		free(map_remove(l->addresses, key));
	l->total--;
	(void)pthread_mutex_unlock(&l->lock);
}
