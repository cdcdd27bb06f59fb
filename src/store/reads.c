/* Statements that read. What a damaged row could break is checked here. */
#include <store/reads.h>

#include <store/entry.h>
#include <store/schema.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum reads_statement {
	Q_BEGIN = 0,
	Q_END,
	Q_MESSAGE,
	Q_RECIPIENTS,
	Q_PLACE,
	Q_ATTEMPT_COUNT,
	Q_ATTEMPTS,
	Q_PENDING,
	Q_QUOTA,
	Q_HELD,
	Q_SPENT,
	Q_SEGMENTS,
	Q_FIX,
	Q_COUNT
};

static const char *const statements[Q_COUNT] = {
	[Q_BEGIN] = "BEGIN",
	[Q_END] = "COMMIT",
	[Q_MESSAGE] = "SELECT created_ms, user, sender, recipients, content,"
		      " flags, ret, envid, priority, release_ms, size,"
		      " message_id, EXISTS (SELECT 1 FROM dead"
		      " WHERE dead.message = id)"
		      " FROM message WHERE id = ?1",
	[Q_RECIPIENTS] =
	    "SELECT address, state, attempts, at_ms, provider, pinned, notify,"
	    " orcpt FROM recipient WHERE message = ?1 ORDER BY n LIMIT ?2",
	[Q_PLACE] = "SELECT segment, offset, size, header, crc FROM body"
		    " WHERE message = ?1 UNION ALL"
		    " SELECT segment, offset, size, header, crc FROM dead"
		    " WHERE message = ?1",
	[Q_ATTEMPT_COUNT] = "SELECT count(*) FROM attempt WHERE message = ?1",
	[Q_ATTEMPTS] =
	    "SELECT recipient, at_ms, provider, class, status, provider_id,"
	    " reason, duration_ms, refusal FROM attempt WHERE message = ?1"
	    " ORDER BY seq LIMIT ?2",
	/* States: 0 waits until at_ms, 4 is held; 1 was started, and what
	 * else is open owes a report or an event. */
	[Q_PENDING] =
	    "SELECT body.message, min(CASE state WHEN 0 THEN at_ms"
	    " WHEN 4 THEN 9223372036854775807 ELSE ?1 END), priority,"
	    " sum(state = 1),"
	    " max(CASE state WHEN 1 THEN provider ELSE '' END)"
	    " FROM body CROSS JOIN recipient"
	    " ON recipient.message = body.message AND " SCHEMA_IS_OPEN
	    " WHERE " SCHEMA_IS_ID(
		"body.message") " GROUP BY body.message ORDER BY body.message",
	[Q_QUOTA] = "SELECT user, day, messages FROM quota",
	[Q_HELD] = "SELECT " SCHEMA_HOLDER ", body.size FROM body"
		   " CROSS JOIN message ON message.id = body.message",
	[Q_SPENT] = "SELECT provider, day, recipients FROM spent"
		    " WHERE day >= ?1",
	/* In the order of the ids: nearly that of the bodies, and no sort. */
	[Q_SEGMENTS] =
	    "SELECT segment, size, offset + size, 0,"
	    " NOT " SCHEMA_IS_ID(
		"message") " FROM body UNION ALL"
			   " SELECT segment, size, offset + size, 1,"
			   " NOT " SCHEMA_IS_ID("message") " FROM dead",
	[Q_FIX] = "SELECT count(*) FROM quota",
};

struct reads {
	sqlite3 *db;
	sqlite3_stmt *q[Q_COUNT];
};

int reads_open(sqlite3 *db, struct reads **out, struct err *e)
{
	struct reads *r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, -ENOMEM, "store: out of memory");
	int rc = sqlite_prepare(db, statements, r->q, Q_COUNT, e);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->db = db;
	*out = r;
	return 0;
}

void reads_close(struct reads *r)
{
	if (!r)
		return;
	sqlite_finalize(r->q, Q_COUNT);
	(void)sqlite3_close(r->db);
	free(r);
}

sqlite3 *reads_database(struct reads *r)
{
	return r->db;
}

int reads_begin(struct reads *r)
{
	return sqlite_run(r->q[Q_BEGIN]);
}

