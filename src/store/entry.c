/* Entries and the arena behind them. */
#include <store/entry.h>

#include <base/arena.h>

#include <errno.h>
#include <stdlib.h>

enum {
	/* 1,000 recipients with ledgers take about 2 MB. */
	ENTRY_MAX_BYTES = 256 * 1024 * 1024
};

struct held_entry {
	struct store_entry entry;
	struct arena arena;
};

static struct held_entry *held_of(struct store_entry *e)
{
	return container_of(e, struct held_entry, entry);
}

struct store_entry *entry_new(void)
{
	struct held_entry *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	arena_init(&h->arena, ENTRY_MAX_BYTES);
	return &h->entry;
}

void store_entry_free(struct store_entry *e)
{
	if (!e)
		return;
	struct held_entry *h = held_of(e);
	message_unref(e->message);
	arena_finish(&h->arena);
	free(h);
}

void *entry_alloc(struct store_entry *e, size_t size)
{
	return arena_alloc(&held_of(e)->arena, size ? size : 1);
}

int entry_reserve(struct store_entry *e, size_t count)
{
	if (count > ENTRY_MAX_BYTES / sizeof(*e->recipients))
		return -ENOMEM;
	e->recipients = entry_alloc(e, count * sizeof(*e->recipients));
	return e->recipients ? 0 : -ENOMEM;
}

int entry_span(struct store_entry *e, struct span s, struct span *out)
{
	if (s.len == 0) {
		*out = span_make("", 0);
		return 0;
	}
	char *copy = arena_copy(&held_of(e)->arena, s.ptr, s.len);
	if (!copy)
		return -ENOMEM;
	*out = span_make(copy, s.len);
	return 0;
}

static int copy_rows(struct store_entry *to, const struct store_entry *from)
{
	to->id = from->id;
	to->created_ms = from->created_ms;
	to->terms = from->terms;
	to->size = from->message ? message_size(from->message) : from->size;
	to->recipient_total = from->recipient_count;
	to->is_report = from->is_report;
	to->traits = from->traits;
	to->is_event = from->is_event;
	if (entry_span(to, from->user, &to->user) < 0 ||
	    entry_span(to, from->sender, &to->sender) < 0 ||
	    entry_span(to, from->message_id, &to->message_id) < 0 ||
	    entry_span(to, from->terms.envid, &to->terms.envid) < 0 ||
	    entry_reserve(to, from->recipient_count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < from->recipient_count; i++) {
		const struct store_recipient *old = &from->recipients[i];
		struct store_recipient *r = &to->recipients[i];
		*r = *old;
		if (entry_span(to, old->address, &r->address) < 0 ||
		    entry_span(to, old->orcpt, &r->orcpt) < 0)
			return -ENOMEM;
	}
	to->recipient_count = from->recipient_count;
	return 0;
}

struct store_entry *entry_copy(const struct store_entry *from)
{
	struct store_entry *to = entry_new();
	if (to && copy_rows(to, from) < 0) {
		store_entry_free(to);
		to = NULL;
	}
	return to;
}

void entry_set_provider(char out[STORE_NAME_SIZE], struct span name)
{
	name = span_first(name, STORE_NAME_SIZE - 1);
	memset(out, 0, STORE_NAME_SIZE);
	if (name.len)
		memcpy(out, name.ptr, name.len);
}

bool store_entry_is_open(const struct store_entry *e)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		if (!store_recipient_is_final(&e->recipients[i]))
			return true;
	return false;
}

uint64_t store_entry_cost(const struct store_entry *e)
{
	uint64_t cost = STORE_ROW_COST * (1 + e->recipient_count);
	if (e->message)
		cost += message_held(e->message);
	return cost;
}
