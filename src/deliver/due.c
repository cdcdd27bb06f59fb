/*
 * A heap per priority for the order and a chained hash table for the identity.
 * Heaps apart: what becomes due needs no move from one order to another.
 */
#include <deliver/due.h>

#include <errno.h>
#include <stdlib.h>

#include <base/list.h>

enum {
	BUCKETS_MIN = 64
};

struct due_entry {
	struct heap_node node;  /* key: when, ms */
	struct due_entry *next; /* in the bucket */
	struct id id;
	uint8_t heap; /* index in by_time */
};

void due_init(struct due *d)
{
	*d = (struct due){ .count = 0 };
	for (size_t i = 0; i < DUE_PRIORITIES; i++)
		heap_init(&d->by_time[i]);
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
	for (size_t i = 0; i < DUE_PRIORITIES; i++)
		heap_finish(&d->by_time[i]);
	due_init(d);
}

/*
 * Linear hashing: one bucket more with each entry, which takes the half of one
 * other bucket. No insertion moves more than that, however many there are.
 */
static size_t place_of(const struct due *d, struct id id)
{
	size_t i = id_hash(id) & (2 * d->bucket_level - 1);

	return i < d->bucket_count ? i : i - d->bucket_level;
}

static struct due_entry **bucket_of(const struct due *d, struct id id)
{
	return &d->buckets[place_of(d, id)];
}

/* A large block moves by its pages: nothing is copied. */
static int reserve_bucket(struct due *d)
{
	if (d->bucket_count < d->bucket_cap)
		return 0;
	size_t cap = d->bucket_cap ? 2 * d->bucket_cap : BUCKETS_MIN;
	struct due_entry **buckets =
	    reallocarray(d->buckets, cap, sizeof(struct due_entry *));

	if (!buckets)
		return -ENOMEM;
	d->buckets = buckets;
	d->bucket_cap = cap;
	return 0;
}

static void split(struct due *d)
{
	struct due_entry **from =
	    &d->buckets[d->bucket_count - d->bucket_level];
	size_t at = d->bucket_count++;

	d->buckets[at] = NULL;
	while (*from) {
		struct due_entry *e = *from;

		if (place_of(d, e->id) != at) {
			from = &e->next;
			continue;
		}
		*from = e->next;
		e->next = d->buckets[at];
		d->buckets[at] = e;
	}
	if (d->bucket_count == 2 * d->bucket_level)
		d->bucket_level *= 2;
}

static int grow(struct due *d)
{
	int rc = reserve_bucket(d);

	if (rc)
		return rc;
	if (d->bucket_count == 0) {
		d->buckets[0] = NULL;
		d->bucket_count = d->bucket_level = 1;
	} else {
		split(d);
	}
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

bool due_has(const struct due *d, struct id id)
{
	return find(d, id) != NULL;
}

static uint64_t key_of(int64_t at_ms)
{
	return at_ms > 0 ? (uint64_t)at_ms : 0;
}

static uint8_t heap_of(int priority)
{
	if (priority > ENVELOPE_PRIORITY_MAX)
		priority = ENVELOPE_PRIORITY_MAX;
	if (priority < DUE_PRIORITY_MIN)
		priority = DUE_PRIORITY_MIN;
	return (uint8_t)(ENVELOPE_PRIORITY_MAX - priority);
}

static int add(struct due *d, struct id id, int64_t at_ms, int priority)
{
	if (d->count >= d->bucket_count && grow(d) != 0)
		return -ENOMEM;
	struct due_entry *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->heap = heap_of(priority);
	if (heap_push(&d->by_time[e->heap], &e->node, key_of(at_ms)) != 0) {
		free(e);
		return -ENOMEM;
	}
	e->id = id;
	e->next = *bucket_of(d, id);
	*bucket_of(d, id) = e;
	d->count++;
	return 0;
}

int due_put(struct due *d, struct id id, int64_t at_ms, int priority)
{
	struct due_entry *e = find(d, id);

	if (!e)
		return add(d, id, at_ms, priority);
	/* Its place was just freed: the push cannot fail. */
	heap_remove(&d->by_time[e->heap], &e->node);
	return heap_push(&d->by_time[e->heap], &e->node, key_of(at_ms));
}

bool due_next(const struct due *d, int64_t *out_ms)
{
	const struct heap_node *first = NULL;

	for (size_t i = 0; i < DUE_PRIORITIES; i++) {
		const struct heap_node *n = heap_peek(&d->by_time[i]);

		if (n && (!first || n->key < first->key))
			first = n;
	}
	if (first)
		*out_ms = (int64_t)first->key;
	return first != NULL;
}

/* The earliest of the highest priority that has one whose time has come. */
static struct due_entry *first_ready(const struct due *d, int64_t now_ms)
{
	for (size_t i = 0; i < DUE_PRIORITIES; i++) {
		struct heap_node *n = heap_peek(&d->by_time[i]);

		if (n && n->key <= key_of(now_ms))
			return container_of(n, struct due_entry, node);
	}
	return NULL;
}

bool due_take(struct due *d, int64_t now_ms, struct id *out, int *out_priority)
{
	struct due_entry *e = first_ready(d, now_ms);

	if (!e)
		return false;
	struct due_entry **at = bucket_of(d, e->id);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	heap_remove(&d->by_time[e->heap], &e->node);
	*out = e->id;
	*out_priority = ENVELOPE_PRIORITY_MAX - (int)e->heap;
	d->count--;
	free(e);
	return true;
}
