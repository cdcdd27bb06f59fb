/*
 * Heaps per priority for the order and a chained hash table for the identity.
 */
#include <deliver/due.h>

#include <errno.h>
#include <stdlib.h>

#include <base/list.h>

enum {
	BUCKETS_MIN = 64,
	/* Become due with each that leaves, so that no turn does it for all. */
	GATHER_MAX = 64
};

struct due_entry {
	struct heap_node node;  /* key: when, ms; in a sweep: age */
	struct due_entry *next; /* in the bucket */
	struct heap *heap;      /* it is in */
	struct id id;
	uint8_t line; /* index in lines */
};

void due_init(struct due *d)
{
	*d = (struct due){ .count = 0 };
	for (size_t i = 0; i < DUE_PRIORITIES; i++) {
		heap_init(&d->lines[i].by_time);
		heap_init(&d->lines[i].sweeps[0]);
		heap_init(&d->lines[i].sweeps[1]);
	}
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
	for (size_t i = 0; i < DUE_PRIORITIES; i++) {
		heap_finish(&d->lines[i].by_time);
		heap_finish(&d->lines[i].sweeps[0]);
		heap_finish(&d->lines[i].sweeps[1]);
	}
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

static uint64_t time_key(int64_t at_ms)
{
	return at_ms > 0 ? (uint64_t)at_ms : 0;
}

/* Ids begin with the time they were made, the highest byte first. */
static uint64_t age_key(struct id id)
{
	uint64_t key = 0;

	for (size_t i = 0; i < sizeof(key); i++)
		key = key << 8 | id.bytes[i];
	return key;
}

static struct due_entry *first_of(const struct heap *h)
{
	struct heap_node *n = heap_peek(h);

	return n ? container_of(n, struct due_entry, node) : NULL;
}

static int push(struct due_entry *e, struct heap *h, uint64_t key)
{
	int rc = heap_push(h, &e->node, key);

	if (rc == 0)
		e->heap = h;
	return rc;
}

/* Of one that is in a heap already: there it has a place to go back to. */
static int move(struct due_entry *e, struct heap *to, uint64_t key)
{
	struct heap *from = e->heap;
	uint64_t from_key = e->node.key;

	heap_remove(from, &e->node);
	int rc = push(e, to, key);
	if (rc)
		(void)push(e, from, from_key);
	return rc;
}

static uint8_t line_of(int priority)
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
	e->line = line_of(priority);
	if (push(e, &d->lines[e->line].by_time, time_key(at_ms)) != 0) {
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
	return move(e, &d->lines[e->line].by_time, time_key(at_ms));
}

bool due_next(const struct due *d, int64_t *out_ms)
{
	const struct heap_node *first = NULL;

	for (size_t i = 0; i < DUE_PRIORITIES; i++) {
		const struct due_line *l = &d->lines[i];
		const struct heap_node *n = heap_peek(&l->by_time);

		if (heap_peek(&l->sweeps[0]) || heap_peek(&l->sweeps[1])) {
			*out_ms = 0;
			return true;
		}
		if (n && (!first || n->key < first->key))
			first = n;
	}
	if (first)
		*out_ms = (int64_t)first->key;
	return first != NULL;
}

static bool is_due(const struct due_entry *e, int64_t now_ms)
{
	return e && e->node.key <= time_key(now_ms);
}

/* What is due joins the sweep after this one; without memory, later. */
static void gather(struct due_line *l, int64_t now_ms)
{
	struct heap *to = &l->sweeps[!l->sweep];

	for (unsigned i = 0; i < GATHER_MAX; i++) {
		struct due_entry *e = first_of(&l->by_time);

		if (!is_due(e, now_ms) || move(e, to, age_key(e->id)) != 0)
			break;
	}
}

static struct due_entry *first_ready(struct due_line *l, int64_t now_ms)
{
	gather(l, now_ms);
	if (!heap_peek(&l->sweeps[l->sweep]))
		l->sweep = !l->sweep;
	struct due_entry *e = first_of(&l->sweeps[l->sweep]);
	if (e)
		return e;
	e = first_of(&l->by_time); /* there was no memory */
	return is_due(e, now_ms) ? e : NULL;
}

bool due_take(struct due *d, int64_t now_ms, struct id *out, int *out_priority)
{
	struct due_entry *e = NULL;

	for (size_t i = 0; !e && i < DUE_PRIORITIES; i++)
		e = first_ready(&d->lines[i], now_ms);
	if (!e)
		return false;
	struct due_entry **at = bucket_of(d, e->id);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	heap_remove(e->heap, &e->node);
	*out = e->id;
	*out_priority = ENVELOPE_PRIORITY_MAX - (int)e->line;
	d->count--;
	free(e);
	return true;
}
