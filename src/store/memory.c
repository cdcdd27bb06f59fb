/*
 * The twin that forgets: the same results without a disk, for direct mode
 * and tests. No thread of its own: an operation is done under one mutex by
 * the caller, only its answer travels as a task. Finished messages are kept
 * as a bounded history, without their bodies.
 */
#include <store/entry.h>
#include <store/memory_internal.h>

#include <base/clock.h>
#include <base/date.h>

#include <errno.h>
#include <stdlib.h>

enum {
	HISTORY_MAX = 10000,
	QUOTA_DAYS = 8,
	SPENT_DAYS = 62
};

static struct memory *memory_of(struct store *s)
{
	return container_of(s, struct memory, store);
}

static struct span id_key(const struct id *id)
{
	return span_make(id->bytes, sizeof(id->bytes));
}

static struct kept *find_kept(struct memory *m, const struct id *id)
{
	return map_get(m->by_id, id_key(id));
}

static void kept_free(struct kept *k)
{
	if (!k)
		return;
	store_entry_free(k->entry);
	free(k->attempts);
	free(k);
}

static void forget(struct memory *m, struct kept *k)
{
	(void)map_remove(m->by_id, id_key(&k->entry->id));
	memory_forget_guard(m, k);
	list_remove(&k->node);
	kept_free(k);
}

/* Oldest first, as they finished. */
static void trim_history(struct memory *m, int64_t now_ms)
{
	int64_t cutoff_ms = now_ms - (int64_t)atomic_load(&m->store.history_ms);
	list_for_each_safe (pos, next, &m->history) {
		struct kept *k = container_of(pos, struct kept, node);
		if (m->history_count <= HISTORY_MAX &&
		    k->finished_ms >= cutoff_ms)
			break;
		m->history_count--;
		forget(m, k);
	}
}

/* Live or history, by its recipients; the body follows. */
static void file_kept(struct memory *m, struct kept *k)
{
	if (store_entry_is_open(k->entry)) {
		list_append(&m->live, &k->node);
		m->live_count++;
		m->bytes += message_size(k->entry->message);
		m->held += message_held(k->entry->message);
		holders_add(m->holders, store_entry_holder(k->entry),
		    message_size(k->entry->message));
		return;
	}
	k->finished_ms = clock_wall_ms();
	list_append(&m->history, &k->node);
	m->history_count++;
	trim_history(m, k->finished_ms);
}

static void finish(struct memory *m, struct kept *k)
{
	list_remove(&k->node);
	m->live_count--;
	m->bytes -= message_size(k->entry->message);
	m->held -= message_held(k->entry->message);
	struct holder *holder =
	    holders_pin(m->holders, store_entry_holder(k->entry));
	holders_drop(m->holders, holder, message_size(k->entry->message));
	holders_unpin(m->holders, holder);
	message_unref(k->entry->message);
	k->entry->message = NULL;
	file_kept(m, k);
}

/*
 * What attempts change: who it is and what its sender asked for stay. A due
 * time is kept only where it means something.
 */
static void set_recipient(
    struct store_recipient *to, const struct store_recipient *from)
{
	struct store_recipient old = *to;
	*to = *from;
	to->address = old.address;
	to->notify = old.notify;
	to->orcpt = old.orcpt;
	if (to->state != STORE_PENDING)
		to->due_ms = 0;
}

static struct kept *kept_new(const struct store_entry *e)
{
	struct kept *k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->entry = entry_copy(e);
	if (!k->entry) {
		free(k);
		return NULL;
	}
	list_init(&k->node);
	for (size_t i = 0; i < e->recipient_count; i++)
		set_recipient(&k->entry->recipients[i], &e->recipients[i]);
	if (store_entry_is_open(e))
		k->entry->message = message_ref(e->message);
	return k;
}

static int charge(struct memory *m, const struct store_accept *r)
{
	if (r->quota_messages == 0)
		return 0;
	return tallies_add(&m->quota, r->entry->user, r->quota_day,
	    r->quota_messages, QUOTA_DAYS);
}

