/*
 * Statements that write. The common life of a message with one recipient is
 * three inserts, then an update, an insert and a delete; each touches the
 * right end of its tree.
 */
#include <store/rows_internal.h>

#include <store/entry.h>
#include <store/schema.h>

#include <errno.h>
#include <stdlib.h>

#define SET_RECIPIENT                                                          \
	"UPDATE recipient SET state = ?3, attempts = ?4, at_ms = ?5,"          \
	" provider = ?6, pinned = ?7 WHERE message = ?1 AND n = ?2"

static const char *const statements[Q_COUNT] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_ROLLBACK] = "ROLLBACK",
	[Q_SAVE] = "SAVEPOINT request",
	[Q_RELEASE] = "RELEASE request",
	[Q_UNDO] = "ROLLBACK TO request",
	[Q_MESSAGE] = "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
		      " ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
	[Q_RECIPIENT] = "INSERT INTO recipient VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
			" ?7, ?8, ?9, ?10)",
	[Q_BODY] = "INSERT INTO body VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	/* States: 2 and 8 are sent, 5 is dropped; 0, 1 and 4 may still be
	 * sent. */
	[Q_FIRST] = "SELECT count(*), sum(state = 2 OR state = 8),"
		    " sum(state < 2 OR state = 4), sum(state = 5),"
		    " max(provider)"
		    " FROM recipient WHERE message = ?1 AND EXISTS (SELECT 1"
		    " FROM message WHERE id = ?1 AND user = ?2"
		    " AND message_id = ?3)",
	[Q_VOUCH] = "UPDATE message SET flags = flags | 8 WHERE id = ?1",
	[Q_VOUCHED] = "SELECT 1 FROM message WHERE id = ?1 AND flags & 8",
	[Q_GUARDS] = "SELECT guard, id FROM (SELECT guard, id FROM message"
		     " WHERE id > ?1 ORDER BY id DESC LIMIT ?2)"
		     " WHERE guard <> 0 AND " SCHEMA_IS_ID(
			 "id") " AND EXISTS (SELECT 1 FROM recipient"
			       " WHERE recipient.message = id AND (state <= 2"
			       " OR state = 4 OR state = 8)) ORDER BY id",
	[Q_SET_FINAL] = SET_RECIPIENT,
	[Q_SET_OPEN] =
	    SET_RECIPIENT " AND EXISTS (SELECT 1 FROM body WHERE message = ?1)",
	[Q_ATTEMPT] =
	    "INSERT INTO attempt VALUES (?1,"
	    " (SELECT coalesce(max(seq) + 1, 0) FROM attempt"
	    " WHERE message = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[Q_KNOWN] = "SELECT 1 FROM message WHERE id = ?1",
	[Q_FINISHED] = "SELECT segment, offset, size, header, crc,"
		       " EXISTS (SELECT 1 FROM recipient WHERE message = ?1"
		       " AND (state = 3 OR state = 6)) AND NOT EXISTS (SELECT 1"
		       " FROM message WHERE id = ?1 AND flags & 16),"
		       " (" SCHEMA_SELECT_HOLDER ") FROM body"
		       " WHERE message = ?1 AND NOT EXISTS"
		       " (SELECT 1 FROM recipient WHERE message = ?1"
		       " AND " SCHEMA_IS_OPEN ")",
	[Q_RELEASE_BODY] = "DELETE FROM body WHERE message = ?1",
	[Q_KEEP_BODY] = "INSERT INTO dead SELECT message, segment, offset,"
			" size, header, crc, priority, ?2 FROM body"
			" WHERE message = ?1",
	[Q_DEAD_PLACE] = "SELECT segment, offset, size, header, crc FROM dead"
			 " WHERE message = ?1",
	[Q_REVIVE_BODY] = "INSERT INTO body SELECT message, segment, offset,"
			  " size, header, crc, priority FROM dead"
			  " WHERE message = ?1",
	[Q_SET_RELEASE] = "UPDATE message SET release_ms = ?2 WHERE id = ?1",
	[Q_DEAD] = "SELECT segment, offset, size, header, crc, message, died_ms"
		   " FROM dead WHERE " SCHEMA_IS_ID(
		       "message") " ORDER BY died_ms LIMIT ?1",
	[Q_BURY] = "DELETE FROM dead WHERE message = ?1",
	[Q_USER] = SCHEMA_SELECT_HOLDER,
	[Q_CHARGE] = "INSERT INTO quota VALUES (?1, ?2, ?3) ON CONFLICT DO"
		     " UPDATE SET messages = messages + excluded.messages",
	[Q_SET_UNSURE] = "UPDATE unsure SET messages = ?1",
	[Q_UNSURE] = "SELECT messages FROM unsure",
	[Q_PLACE] = "SELECT segment, offset, size, header, crc FROM body"
		    " WHERE message = ?1",
	[Q_SPEND] = "INSERT INTO spent VALUES (?1, ?2, ?3) ON CONFLICT DO"
		    " UPDATE SET recipients = recipients + excluded.recipients",
	[Q_MOVE] =
	    "UPDATE body SET segment = ?2, offset = ?3 WHERE message = ?1",
	[Q_MOVE_DEAD] =
	    "UPDATE dead SET segment = ?2, offset = ?3 WHERE message = ?1",
	[Q_BODIES] =
	    "SELECT segment, offset, size, header, crc, message FROM body"
	    " WHERE message > ?1 AND " SCHEMA_IS_ID(
		"message") " UNION ALL"
			   " SELECT segment, offset, size, header, crc, "
			   "message FROM dead"
			   " WHERE message > ?1 AND " SCHEMA_IS_ID(
			       "message") " ORDER BY message LIMIT ?2",
	[Q_PURGEABLE] =
	    "SELECT id, NOT EXISTS"
	    " (SELECT 1 FROM body WHERE body.message = id)"
	    " AND NOT EXISTS (SELECT 1 FROM dead WHERE dead.message = id)"
	    " AND coalesce((SELECT max(at_ms) FROM recipient"
	    " WHERE recipient.message = id), 0) < ?3"
	    " FROM message WHERE id > ?1 AND id < ?2 AND " SCHEMA_IS_ID(
		"id") " ORDER BY id LIMIT ?4",
	[Q_PURGE_ATTEMPTS] = "DELETE FROM attempt WHERE message = ?1",
	[Q_PURGE_RECIPIENTS] = "DELETE FROM recipient WHERE message = ?1",
	[Q_PURGE_MESSAGE] = "DELETE FROM message WHERE id = ?1",
	[Q_PURGE_QUOTA] = "DELETE FROM quota WHERE day < ?1",
	[Q_PURGE_SPENT] = "DELETE FROM spent WHERE day < ?1",
};