int reads_fix(struct reads *r)
{
	return sqlite_run(r->q[Q_FIX]);
}

void reads_end(struct reads *r)
{
	if (!sqlite3_get_autocommit(r->db))
		(void)sqlite_run(r->q[Q_END]);
}

/* A state a later version may have added is left to a person. */
static enum store_state state_of(int64_t v)
{
	return v >= STORE_PENDING && v <= STORE_SENT_OWED ? (enum store_state)v
							  : STORE_HELD;
}

static enum postern_class class_of(int64_t v)
{
	return v >= POSTERN_ACCEPTED && v <= POSTERN_UNKNOWN
		   ? (enum postern_class)v
		   : POSTERN_UNKNOWN;
}

static enum postern_refusal refusal_of(int64_t v)
{
	return v >= POSTERN_REFUSED_MESSAGE && v <= POSTERN_REFUSED_SUPPRESSED
		   ? (enum postern_refusal)v
		   : POSTERN_REFUSED_MESSAGE;
}

static enum envelope_body body_of(int64_t v)
{
	return v == ENVELOPE_BODY_8BITMIME ? ENVELOPE_BODY_8BITMIME
					   : ENVELOPE_BODY_7BIT;
}

static enum envelope_ret ret_of(int64_t v)
{
	return v >= ENVELOPE_RET_UNSAID && v <= ENVELOPE_RET_HDRS
		   ? (enum envelope_ret)v
		   : ENVELOPE_RET_UNSAID;
}

static int priority_of(int64_t v)
{
	bool is_valid =
	    (v >= ENVELOPE_PRIORITY_MIN && v <= ENVELOPE_PRIORITY_MAX) ||
	    v == STORE_EVENT_PRIORITY;

	return is_valid ? (int)v : 0;
}

static int take_recipient(sqlite3_stmt *q, struct store_entry *e)
{
	struct store_recipient *r = &e->recipients[e->recipient_count];
	if (entry_span(e, sqlite_column_span(q, 0), &r->address) < 0)
		return -ENOMEM;
	r->state = state_of(sqlite3_column_int64(q, 1));
	r->attempts = (uint32_t)sqlite3_column_int64(q, 2);
	if (r->state == STORE_PENDING)
		r->due_ms = sqlite3_column_int64(q, 3);
	entry_set_provider(r->provider, sqlite_column_span(q, 4));
	int flags = sqlite3_column_int(q, 5);
	r->is_pinned = (flags & SCHEMA_PINNED) != 0;
	r->is_single = (flags & SCHEMA_SINGLE) != 0;
	r->key_turn = (uint16_t)(flags >> SCHEMA_TURN_SHIFT);
	r->is_told = (flags & SCHEMA_TOLD) != 0;
	r->owes_event = (flags & SCHEMA_OWES_EVENT) != 0;
	r->was_deferred = (flags & SCHEMA_DEFERRED) != 0;
	r->notify = (uint8_t)sqlite3_column_int(q, 6) & ENVELOPE_NOTIFY_ALL;
	if (entry_span(e, sqlite_column_span(q, 7), &r->orcpt) < 0)
		return -ENOMEM;
	e->recipient_count++;
	return 0;
}

static int read_recipients(
    struct reads *r, struct store_entry *e, int64_t count, size_t max)
{
	e->recipient_total = count > 0 ? (size_t)count : 0;
	if (e->recipient_total > max)
		count = (int64_t)max;
	if (count < 0 || entry_reserve(e, (size_t)count) < 0)
		return -ENOMEM;
	sqlite3_stmt *q = r->q[Q_RECIPIENTS];
	int rc;
	sqlite_bind_id(q, 1, &e->id);
	sqlite_bind_int(q, 2, count);
	while ((rc = sqlite_next(q)) > 0) {
		rc = take_recipient(q, e);
		if (rc < 0)
			break;
	}
	(void)sqlite3_reset(q);
	return rc;
}