static int spend(struct memory *m, const struct store_update *u)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < u->attempt_count; i++) {
		const struct store_attempt *a = &u->attempts[i];
		if (store_attempt_is_spent(a))
			rc = tallies_add(&m->spent, span_of(a->provider),
			    date_day(a->at_ms), 1, SPENT_DAYS);
	}
	return rc;
}

static int accept_locked(struct memory *m, struct store_accept *r)
{
	const struct store_entry *e = r->entry;
	if (store_entry_is_open(e) && !e->message)
		return -EINVAL;
	int rc = memory_check_guard(m, r);
	if (rc < 0)
		return rc;
	struct kept *k = kept_new(e);
	if (!k)
		return -ENOMEM;
	rc = map_put(m->by_id, id_key(&e->id), k);
	if (rc < 0) {
		kept_free(k);
		return rc;
	}
	rc = charge(m, r);
	if (rc < 0) {
		forget(m, k);
		return rc;
	}
	memory_note_guard(m, k, r);
	file_kept(m, k);
	return 0;
}

static int check_update(const struct kept *k, const struct store_update *u)
{
	const struct store_entry *e = k->entry;
	if (u->is_refusal && k->is_vouched)
		return -EALREADY;
	for (size_t i = 0; i < u->recipient_count; i++) {
		if (u->indices[i] >= e->recipient_count)
			return -ENOENT;
		if (!e->message && !store_recipient_is_final(&u->recipients[i]))
			return -ENOENT;
	}
	return 0;
}

static int grow_attempts(struct kept *k, size_t more)
{
	size_t need = k->attempt_count + more;
	if (need <= k->attempt_cap)
		return 0;
	struct store_attempt *a = realloc(k->attempts, (need + 4) * sizeof(*a));
	if (!a)
		return -ENOMEM;
	k->attempts = a;
	k->attempt_cap = need + 4;
	return 0;
}

static int copy_attempt(struct store_entry *e, const struct store_attempt *from,
    struct store_attempt *to)
{
	*to = *from;
	int rc = entry_span(e, from->provider_id, &to->provider_id);
	return rc < 0 ? rc : entry_span(e, from->reason, &to->reason);
}

static int add_attempts(struct kept *k, const struct store_update *u)
{
	size_t n = k->attempt_count;
	int rc = grow_attempts(k, u->attempt_count);
	for (size_t i = 0; rc == 0 && i < u->attempt_count; i++)
		rc = copy_attempt(k->entry, &u->attempts[i], &k->attempts[n++]);
	if (rc == 0)
		k->attempt_count = n;
	return rc;
}

static int update_locked(struct memory *m, const struct store_update *u)
{
	struct kept *k = find_kept(m, &u->id);
	if (!k)
		return -ENOENT;
	int rc = check_update(k, u);
	if (rc == 0)
		rc = spend(m, u);
	if (rc == 0)
		rc = add_attempts(k, u);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < u->recipient_count; i++)
		set_recipient(
		    &k->entry->recipients[u->indices[i]], &u->recipients[i]);
	if (k->entry->message && !store_entry_is_open(k->entry))
		finish(m, k);
	return 0;
}

static int load_locked(struct memory *m, struct store_load *r)
{
	struct kept *k = find_kept(m, &r->id);
	if (!k || (r->wants_message && !k->entry->message))
		return -ENOENT;
	r->entry = entry_copy(k->entry);
	if (!r->entry)
		return -ENOMEM;
	if (r->wants_message)
		r->entry->message = message_ref(k->entry->message);
	return 0;
}

