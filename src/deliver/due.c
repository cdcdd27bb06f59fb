/* A heap for the order and a chained hash table for the identity. */
#include <deliver/due.h>

#include <errno.h>
#include <stdlib.h>

#include <base/list.h>

enum {
	BUCKETS_MIN = 64
};

struct due_entry {
	struct heap_node node;  /* key: wall clock ms */
	struct due_entry *next; /* in the bucket */
	struct id id;
};

void due_init(struct due *d)
{
	*d = (struct due){ .count = 0 };
	heap_init(&d->by_time);
}

void due_finish(struct due *d)
{
	for (size_t i = 0; i < d->bucket_count; i++) {
		while (d->buckets[i]) {
			struct due_entry *next = d->buckets[i]->next;

			free(d->buckets[i]);
			d->buckets[i] = next;
		}
	}
	free(d->buckets);
	heap_finish(&d->by_time);
	due_init(d);
}

static struct due_entry **bucket_of(const struct due *d, struct id id)
{
	return &d->buckets[id_hash(id) & (d->bucket_count - 1)];
}

static int grow(struct due *d)
{
	struct due old = *d;
	size_t count = old.bucket_count ? old.bucket_count * 2 : BUCKETS_MIN;
	struct due_entry **buckets = calloc(count, sizeof(struct due_entry *));

	if (!buckets)
		return -ENOMEM;
	d->buckets = buckets;
	d->bucket_count = count;
	for (size_t i = 0; i < old.bucket_count; i++) {
		struct due_entry *e = old.buckets[i];

		while (e) {
			struct due_entry *next = e->next;
			struct due_entry **to = bucket_of(d, e->id);

			e->next = *to;
			*to = e;
			e = next;
		}
	}
	free(old.buckets);
	return 0;
}

static struct due_entry *find(const struct due *d, struct id id)
{
	if (d->bucket_count == 0)
		return NULL;
	struct due_entry *e = *bucket_of(d, id);
	while (e && !id_eq(e->id, id))
		e = e->next;
	return e;
}

static uint64_t key_of(int64_t at_ms)
{
	return at_ms > 0 ? (uint64_t)at_ms : 0;
}

static int add(struct due *d, struct id id, int64_t at_ms)
{
	if (d->count >= d->bucket_count && grow(d) != 0)
		return -ENOMEM;
	struct due_entry *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (heap_push(&d->by_time, &e->node, key_of(at_ms)) != 0) {
		free(e);
		return -ENOMEM;
	}
	e->id = id;
	e->next = *bucket_of(d, id);
	*bucket_of(d, id) = e;
	d->count++;
	return 0;
}

int due_put(struct due *d, struct id id, int64_t at_ms)
{
	struct due_entry *e = find(d, id);

	if (!e)
		return add(d, id, at_ms);
	/* Its place was just freed: the push cannot fail. */
	heap_remove(&d->by_time, &e->node);
	return heap_push(&d->by_time, &e->node, key_of(at_ms));
}

bool due_next(const struct due *d, int64_t *out_ms)
{
	const struct heap_node *n = heap_peek(&d->by_time);

	if (n)
		*out_ms = (int64_t)n->key;
	return n != NULL;
}

bool due_take(struct due *d, int64_t now_ms, struct id *out)
{
	struct heap_node *n = heap_peek(&d->by_time);

	if (!n || n->key > key_of(now_ms))
		return false;
	struct due_entry *e = container_of(n, struct due_entry, node);
	struct due_entry **at = bucket_of(d, e->id);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	heap_remove(&d->by_time, n);
	*out = e->id;
	d->count--;
	free(e);
	return true;
}