enum {
	USER_MAX = 64 * 1024
};

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct rows *r = ctx;
	(void)db;
	(void)name;
	r->wal_pages = pages;
	return SQLITE_OK;
}

int rows_open(sqlite3 *db, struct rows **out, struct err *e)
{
	struct rows *r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, -ENOMEM, "store: out of memory");
	int rc = sqlite_prepare(db, statements, r->q, Q_COUNT, e);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->db = db;
	buf_init(&r->user, USER_MAX);
	(void)sqlite3_wal_hook(db, on_wal, r);
	*out = r;
	return 0;
}

void rows_started(struct rows *r)
{
	sqlite_set_tidy(r->db, true);
}

void rows_close(struct rows *r)
{
	if (!r)
		return;
	sqlite_finalize(r->q, Q_COUNT);
	(void)sqlite3_close(r->db);
	buf_finish(&r->user);
	free(r);
}

int rows_begin(struct rows *r)
{
	return sqlite_run(r->q[Q_BEGIN]);
}

int rows_commit(struct rows *r)
{
	return sqlite_run(r->q[Q_COMMIT]);
}

void rows_rollback(struct rows *r)
{
	/* Some errors have ended the transaction already. */
	if (!sqlite3_get_autocommit(r->db))
		(void)sqlite_run(r->q[Q_ROLLBACK]);
}

