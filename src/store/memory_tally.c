/* Counts by name and day, forgotten day by day. */
#include <store/memory_internal.h>

#include <errno.h>
#include <stdlib.h>

int tallies_init(struct tallies *t)
{
	list_init(&t->list);
	t->newest_day = 0;
	t->by_key = map_new();
	return t->by_key ? 0 : -ENOMEM;
}

void tallies_finish(struct tallies *t)
{
	list_for_each_safe (pos, next, &t->list)
		free(container_of(pos, struct tally, node));
	list_init(&t->list);
	map_free(t->by_key);
	t->by_key = NULL;
}

static struct tally *tally_new(int64_t day, struct span name)
{
	struct tally *t = calloc(1, sizeof(*t) + sizeof(day) + name.len);
	if (!t)
		return NULL;
	memcpy(t->bytes, &day, sizeof(day));
	if (name.len)
		memcpy(t->bytes + sizeof(day), name.ptr, name.len);
	t->key = span_make(t->bytes, sizeof(day) + name.len);
	t->day = day;
	list_init(&t->node);
	return t;
}

/* Days nobody asks for any more, once per new day. */
static void forget_old(struct tallies *t, int64_t keep_days)
{
	list_for_each_safe (pos, next, &t->list) {
		struct tally *one = container_of(pos, struct tally, node);
		if (one->day >= t->newest_day - keep_days)
			continue;
		(void)map_remove(t->by_key, one->key);
		list_remove(&one->node);
		free(one);
	}
}

int tallies_add(struct tallies *t, struct span name, int64_t day, uint64_t n,
    int64_t keep_days)
{
	struct tally *fresh = tally_new(day, name);
	if (!fresh)
		return -ENOMEM;
	struct tally *known = map_get(t->by_key, fresh->key);
	if (known) {
		known->count += n;
		free(fresh);
		return 0;
	}
	if (map_put(t->by_key, fresh->key, fresh) < 0) {
		free(fresh);
		return -ENOMEM;
	}
	fresh->count = n;
	list_append(&t->list, &fresh->node);
	if (day > t->newest_day) {
		t->newest_day = day;
		forget_old(t, keep_days);
	}
	return 0;
}

void tallies_each(struct tallies *t, int64_t from_day,
    void (*each)(struct span name, int64_t day, uint64_t count, void *ctx),
    void *ctx)
{
	list_for_each (pos, &t->list) {
		const struct tally *one = container_of(pos, struct tally, node);
		if (one->day >= from_day)
			each(span_from(one->key, sizeof(one->day)), one->day,
			    one->count, ctx);
	}
}