/* Six columns, from i on. */
static int take_terms(sqlite3_stmt *q, int i, struct store_entry *e)
{
	struct envelope_terms *t = &e->terms;
	int flags = sqlite3_column_int(q, i + 1);
	t->body = body_of(sqlite3_column_int64(q, i));
	t->is_utf8 = (flags & SCHEMA_UTF8) != 0;
	t->has_priority = (flags & SCHEMA_PRIORITY) != 0;
	e->is_report = (flags & SCHEMA_REPORT) != 0;
	e->traits =
	    (unsigned)(flags >> SCHEMA_TRAITS_SHIFT) & SCHEMA_TRAITS_MASK;
	e->is_event = (flags & SCHEMA_EVENT) != 0;
	t->ret = ret_of(sqlite3_column_int64(q, i + 2));
	t->priority = priority_of(sqlite3_column_int64(q, i + 4));
	t->release_ms = sqlite3_column_int64(q, i + 5);
	return entry_span(e, sqlite_column_span(q, i + 3), &t->envid);
}

static int read_entry(struct reads *r, struct store_entry *e, size_t max)
{
	sqlite3_stmt *q = r->q[Q_MESSAGE];
	sqlite_bind_id(q, 1, &e->id);
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	e->created_ms = sqlite3_column_int64(q, 0);
	rc = entry_span(e, sqlite_column_span(q, 1), &e->user);
	if (rc == 0)
		rc = entry_span(e, sqlite_column_span(q, 2), &e->sender);
	if (rc == 0)
		rc = take_terms(q, 4, e);
	if (rc == 0)
		rc = entry_span(e, sqlite_column_span(q, 11), &e->message_id);
	int64_t count = sqlite3_column_int64(q, 3);
	e->is_dead = sqlite3_column_int(q, 12);
	e->size = (uint64_t)sqlite3_column_int64(q, 10);
	(void)sqlite3_reset(q);
	return rc == 0 ? read_recipients(r, e, count, max) : rc;
}

int reads_entry_part(
    struct reads *r, const struct id *id, size_t max, struct store_entry **out)
{
	struct store_entry *e = entry_new();
	if (!e)
		return -ENOMEM;
	e->id = *id;
	int rc = read_entry(r, e, max);
	if (rc < 0)
		store_entry_free(e);
	else
		*out = e;
	return rc;
}

int reads_entry(struct reads *r, const struct id *id, struct store_entry **out)
{
	return reads_entry_part(r, id, SIZE_MAX, out);
}

int reads_place(struct reads *r, const struct id *id, struct place *out)
{
	sqlite3_stmt *q = r->q[Q_PLACE];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	out->segment = (uint32_t)sqlite3_column_int64(q, 0);
	out->offset = (uint64_t)sqlite3_column_int64(q, 1);
	out->size = (uint64_t)sqlite3_column_int64(q, 2);
	out->header_size = (uint64_t)sqlite3_column_int64(q, 3);
	out->crc = (uint32_t)sqlite3_column_int64(q, 4);
	(void)sqlite3_reset(q);
	return 0;
}

static int take_attempt(
    sqlite3_stmt *q, struct store_entry *e, struct store_attempt *a)
{
	a->recipient = (size_t)sqlite3_column_int64(q, 0);
	a->at_ms = sqlite3_column_int64(q, 1);
	entry_set_provider(a->provider, sqlite_column_span(q, 2));
	a->is_operator = sqlite3_column_int64(q, 3) == SCHEMA_OPERATOR;
	a->result = class_of(sqlite3_column_int64(q, 3));
	a->status = sqlite3_column_int(q, 4);
	a->duration_ms = (uint32_t)sqlite3_column_int64(q, 7);
	a->refusal = refusal_of(sqlite3_column_int64(q, 8));
	int rc = entry_span(e, sqlite_column_span(q, 5), &a->provider_id);
	return rc < 0 ? rc
		      : entry_span(e, sqlite_column_span(q, 6), &a->reason);
}

static int count_attempts(struct reads *r, const struct id *id, int64_t *out)
{
	sqlite3_stmt *q = r->q[Q_ATTEMPT_COUNT];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	if (rc > 0)
		*out = sqlite3_column_int64(q, 0);
	(void)sqlite3_reset(q);
	return rc > 0 ? 0 : rc < 0 ? rc : -EIO;
}