static int64_t flags_of(const struct store_recipient *to)
{
	return (to->is_pinned ? SCHEMA_PINNED : 0) |
	       (to->is_single ? SCHEMA_SINGLE : 0) |
	       (to->is_told ? SCHEMA_TOLD : 0) |
	       (to->owes_event ? SCHEMA_OWES_EVENT : 0) |
	       (to->was_deferred ? SCHEMA_DEFERRED : 0) |
	       (int64_t)to->key_turn << SCHEMA_TURN_SHIFT;
}

static int add_recipient(struct rows *r, const struct id *id, size_t n,
    const struct store_recipient *to)
{
	sqlite3_stmt *q = r->q[Q_RECIPIENT];
	sqlite_bind_id(q, 1, id);
	sqlite_bind_int(q, 2, (int64_t)n);
	sqlite_bind_span(q, 3, to->address);
	sqlite_bind_int(q, 4, to->state);
	sqlite_bind_int(q, 5, to->attempts);
	sqlite_bind_int(q, 6, to->due_ms);
	sqlite_bind_span(q, 7, span_of(to->provider));
	sqlite_bind_int(q, 8, flags_of(to));
	sqlite_bind_int(q, 9, to->notify);
	sqlite_bind_span(q, 10, to->orcpt);
	return sqlite_run(q);
}

static int add_body(
    struct rows *r, const struct store_entry *e, const struct place *p)
{
	sqlite3_stmt *q = r->q[Q_BODY];
	sqlite_bind_id(q, 1, &e->id);
	sqlite_bind_int(q, 2, p->segment);
	sqlite_bind_int(q, 3, (int64_t)p->offset);
	sqlite_bind_int(q, 4, (int64_t)p->size);
	sqlite_bind_int(q, 5, (int64_t)p->header_size);
	sqlite_bind_int(q, 6, p->crc);
	sqlite_bind_int(q, 7, e->terms.priority);
	return sqlite_run(q);
}

/* Six columns, from i on. */
static void bind_terms(sqlite3_stmt *q, int i, const struct store_entry *e)
{
	const struct envelope_terms *t = &e->terms;
	sqlite_bind_int(q, i, t->body);
	sqlite_bind_int(q, i + 1,
	    (t->is_utf8 ? SCHEMA_UTF8 : 0) |
		(t->has_priority ? SCHEMA_PRIORITY : 0) |
		(e->is_report ? SCHEMA_REPORT : 0) |
		(e->is_event ? SCHEMA_EVENT : 0) |
		(int64_t)(e->traits & SCHEMA_TRAITS_MASK)
		    << SCHEMA_TRAITS_SHIFT);
	sqlite_bind_int(q, i + 2, t->ret);
	sqlite_bind_span(q, i + 3, t->envid);
	sqlite_bind_int(q, i + 4, t->priority);
	sqlite_bind_int(q, i + 5, t->release_ms);
}

int rows_accept(struct rows *r, const struct store_entry *e,
    const struct place *place, uint64_t guard)
{
	sqlite3_stmt *q = r->q[Q_MESSAGE];
	sqlite_bind_id(q, 1, &e->id);
	sqlite_bind_int(q, 2, e->created_ms);
	sqlite_bind_span(q, 3, e->user);
	sqlite_bind_span(q, 4, e->sender);
	sqlite_bind_int(
	    q, 5, e->message ? (int64_t)message_size(e->message) : 0);
	sqlite_bind_int(q, 6, (int64_t)e->recipient_count);
	bind_terms(q, 7, e);
	sqlite_bind_span(q, 13, e->message_id);
	sqlite_bind_int(q, 14, (int64_t)guard);
	int rc = sqlite_run(q);
	for (size_t i = 0; rc == 0 && i < e->recipient_count; i++)
		rc = add_recipient(r, &e->id, i, &e->recipients[i]);
	if (rc == 0 && place)
		rc = add_body(r, e, place);
	return rc;
}