static int copy_attempts(const struct kept *k, struct store_find *r)
{
	r->attempts =
	    entry_alloc(r->entry, k->attempt_count * sizeof(*r->attempts));
	if (!r->attempts)
		return -ENOMEM;
	for (size_t i = 0; i < k->attempt_count; i++) {
		const struct store_attempt *a = &k->attempts[i];
		if (a->recipient >= k->entry->recipient_count)
			continue;
		int rc =
		    copy_attempt(r->entry, a, &r->attempts[r->attempt_count++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int find_locked(struct memory *m, struct store_find *r)
{
	struct kept *k = find_kept(m, &r->id);
	if (!k)
		return -ENOENT;
	r->entry = entry_copy(k->entry);
	int rc = r->entry ? copy_attempts(k, r) : -ENOMEM;
	if (rc < 0)
		store_find_finish(r);
	return rc;
}

static void lock(struct memory *m)
{
	(void)pthread_mutex_lock(&m->lock);
}

static void unlock(struct memory *m)
{
	(void)pthread_mutex_unlock(&m->lock);
}

/* Nothing waits for a commit here: what is bounded is what is held. */
static bool has_room(const struct memory *m, const struct store_entry *e)
{
	uint64_t max = m->settings.max_pending_bytes;
	uint64_t size = e->message ? message_held(e->message) : 0;
	return max == 0 || m->held == 0 || m->held + size <= max;
}

static int memory_accept(struct store *s, struct store_accept *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	bool fits = has_room(m, r->entry);
	if (fits) {
		r->request.result = accept_locked(m, r);
		m->operations++;
	}
	unlock(m);
	if (!fits)
		return -EBUSY;
	store_answer(&r->request);
	return 0;
}

static int memory_update(struct store *s, struct store_update *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	r->request.result = update_locked(m, r);
	m->operations++;
	unlock(m);
	store_answer(&r->request);
	return 0;
}

static int memory_charge(struct store *s, struct store_charge *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	r->request.result =
	    tallies_add(&m->quota, r->user, r->day, r->messages, QUOTA_DAYS);
	m->operations++;
	unlock(m);
	store_answer(&r->request);
	return 0;
}

static int memory_load(struct store *s, struct store_load *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	r->request.result = load_locked(m, r);
	unlock(m);
	store_answer(&r->request);
	return 0;
}

static int memory_find(struct store *s, struct store_find *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	r->request.result = find_locked(m, r);
	unlock(m);
	store_answer(&r->request);
	return 0;
}

static int memory_search(struct store *s, struct store_search *r)
{
	struct memory *m = memory_of(s);
	lock(m);
	r->request.result = memory_search_locked(m, r);
	unlock(m);
	store_answer(&r->request);
	return 0;
}

static int64_t due_of_recipient(const struct store_recipient *r, int64_t now_ms)
{
	if (r->state == STORE_PENDING)
		return r->due_ms;
	return r->state == STORE_HELD || store_recipient_is_final(r) ? INT64_MAX
								     : now_ms;
}

static int64_t due_of(const struct store_entry *e, int64_t now_ms)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < e->recipient_count; i++) {
		int64_t at = due_of_recipient(&e->recipients[i], now_ms);
		if (at < due)
			due = at;
	}
	return due;
}

static int by_id(const void *a, const void *b)
{
	const struct kept *const *x = a, *const *y = b;
	return memcmp(&(*x)->entry->id, &(*y)->entry->id, sizeof(struct id));
}

static void note_started(const struct store_entry *e, struct store_pending *p)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct store_recipient *r = &e->recipients[i];
		if (r->state != STORE_STARTED)
			continue;
		p->started++;
		memcpy(p->provider, r->provider, sizeof(p->provider));
	}
}

/* Nothing is there when it is made, so there is nothing to take note of. */
static struct store_walk *memory_walk_begin(struct store *s, struct err *e)
{
	struct store_walk *w = calloc(1, sizeof(*w));
	if (w)
		w->store = s;
	else
		err_set(e, -ENOMEM, "store: out of memory");
	return w;
}

static void memory_walk_end(struct store_walk *w)
{
	free(w);
}