int reads_attempts(struct reads *r, struct store_entry *e,
    struct store_attempt **out, size_t *out_count)
{
	int64_t count = 0;
	int rc = count_attempts(r, &e->id, &count);
	if (rc < 0)
		return rc;
	struct store_attempt *a = entry_alloc(e, (size_t)count * sizeof(*a));
	if (!a)
		return -ENOMEM;
	sqlite3_stmt *q = r->q[Q_ATTEMPTS];
	size_t n = 0;
	sqlite_bind_id(q, 1, &e->id);
	sqlite_bind_int(q, 2, count);
	while ((rc = sqlite_next(q)) > 0) {
		rc = take_attempt(q, e, &a[n]);
		if (rc < 0)
			break;
		/* Readers index recipients by it. */
		if (a[n].recipient < e->recipient_count)
			n++;
	}
	(void)sqlite3_reset(q);
	if (rc < 0)
		return rc;
	*out = a;
	*out_count = n;
	return 0;
}

int reads_each_pending(struct reads *r, int64_t now_ms,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx)
{
	sqlite3_stmt *q = r->q[Q_PENDING];
	int rc;
	sqlite_bind_int(q, 1, now_ms);
	while ((rc = sqlite_next(q)) > 0) {
		struct store_pending p = { .due_ms =
					       sqlite3_column_int64(q, 1) };
		rc = sqlite_column_id(q, 0, &p.id);
		if (rc < 0)
			break;
		p.priority = priority_of(sqlite3_column_int64(q, 2));
		p.started = (uint64_t)sqlite3_column_int64(q, 3);
		(void)snprintf(p.provider, sizeof(p.provider), "%.*s",
		    SPAN_FMT(sqlite_column_span(q, 4)));
		rc = each(&p, ctx);
		if (rc < 0)
			break;
	}
	(void)sqlite3_reset(q);
	return rc;
}

int reads_each_quota(struct reads *r,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	sqlite3_stmt *q = r->q[Q_QUOTA];
	int rc;
	while ((rc = sqlite_next(q)) > 0)
		each(sqlite_column_span(q, 0), sqlite3_column_int64(q, 1),
		    (uint64_t)sqlite3_column_int64(q, 2), ctx);
	return rc;
}

int reads_each_held(struct reads *r,
    void (*each)(struct span user, uint64_t bytes, void *ctx), void *ctx)
{
	sqlite3_stmt *q = r->q[Q_HELD];
	int rc;
	while ((rc = sqlite_next(q)) > 0)
		each(sqlite_column_span(q, 0),
		    (uint64_t)sqlite3_column_int64(q, 1), ctx);
	(void)sqlite3_reset(q);
	return rc;
}

int reads_each_spent(struct reads *r, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx)
{
	sqlite3_stmt *q = r->q[Q_SPENT];
	int rc;
	sqlite_bind_int(q, 1, from_day);
	while ((rc = sqlite_next(q)) > 0)
		each(sqlite_column_span(q, 0), sqlite3_column_int64(q, 1),
		    (uint64_t)sqlite3_column_int64(q, 2), ctx);
	(void)sqlite3_reset(q);
	return rc;
}

int reads_each_segment(struct reads *r,
    int (*each)(const struct reads_segment *s, void *ctx), void *ctx)
{
	sqlite3_stmt *q = r->q[Q_SEGMENTS];
	struct reads_segment s = { .count = 0 };
	int rc;
	while ((rc = sqlite_next(q)) > 0) {
		uint32_t number = (uint32_t)sqlite3_column_int64(q, 0);
		uint64_t end = (uint64_t)sqlite3_column_int64(q, 2);
		bool is_dead = sqlite3_column_int(q, 3);
		if (s.count > 0 &&
		    (number != s.number || is_dead != s.is_dead)) {
			rc = each(&s, ctx);
			s = (struct reads_segment){ .count = 0 };
			if (rc < 0)
				break;
		}
		s.number = number;
		s.is_dead = is_dead;
		s.count++;
		s.nameless += (uint64_t)sqlite3_column_int64(q, 4);
		s.bytes += (uint64_t)sqlite3_column_int64(q, 1);
		s.end = end > s.end ? end : s.end;
	}
	(void)sqlite3_reset(q);
	if (rc == 0 && s.count > 0)
		rc = each(&s, ctx);
	return rc;
}