int rows_first(struct rows *r, const struct id *id, const struct store_entry *e,
    struct guard_tally *out)
{
	sqlite3_stmt *q = r->q[Q_FIRST];
	sqlite_bind_id(q, 1, id);
	sqlite_bind_span(q, 2, e->user);
	sqlite_bind_span(q, 3, e->message_id);
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc;
	out->count = (size_t)sqlite3_column_int64(q, 0);
	out->sent = (size_t)sqlite3_column_int64(q, 1);
	out->open = (size_t)sqlite3_column_int64(q, 2);
	out->dropped = (size_t)sqlite3_column_int64(q, 3);
	entry_set_provider(out->provider, sqlite_column_span(q, 4));
	(void)sqlite3_reset(q);
	return out->count > 0;
}

int rows_vouch(struct rows *r, const struct id *id)
{
	sqlite_bind_id(r->q[Q_VOUCH], 1, id);
	return sqlite_run(r->q[Q_VOUCH]);
}

/* 0, -EALREADY, or an error. */
static int check_vouched(struct rows *r, const struct id *id)
{
	sqlite3_stmt *q = r->q[Q_VOUCHED];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	(void)sqlite3_reset(q);
	return rc > 0 ? -EALREADY : rc;
}

/* 0, -ENOENT when there is no such recipient left to change, or an error. */
static int set_recipient(struct rows *r, const struct id *id, size_t n,
    const struct store_recipient *to, int64_t now_ms)
{
	bool is_final = store_recipient_is_final(to);
	sqlite3_stmt *q = r->q[is_final ? Q_SET_FINAL : Q_SET_OPEN];
	sqlite_bind_id(q, 1, id);
	sqlite_bind_int(q, 2, (int64_t)n);
	sqlite_bind_int(q, 3, to->state);
	sqlite_bind_int(q, 4, to->attempts);
	sqlite_bind_int(q, 5, is_final ? now_ms : to->due_ms);
	sqlite_bind_span(q, 6, span_of(to->provider));
	sqlite_bind_int(q, 7, flags_of(to));
	int rc = sqlite_run(q);
	if (rc < 0)
		return rc;
	return sqlite3_changes(r->db) > 0 ? 0 : -ENOENT;
}

static int add_attempt(
    struct rows *r, const struct id *id, const struct store_attempt *a)
{
	sqlite3_stmt *q = r->q[Q_ATTEMPT];
	sqlite_bind_id(q, 1, id);
	sqlite_bind_int(q, 2, (int64_t)a->recipient);
	sqlite_bind_int(q, 3, a->at_ms);
	sqlite_bind_span(q, 4, span_of(a->provider));
	sqlite_bind_int(q, 5, a->is_operator ? SCHEMA_OPERATOR : a->result);
	sqlite_bind_int(q, 6, a->status);
	sqlite_bind_span(q, 7, a->provider_id);
	sqlite_bind_span(q, 8, a->reason);
	sqlite_bind_int(q, 9, a->duration_ms);
	sqlite_bind_int(q, 10, a->refusal);
	return sqlite_run(q);
}

static int check_known(struct rows *r, const struct id *id)
{
	sqlite3_stmt *q = r->q[Q_KNOWN];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	(void)sqlite3_reset(q);
	return rc == 0 ? -ENOENT : rc < 0 ? rc : 0;
}

/* For a count only: nothing fails when it cannot be kept. */
static void take_user(struct rows *r, struct span user)
{
	buf_clear(&r->user);
	(void)buf_add_span(&r->user, user);
}

/* Release the body when no recipient is open any more, or keep it. */
static int finish(struct rows *r, const struct id *id, int64_t now_ms,
    bool may_keep, struct rows_effect *out)
{
	sqlite3_stmt *q = r->q[Q_FINISHED];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc;
	rows_take_place(q, &out->place);
	bool is_kept = may_keep && sqlite3_column_int(q, 5);
	take_user(r, sqlite_column_span(q, 6));
	(void)sqlite3_reset(q);
	out->change = is_kept ? ROWS_DIED : ROWS_RELEASED;
	if (is_kept) {
		sqlite_bind_int(r->q[Q_KEEP_BODY], 2, now_ms);
		rc = rows_run_for(r, Q_KEEP_BODY, id);
	}
	return rc < 0 ? rc : rows_run_for(r, Q_RELEASE_BODY, id);
}

