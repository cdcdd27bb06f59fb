/*
 * The one thread that writes. It takes whatever waits, appends the bodies,
 * syncs them while it commits all rows in one transaction, and answers when
 * both are durable.
 * What arrives meanwhile is the next batch: there is no timer. Checkpoints,
 * purging and cleaning run after the answers, a little at a time.
 */
#include <store/cleaner.h>
#include <store/dead.h>
#include <store/disk.h>
#include <store/dues.h>
#include <store/guard.h>
#include <store/schema.h>

#include <base/clock.h>
#include <base/date.h>

#include <errno.h>
#include <stdlib.h>

enum {
	BATCH_BYTES = 16 * 1024 * 1024,
	IDLE_MS = 5000,
	PURGE_SLICE = 256,
	PURGE_PAUSE_MS = 10000, /* between walks through history when idle */
	QUOTA_DAYS = 8,         /* of counts kept */
	SPENT_DAYS = 62,        /* likewise: this month and the one before */
	SPENDS_MAX = 64
};

/* One request of the batch. */
struct slot {
	struct store_request *r;
	int body_result;    /* of the append */
	int row_result;     /* of the statements, in the latest transaction */
	struct place place; /* accept: where the body went */
	struct rows_effect effect; /* update: on the body */
	struct holder *holder;     /* whose that was, pinned; may be NULL */
};

/* Of one provider and day. */
struct spending {
	struct span provider;
	int64_t day;
	uint64_t recipients;
};

struct writer {
	struct disk *d;
	struct cleaner *cleaner;
	struct guard *guard;
	struct dead *dead;

	struct slot slots[DISK_BATCH_MAX];
	size_t count;
	struct store_request *taken[DISK_BATCH_MAX];
	struct dues dues;
	struct spending spendings[SPENDS_MAX];
	size_t spending_count;

	/* Accepted in the batch, by this transaction; and by the last one. */
	struct id unsure[DISK_BATCH_MAX];
	size_t unsure_count, was_unsure;

	struct id purged; /* history was looked at up to here */
	size_t purge_owed;
	uint64_t purge_at_ms; /* when an idle writer walks again */
	int64_t quota_day;    /* the counts were purged on */
};

struct writer *writer_new(struct disk *d)
{
	struct writer *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->d = d;
	w->cleaner = cleaner_new(d);
	w->guard = guard_new();
	w->dead = dead_new(d);
	if (!w->cleaner || !w->guard || !w->dead) {
		writer_free(w);
		return NULL;
	}
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	cleaner_free(w->cleaner);
	guard_free(w->guard);
	dead_free(w->dead);
	free(w);
}

static struct store_accept *accept_of(const struct slot *slot)
{
	return slot->r->op == STORE_OP_ACCEPT
		   ? container_of(slot->r, struct store_accept, request)
		   : NULL;
}

static struct store_update *update_of(const struct slot *slot)
{
	return container_of(slot->r, struct store_update, request);
}

/* May accepts be stored now? 0 or -ENOSPC. */
static int check_room(struct disk *d)
{
	if (!disk_has_room(d))
		return -ENOSPC;
	return d->has_reserve ? 0 : disk_make_reserve(d);
}

static int store_body(
    struct disk *d, const struct store_entry *e, int room, struct place *out)
{
	if (room < 0)
		return room;
	if (!store_entry_is_open(e))
		return 0;
	if (!e->message)
		return -EINVAL;
	struct store_body *b = spool_find(d->spool, e->message);
	if (b) {
		*out = spool_keep(b);
		segments_keep(d->segments);
		return 0;
	}
	int rc = segments_append(d->segments, e->message, out);
	if (rc < 0)
		disk_note_error(d, "append", rc);
	return rc;
}

/*
 * Every body of the batch on its way to stable storage, where it is after
 * segments_flushed. 0, or why the batch has none.
 */
static int store_bodies(struct writer *w)
{
	struct disk *d = w->d;
	int room = 1; /* not known yet */
	for (size_t i = 0; i < w->count; i++) {
		struct slot *slot = &w->slots[i];
		struct store_accept *a = accept_of(slot);
		if (!a)
			continue;
		if (room > 0)
			room = check_room(d);
		slot->body_result = store_body(d, a->entry, room, &slot->place);
	}
	int rc = segments_flush(d->segments);
	if (rc < 0) {
		segments_abandon(d->segments);
		disk_note_error(d, "sync", rc);
	}
	return rc;
}

/*
 * Rows and bodies of a batch reach the disk at the same time, so that rows may
 * be found whose bodies are not there: inspect_unsure drops them, as nobody was
 * told of them. Bodies of an earlier batch are durable, or there were no later
 * one.
 */
