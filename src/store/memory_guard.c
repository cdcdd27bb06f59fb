/* Duplicates in the memory engine: a map from the key to the first message. */
#include <store/entry.h>
#include <store/guard.h>
#include <store/memory_internal.h>

#include <base/clock.h>

#include <errno.h>

static struct span guard_key(const uint64_t *guard)
{
	return span_make(guard, sizeof(*guard));
}

static struct guard_tally tally_of(const struct store_entry *e)
{
	struct guard_tally t = { .count = e->recipient_count };
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct store_recipient *r = &e->recipients[i];
		t.sent += r->state == STORE_SENT || r->state == STORE_SENT_OWED;
		t.open += r->state == STORE_PENDING ||
			  r->state == STORE_STARTED || r->state == STORE_HELD;
		t.dropped += r->state == STORE_DROPPED;
		entry_set_provider(t.provider, span_of(r->provider));
	}
	return t;
}

static bool is_twin(const struct kept *k, const struct store_accept *r)
{
	int64_t age_ms = clock_wall_ms() - k->entry->created_ms;
	struct guard_tally t = tally_of(k->entry);
	return !id_eq(k->entry->id, r->entry->id) &&
	       age_ms <= (int64_t)r->guard.window_ms &&
	       span_eq(k->entry->user, r->entry->user) &&
	       span_eq(k->entry->message_id, r->entry->message_id) &&
	       guard_counts(&t, &r->guard);
}

int memory_check_guard(struct memory *m, struct store_accept *r)
{
	r->is_duplicate = false;
	if (r->guard.key == 0)
		return 0;
	struct kept *k = map_get(m->by_guard, guard_key(&r->guard.key));
	if (!k || !is_twin(k, r))
		return 0;
	struct guard_tally t = tally_of(k->entry);
	r->is_duplicate = true;
	r->first = (struct store_first){ .id = k->entry->id,
		.is_sent = t.sent == t.count };
	memcpy(r->first.provider, t.provider, sizeof(t.provider));
	k->is_vouched |= r->guard.is_strict;
	return r->guard.is_strict ? -EALREADY : 0;
}

/* Without memory it is not noted, and may come twice. */
void memory_note_guard(
    struct memory *m, struct kept *k, const struct store_accept *r)
{
	k->guard = r->guard.key;
	if (k->guard == 0 || r->is_duplicate)
		return;
	(void)map_remove(m->by_guard, guard_key(&k->guard));
	(void)map_put(m->by_guard, guard_key(&k->guard), k);
}

void memory_forget_guard(struct memory *m, const struct kept *k)
{
	if (map_get(m->by_guard, guard_key(&k->guard)) == k)
		(void)map_remove(m->by_guard, guard_key(&k->guard));
}