static int memory_walk(struct store_walk *w,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx)
{
	struct memory *m = memory_of(w->store);
	int rc = 0;
	int64_t now_ms = clock_wall_ms();
	size_t n = 0;
	lock(m);
	struct kept **all = calloc(m->live_count + 1, sizeof(struct kept *));
	if (all) {
		list_for_each (pos, &m->live)
			all[n++] = container_of(pos, struct kept, node);
		qsort(all, n, sizeof(struct kept *), by_id);
		for (size_t i = 0; rc == 0 && i < n; i++) {
			const struct store_entry *e = all[i]->entry;
			struct store_pending p = { .id = e->id,
				.due_ms = due_of(e, now_ms),
				.priority = e->terms.priority };
			note_started(e, &p);
			rc = each(&p, ctx);
		}
	}
	unlock(m);
	free(all);
	return all ? rc : -ENOMEM;
}

static int memory_each_quota(struct store *s,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	struct memory *m = memory_of(s);
	lock(m);
	tallies_each(&m->quota, INT64_MIN, each, ctx);
	unlock(m);
	return 0;
}

static int memory_each_spent(struct store *s, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx)
{
	struct memory *m = memory_of(s);
	lock(m);
	tallies_each(&m->spent, from_day, each, ctx);
	unlock(m);
	return 0;
}

/* No files: what is too large for memory is not for this store. */
static struct store_body *memory_body(
    struct store *s, struct loop *l, bool is_volatile)
{
	(void)s;
	(void)l;
	(void)is_volatile;
	return NULL;
}

static void memory_stats(struct store *s, struct store_stats *out)
{
	struct memory *m = memory_of(s);
	lock(m);
	*out = (struct store_stats){
		.messages = m->live_count,
		.bytes = m->bytes,
		.commits = m->operations,
		.committed = m->operations,
		.space = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
		.is_writable = true,
	};
	unlock(m);
}

static void memory_held(
    struct store *s, struct span user, struct store_held *out)
{
	holders_look(memory_of(s)->holders, user, out);
}

static int memory_check(struct store *s)
{
	struct memory *m = memory_of(s);
	uint64_t max = m->settings.max_pending_bytes;
	lock(m);
	bool is_full = max && m->held >= max;
	unlock(m);
	return is_full ? -ENOSPC : 0;
}

static void free_all(struct memory *m, struct list *messages)
{
	list_for_each_safe (pos, next, messages)
		forget(m, container_of(pos, struct kept, node));
}

static void memory_close(struct store *s)
{
	struct memory *m = memory_of(s);
	free_all(m, &m->live);
	free_all(m, &m->history);
	tallies_finish(&m->quota);
	tallies_finish(&m->spent);
	map_free(m->by_id);
	map_free(m->by_guard);
	holders_free(m->holders);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_ops memory_ops = {
	.accept = memory_accept,
	.update = memory_update,
	.charge = memory_charge,
	.load = memory_load,
	.find = memory_find,
	.search = memory_search,
	.walk_begin = memory_walk_begin,
	.walk = memory_walk,
	.walk_end = memory_walk_end,
	.each_quota = memory_each_quota,
	.each_spent = memory_each_spent,
	.body = memory_body,
	.stats = memory_stats,
	.held = memory_held,
	.check = memory_check,
	.close = memory_close,
};

struct store *memory_open(const struct store_settings *settings, struct err *e)
{
	struct memory *m = calloc(1, sizeof(*m));
	if (!m)
		goto fail;
	m->store.ops = &memory_ops;
	m->settings = *settings;
	m->settings.path = NULL;
	store_set_limits(
	    &m->store, settings->history_ms, settings->min_free_bytes);
	list_init(&m->live);
	list_init(&m->history);
	m->by_id = map_new();
	m->by_guard = map_new();
	m->holders = holders_new();
	int quota = tallies_init(&m->quota), spent = tallies_init(&m->spent);
	if (!m->by_id || !m->by_guard || !m->holders || quota || spent ||
	    pthread_mutex_init(&m->lock, NULL))
		goto fail;
	return &m->store;
fail:
	if (m) {
		map_free(m->by_id);
		map_free(m->by_guard);
		holders_free(m->holders);
		tallies_finish(&m->quota);
		tallies_finish(&m->spent);
		free(m);
	}
	err_set(e, -ENOMEM, "store: out of memory");
	return NULL;
}