static int store_unsure(struct writer *w)
{
	if (w->unsure_count == 0 && w->was_unsure == 0)
		return 0;
	return rows_set_unsure(w->d->rows, w->unsure, w->unsure_count);
}

static bool is_own_failure(int rc)
{
	return rc == -EEXIST || rc == -ENOENT || rc == -EALREADY;
}

/* One that comes without a message. */
static int store_charged(struct writer *w, struct slot *slot)
{
	const struct store_charge *c =
	    container_of(slot->r, struct store_charge, request);

	dues_note(&w->dues, c->user, c->day, c->messages);
	slot->row_result = 0;
	return 0;
}

static int store_accepted(
    struct writer *w, const struct slot *slot, int64_t now_ms)
{
	struct store_accept *a = accept_of(slot);
	int rc = guard_check(w->guard, w->d->rows, a, now_ms);
	return rc < 0 ? rc
		      : rows_accept(w->d->rows, a->entry,
			    slot->place.segment ? &slot->place : NULL,
			    a->guard.key);
}

static int store_spendings(struct writer *w)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < w->spending_count; i++) {
		const struct spending *s = &w->spendings[i];
		rc = rows_spend(w->d->rows, s->provider, s->day, s->recipients);
	}
	w->spending_count = 0;
	return rc;
}

static int note_spent(struct writer *w, const struct store_attempt *a)
{
	struct span provider = span_of(a->provider);
	int64_t day = date_day(a->at_ms);
	int rc = 0;
	for (size_t i = 0; i < w->spending_count; i++) {
		struct spending *s = &w->spendings[i];
		if (s->day != day || !span_eq(s->provider, provider))
			continue;
		s->recipients++;
		return 0;
	}
	if (w->spending_count == SPENDS_MAX)
		rc = store_spendings(w);
	w->spendings[w->spending_count++] =
	    (struct spending){ provider, day, 1 };
	return rc;
}

static int note_attempts(struct writer *w, const struct store_update *u)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < u->attempt_count; i++)
		if (store_attempt_is_spent(&u->attempts[i]))
			rc = note_spent(w, &u->attempts[i]);
	return rc;
}

/* The rows of one request. 0, or what spoils the whole transaction. */
static int store_slot(struct writer *w, struct slot *slot, int64_t now_ms)
{
	struct store_accept *a = accept_of(slot);
	int rc;
	if (slot->r->op == STORE_OP_CHARGE)
		return store_charged(w, slot);
	if (a)
		rc = store_accepted(w, slot, now_ms);
	else
		rc = rows_update(w->d->rows, update_of(slot), now_ms,
		    dead_may_keep(w->d), &slot->effect);
	slot->row_result = rc;
	/* Once, also when the transaction is tried again. */
	if (!a && rc == 0 && slot->effect.change != ROWS_NOTHING &&
	    !slot->holder)
		slot->holder =
		    holders_pin(w->d->holders, rows_updated_user(w->d->rows));
	if (a && rc == 0) {
		dues_note(
		    &w->dues, a->entry->user, a->quota_day, a->quota_messages);
		if (slot->place.segment && !spool_has(slot->place.segment))
			w->unsure[w->unsure_count++] = a->entry->id;
	} else if (rc == 0) {
		rc = note_attempts(w, update_of(slot));
	}
	return is_own_failure(rc) ? 0 : rc;
}

static int store_slots(struct writer *w)
{
	int64_t now_ms = clock_wall_ms();
	int rc = 0;
	w->dues.count = w->spending_count = 0;
	w->unsure_count = 0;
	for (size_t i = 0; rc == 0 && i < w->count; i++)
		if (w->slots[i].body_result == 0)
			rc = store_slot(w, &w->slots[i], now_ms);
	if (rc == 0)
		rc = store_unsure(w);
	if (rc == 0)
		rc = dues_store(&w->dues, w->d->rows);
	return rc == 0 ? store_spendings(w) : rc;
}

/* All rows of the batch in one transaction, or none. */
static int store_rows(struct writer *w)
{
	int rc = rows_begin(w->d->rows);
	if (rc < 0)
		return rc;
	rc = store_slots(w);
	if (rc == 0)
		rc = rows_commit(w->d->rows);
	if (rc < 0)
		rows_rollback(w->d->rows);
	else
		w->was_unsure = w->unsure_count;
	return rc;
}

