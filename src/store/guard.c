/* See guard.h. Two hash tables with open addressing, younger and older. */
#include <store/guard.h>

#include <store/rows.h>

#include <errno.h>
#include <stdlib.h>

enum {
	CAPACITY_MIN = 1024 /* a power of two, as all are */
};

struct known {
	uint64_t key; /* 0: free */
	struct id id;
};

struct generation {
	struct known *slots;
	size_t capacity, count;
	int64_t since_ms; /* its first key came */
};

struct guard {
	struct generation young, old;
	uint64_t window_ms; /* what the rows say of it is in here; 0: nothing */
};

bool guard_counts(const struct guard_tally *t, const struct store_guard *g)
{
	if (g->wants_verdict)
		return t->sent > 0 && t->open == 0 && t->dropped == 0;
	/* Of one that has failed its client may well think to send again. */
	return t->count > 0 && t->sent + t->open == t->count;
}

struct guard *guard_new(void)
{
	return calloc(1, sizeof(struct guard));
}

static void forget(struct generation *n)
{
	free(n->slots);
	*n = (struct generation){ .slots = NULL };
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	forget(&g->young);
	forget(&g->old);
	free(g);
}

/* The slot of key, or the free one where it belongs. */
static struct known *slot_of(const struct generation *n, uint64_t key)
{
	size_t at = (size_t)key & (n->capacity - 1);
	while (n->slots[at].key != 0 && n->slots[at].key != key)
		at = (at + 1) & (n->capacity - 1);
	return &n->slots[at];
}

static struct known *find_in(const struct generation *n, uint64_t key)
{
	struct known *k = n->capacity ? slot_of(n, key) : NULL;
	return k && k->key == key ? k : NULL;
}

static struct known *find(const struct guard *g, uint64_t key)
{
	struct known *k = find_in(&g->young, key);
	return k ? k : find_in(&g->old, key);
}

/* Room for one more key; at most half of the slots are taken. */
static bool grow(struct generation *n)
{
	if (n->capacity > 0 && 2 * (n->count + 1) <= n->capacity)
		return true;
	struct generation more = *n;
	more.capacity = n->capacity ? 2 * n->capacity : CAPACITY_MIN;
	more.slots = calloc(more.capacity, sizeof(*more.slots));
	if (!more.slots)
		return false;
	for (size_t i = 0; i < n->capacity; i++)
		if (n->slots[i].key != 0)
			*slot_of(&more, n->slots[i].key) = n->slots[i];
	free(n->slots);
	*n = more;
	return true;
}

static int64_t id_ms(const struct id *id)
{
	int64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->bytes[i];
	return ms;
}

/*
 * From now on id is the first one with that key. Without memory it is not
 * noted: it may come twice then, as without a guard.
 */
static void note(struct guard *g, uint64_t key, const struct id *id)
{
	struct known *k = find(g, key);
	int64_t now_ms = id_ms(id);
	struct generation *n = &g->young;
	if (k) {
		k->id = *id;
		return;
	}
	if (n->count >= GUARD_KEYS ||
	    (n->count > 0 && now_ms - n->since_ms > (int64_t)g->window_ms)) {
		forget(&g->old);
		g->old = *n;
		*n = (struct generation){ .slots = NULL };
	}
	if (!grow(n))
		return;
	if (n->count++ == 0)
		n->since_ms = now_ms;
	*slot_of(n, key) = (struct known){ .key = key, .id = *id };
}

static void on_row(uint64_t key, const struct id *id, void *ctx)
{
	struct guard *g = ctx;
	if (!find(g, key))
		note(g, key, id);
}

/* What is known from before the start, or from before the window grew. */
static int read_rows(
    struct guard *g, struct rows *rows, uint64_t window_ms, int64_t now_ms)
{
	if (window_ms <= g->window_ms)
		return 0;
	forget(&g->young);
	forget(&g->old);
	g->window_ms = window_ms;
	int rc = rows_each_guard(
	    rows, now_ms - (int64_t)window_ms, GUARD_KEYS, on_row, g);
	if (rc < 0)
		g->window_ms = 0;
	return rc;
}

/* 1 when a is a duplicate of k; 0; or a negative errno. */
static int look_at(struct rows *rows, const struct known *k,
    struct store_accept *a, int64_t now_ms)
{
	struct guard_tally t = { .count = 0 };
	if (id_eq(k->id, a->entry->id) ||
	    now_ms - id_ms(&k->id) > (int64_t)a->guard.window_ms)
		return 0;
	int rc = rows_first(rows, &k->id, a->entry, &t);
	if (rc <= 0 || !guard_counts(&t, &a->guard))
		return rc < 0 ? rc : 0;
	a->is_duplicate = true;
	a->first =
	    (struct store_first){ .id = k->id, .is_sent = t.sent == t.count };
	memcpy(a->first.provider, t.provider, sizeof(t.provider));
	return 1;
}

int guard_check(
    struct guard *g, struct rows *rows, struct store_accept *a, int64_t now_ms)
{
	a->is_duplicate = false;
	if (a->guard.key == 0)
		return 0;
	int rc = read_rows(g, rows, a->guard.window_ms, now_ms);
	if (rc < 0)
		return rc;
	const struct known *k = find(g, a->guard.key);
	rc = k ? look_at(rows, k, a, now_ms) : 0;
	if (rc == 0)
		note(g, a->guard.key, &a->entry->id);
	if (rc <= 0 || !a->guard.is_strict)
		return rc < 0 ? rc : 0;
	rc = rows_vouch(rows, &a->first.id);
	return rc < 0 ? rc : -EALREADY;
}
