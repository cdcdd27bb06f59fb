/* Searches of the memory engine: a look at each message it has. */
#include <store/entry.h>
#include <store/memory_internal.h>

#include <errno.h>

static bool is_wanted(struct span wanted, struct span is)
{
	return wanted.len == 0 || span_ieq(wanted, is);
}

static bool is_recipient_meant(
    const struct store_filter *f, const struct store_recipient *r)
{
	return (f->states == 0 || (f->states >> r->state) & 1) &&
	       is_wanted(f->recipient, r->address) &&
	       (f->provider.len == 0 ||
		   span_eq(f->provider, span_of(r->provider)));
}

static bool has_provider_id(const struct kept *k, struct span id)
{
	for (size_t i = 0; i < k->attempt_count; i++)
		if (span_eq(k->attempts[i].provider_id, id))
			return true;
	return id.len == 0;
}

static bool is_meant(const struct store_filter *f, const struct kept *k)
{
	const struct store_entry *e = k->entry;
	bool is_found = e->recipient_count == 0;

	for (size_t i = 0; !is_found && i < e->recipient_count; i++)
		is_found = is_recipient_meant(f, &e->recipients[i]);
	return is_found && !f->is_dead && (!f->is_open || e->message) &&
	       is_wanted(f->user, e->user) && is_wanted(f->sender, e->sender) &&
	       (f->message_id.len == 0 ||
		   span_eq(f->message_id, e->message_id)) &&
	       has_provider_id(k, f->provider_id);
}

/* The newest that is older than id, or NULL. */
static const struct kept *older(
    const struct memory *m, const struct store_search *r, const struct id *id)
{
	const struct kept *best = NULL;
	const struct list *lists[] = { &m->live, &m->history };

	for (size_t l = 0; l < 2; l++)
		list_for_each (pos, lists[l]) {
			const struct kept *k =
			    container_of(pos, struct kept, node);
			const struct id *is = &k->entry->id;

			if (memcmp(is, id, sizeof(*id)) < 0 &&
			    (!best || memcmp(is, &best->entry->id,
					  sizeof(*is)) > 0) &&
			    is_meant(r->filter, k))
				best = k;
		}
	return best;
}

int memory_search_locked(struct memory *m, struct store_search *r)
{
	const struct kept *k;

	while ((k = older(m, r, &r->next)) && r->count < r->limit) {
		struct store_entry *e = entry_copy(k->entry);

		if (!e) {
			store_search_finish(r);
			return -ENOMEM;
		}
		if (e->recipient_count > STORE_SEARCH_RECIPIENTS)
			e->recipient_count = STORE_SEARCH_RECIPIENTS;
		r->found[r->count++] = e;
		r->next = e->id;
	}
	r->is_more = k != NULL;
	return 0;
}