/* Nothing more is accepted in this batch; what a body took is given back. */
static void refuse_accepts(struct writer *w, int rc)
{
	for (size_t i = 0; i < w->count; i++) {
		struct slot *slot = &w->slots[i];
		if (!accept_of(slot))
			continue;
		if (slot->body_result == 0)
			slot->body_result = rc;
		segments_release(w->d->segments, &slot->place);
		memset(&slot->place, 0, sizeof(slot->place));
	}
}

/* Updates must not get lost on a full disk: they get the reserve. */
static int store_all_rows(struct writer *w)
{
	int rc = store_rows(w);
	if (rc == -ENOSPC) {
		disk_note_error(w->d, "commit", rc);
		refuse_accepts(w, rc);
		disk_drop_reserve(w->d);
		rc = store_rows(w);
	}
	if (rc < 0) {
		disk_note_error(w->d, "commit", rc);
		refuse_accepts(w, rc);
	}
	return rc;
}

/*
 * Their rows are there, their bodies perhaps not, and their clients will be
 * told to come back. When this fails, too, a start looks at them.
 */
static void undo_accepts(struct writer *w)
{
	struct rows *rows = w->d->rows;
	int rc = rows_begin(rows);
	for (size_t i = 0; rc == 0 && i < w->count; i++) {
		const struct slot *slot = &w->slots[i];
		if (accept_of(slot) && slot->body_result == 0 &&
		    slot->row_result == 0 && slot->place.segment)
			rc = rows_drop(rows, &accept_of(slot)->entry->id);
	}
	if (rc == 0)
		rc = rows_set_unsure(rows, NULL, 0);
	if (rc == 0)
		rc = rows_commit(rows);
	if (rc < 0)
		rows_rollback(rows);
}

static int store_batch(struct writer *w)
{
	int rc = store_bodies(w);
	if (rc < 0)
		refuse_accepts(w, rc);
	rc = disk_is_failed(w->d) ? -EIO : store_all_rows(w);
	/* In any case: it may be under way. */
	int flushed = segments_flushed(w->d->segments);
	if (flushed < 0) {
		if (rc == 0)
			undo_accepts(w);
		segments_abandon(w->d->segments);
		disk_note_error(w->d, "sync", flushed);
		refuse_accepts(w, flushed);
	}
	return rc;
}

static void settle_accept(struct disk *d, struct slot *slot)
{
	if (slot->r->result < 0) {
		segments_release(d->segments, &slot->place);
	} else if (slot->place.segment) {
		atomic_store(&d->is_full, false);
		atomic_fetch_add(&d->messages, 1);
		atomic_fetch_add(&d->bytes, slot->place.size);
		holders_add(d->holders,
		    store_entry_holder(accept_of(slot)->entry),
		    slot->place.size);
	}
}

static void settle_update(struct disk *d, struct slot *slot)
{
	const struct rows_effect *e = &slot->effect;
	uint64_t size = e->place.size;
	if (slot->r->result < 0 || e->change == ROWS_NOTHING)
		return;
	if (e->change == ROWS_REVIVED) {
		atomic_fetch_add(&d->messages, 1);
		atomic_fetch_add(&d->bytes, size);
		atomic_fetch_sub(&d->dead, 1);
		atomic_fetch_sub(&d->dead_bytes, size);
		holders_add(d->holders,
		    rows_find_user(d->rows, &update_of(slot)->id), size);
		return;
	}
	atomic_fetch_sub(&d->messages, 1);
	atomic_fetch_sub(&d->bytes, size);
	holders_drop(d->holders, slot->holder, size);
	if (e->change == ROWS_RELEASED) {
		segments_release(d->segments, &e->place);
		return;
	}
	atomic_fetch_add(&d->dead, 1);
	atomic_fetch_add(&d->dead_bytes, size);
}

static int result_of(const struct slot *slot, int rc)
{
	if (slot->body_result < 0)
		return slot->body_result;
	return rc < 0 ? rc : slot->row_result;
}

/* Results of a batch whose transaction ended with rc, and the figures. */
static void settle(struct writer *w, int rc)
{
	struct disk *d = w->d;
	uint64_t cost = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct slot *slot = &w->slots[i];
		struct store_accept *a = accept_of(slot);
		slot->r->result = result_of(slot, rc);
		slot->r->next = i + 1 < w->count ? w->slots[i + 1].r : NULL;
		if (a) {
			settle_accept(d, slot);
			cost += store_entry_cost(a->entry);
		} else {
			settle_update(d, slot);
			holders_unpin(d->holders, slot->holder);
		}
	}
	atomic_fetch_sub(&d->pending_bytes, cost);
	w->purge_owed += w->count;
	if (rc < 0)
		return;
	atomic_fetch_add(&d->commits, 1);
	atomic_fetch_add(&d->committed, w->count);
}