/* What was kept is in the queue again; what is there stays there. */
static int revive(
    struct rows *r, const struct store_update *u, struct rows_effect *out)
{
	sqlite3_stmt *q = r->q[Q_DEAD_PLACE];
	sqlite_bind_int(r->q[Q_SET_RELEASE], 2, u->revived_ms);
	int rc = rows_run_for(r, Q_SET_RELEASE, &u->id);
	if (rc < 0)
		return rc;
	sqlite_bind_id(q, 1, &u->id);
	rc = sqlite_next(q);
	if (rc <= 0)
		return rc;
	rows_take_place(q, &out->place);
	(void)sqlite3_reset(q);
	out->change = ROWS_REVIVED;
	rc = rows_run_for(r, Q_REVIVE_BODY, &u->id);
	return rc < 0 ? rc : rows_run_for(r, Q_BURY, &u->id);
}

static int apply(struct rows *r, const struct store_update *u, int64_t now_ms,
    bool may_keep, struct rows_effect *out)
{
	bool is_final = false;
	int rc = u->recipient_count ? 0 : check_known(r, &u->id);
	if (rc == 0 && u->revived_ms)
		rc = revive(r, u, out);
	for (size_t i = 0; rc == 0 && i < u->recipient_count; i++) {
		rc = set_recipient(
		    r, &u->id, u->indices[i], &u->recipients[i], now_ms);
		is_final |= store_recipient_is_final(&u->recipients[i]);
	}
	for (size_t i = 0; rc == 0 && i < u->attempt_count; i++)
		rc = add_attempt(r, &u->id, &u->attempts[i]);
	if (rc == 0 && is_final)
		rc = finish(r, &u->id, now_ms, may_keep && !u->is_refusal, out);
	return rc;
}

int rows_update(struct rows *r, const struct store_update *u, int64_t now_ms,
    bool may_keep, struct rows_effect *out)
{
	memset(out, 0, sizeof(*out));
	int vouched = u->is_refusal ? check_vouched(r, &u->id) : 0;
	if (vouched < 0)
		return vouched;
	/* The first statement fails before anything was changed. */
	if (u->recipient_count <= 1 && !u->revived_ms)
		return apply(r, u, now_ms, may_keep, out);
	int rc = sqlite_run(r->q[Q_SAVE]);
	if (rc < 0)
		return rc;
	rc = apply(r, u, now_ms, may_keep, out);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc < 0)
		out->change = ROWS_NOTHING;
	int undo = rc < 0 ? sqlite_run(r->q[Q_UNDO]) : 0;
	if (undo == 0)
		undo = sqlite_run(r->q[Q_RELEASE]);
	return undo < 0 ? undo : rc;
}

struct span rows_updated_user(const struct rows *r)
{
	return buf_span(&r->user);
}

struct span rows_find_user(struct rows *r, const struct id *id)
{
	sqlite3_stmt *q = r->q[Q_USER];
	buf_clear(&r->user);
	sqlite_bind_id(q, 1, id);
	if (sqlite_next(q) > 0)
		take_user(r, sqlite_column_span(q, 0));
	(void)sqlite3_reset(q);
	return buf_span(&r->user);
}

int rows_charge(struct rows *r, struct span user, int64_t day, uint64_t n)
{
	sqlite3_stmt *q = r->q[Q_CHARGE];
	sqlite_bind_int(q, 1, day);
	sqlite_bind_span(q, 2, user);
	sqlite_bind_int(q, 3, (int64_t)n);
	return sqlite_run(q);
}

int rows_spend(struct rows *r, struct span provider, int64_t day, uint64_t n)
{
	sqlite3_stmt *q = r->q[Q_SPEND];
	sqlite_bind_int(q, 1, day);
	sqlite_bind_span(q, 2, provider);
	sqlite_bind_int(q, 3, (int64_t)n);
	return sqlite_run(q);
}