static void commit_batch(struct writer *w)
{
	for (size_t i = 0; i < w->count; i++)
		w->slots[i] = (struct slot){ .r = w->taken[i] };
	int rc = -EIO;
	if (!disk_is_failed(w->d)) {
		uint64_t start = clock_mono_ns();
		atomic_store(&w->d->batch_began_ns, start);
		rc = store_batch(w);
		atomic_fetch_add(&w->d->sync_ns, clock_mono_ns() - start);
		atomic_store(&w->d->batch_began_ns, 0);
	}
	settle(w, rc);
	store_answer(w->slots[0].r);
}

static int purge_slice(struct writer *w, int64_t now_ms)
{
	struct rows *rows = w->d->rows;
	int64_t cutoff_ms =
	    now_ms - (int64_t)atomic_load(&w->d->store.history_ms);
	int64_t day = date_day(now_ms);
	int n = 0;
	int rc = rows_begin(rows);
	if (rc < 0)
		return rc;
	if (day != w->quota_day)
		rc = rows_purge_quota(rows, day - QUOTA_DAYS);
	if (rc == 0 && day != w->quota_day)
		rc = rows_purge_spent(rows, day - SPENT_DAYS);
	if (rc == 0)
		rc = n = rows_purge(rows, &w->purged, cutoff_ms, PURGE_SLICE);
	if (rc >= 0)
		rc = rows_commit(rows);
	if (rc < 0) {
		rows_rollback(rows);
		return rc;
	}
	w->quota_day = day;
	return n;
}

/* 1: there is more; 0; or a negative errno. */
static int purge(struct writer *w, bool is_idle)
{
	uint64_t now = clock_mono_ms();
	bool is_due = is_idle && now >= w->purge_at_ms;
	if (!is_due && w->purge_owed < PURGE_SLICE)
		return 0;
	w->purge_owed = 0;
	int rc = purge_slice(w, clock_wall_ms());
	if (rc < 0)
		return rc;
	if (rc == PURGE_SLICE)
		return 1;
	/* All was seen: begin again with the oldest. */
	memset(&w->purged, 0, sizeof(w->purged));
	w->purge_at_ms = now + PURGE_PAUSE_MS;
	return 0;
}

/* True when more of it should be done soon. */
static bool keep_house(struct writer *w, bool is_idle)
{
	struct disk *d = w->d;
	if (!disk_is_failed(d))
		watch_look(d);
	if (disk_is_failed(d))
		return false;
	int checked = 0;
	if (rows_wal_pages(d->rows) >= SCHEMA_CHECKPOINT_PAGES)
		checked = rows_checkpoint(d->rows);
	if (checked < 0)
		disk_note_error(d, "checkpoint", checked);
	int purged = disk_is_failed(d) ? 0 : purge(w, is_idle);
	if (purged < 0)
		disk_note_error(d, "purge", purged);
	int buried = disk_is_failed(d) ? 0 : dead_step(w->dead);
	if (buried < 0)
		disk_note_error(d, "give up", buried);
	int cleaned = disk_is_failed(d) ? 0 : cleaner_step(w->cleaner);
	if (cleaned < 0)
		disk_note_error(d, "clean", cleaned);
	/* After a failed commit nobody knows which of two copies is wanted. */
	if (!disk_is_failed(d))
		segments_reap(d->segments, dead_spare(d));
	return purged > 0 || buried > 0 || cleaned > 0;
}

/*
 * All that was answered is durable, and nothing else was committed. Without
 * space the mark stays: a start looks at a few bodies more.
 */
static void end_sure(struct writer *w)
{
	w->count = 0;
	if (w->was_unsure == 0 || disk_is_failed(w->d))
		return;
	int rc = store_rows(w);
	if (rc < 0 && rc != -ENOSPC)
		disk_note_error(w->d, "commit", rc);
}

void *writer_run(void *writer)
{
	struct writer *w = writer;
	struct disk *d = w->d;
	bool has_more = false;
	(void)pthread_setname_np(pthread_self(), "store-writer");
	while (!store_queue_is_done(&d->writes)) {
		w->count = store_queue_take(&d->writes, w->taken,
		    DISK_BATCH_MAX, BATCH_BYTES, has_more ? 0 : IDLE_MS);
		if (w->count)
			commit_batch(w);
		else
			end_sure(w);
		has_more = keep_house(w, w->count == 0);
	}
	end_sure(w);
	return NULL;
}
