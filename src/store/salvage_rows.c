/* See salvage_rows.h. */
#include <store/salvage_rows.h>

#include <store/schema.h>

#include <postern/outcome.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ID_SIZE = 16,
	RECIPIENTS_MAX = 100000 /* of a message; more is damage */
};

/* States: 0 pending, 1 started, 2 sent, 4 held, 5 dropped. */
#define IS_OPEN "(recipient.state < 2 OR recipient.state = 4)"
#define IN_DOUBT                                                               \
	" (SELECT 1 FROM doubt WHERE doubt.message = recipient.message"        \
	" AND doubt.n = recipient.n)"
/* A row of the ledger for each recipient that ... */
#define TELL                                                                   \
	"INSERT INTO attempt SELECT recipient.message,"                        \
	" (SELECT coalesce(max(seq), -1) FROM attempt AS a"                    \
	" WHERE a.message = recipient.message) + 1 + recipient.n,"             \
	" recipient.n, ?1, '', 64, 0, '', ?2, 0, 0 FROM recipient WHERE "
#define IS_UNREADABLE                                                          \
	"(recipient.address = '" SALVAGE_UNREADABLE "'"                        \
	" AND recipient.state = 5)"

static const char tables[] =
    "CREATE TEMP TABLE doubt (message BLOB NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (message, n)) WITHOUT ROWID;"
    "CREATE TEMP TABLE place (message BLOB NOT NULL, trust INTEGER NOT NULL,"
    " is_dead INTEGER NOT NULL, segment INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, size INTEGER NOT NULL,"
    " header INTEGER NOT NULL, crc INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, died_ms INTEGER NOT NULL,"
    " PRIMARY KEY (message, trust DESC, is_dead, segment, offset))"
    " WITHOUT ROWID;"
    "CREATE TEMP TABLE nth (n INTEGER PRIMARY KEY);";

/* What rows look like: b id, i number, t name, T text as it came. */
enum kind {
	KIND_MESSAGE = 0,
	KIND_RECIPIENT,
	KIND_ATTEMPT,
	KIND_BODY,
	KIND_DEAD,
	KIND_QUOTA,
	KIND_SPENT,
	KIND_COUNT,
	KIND_NONE = KIND_COUNT, /* no row of ours */
	KIND_INDEX              /* said elsewhere, too */
};

static const struct {
	const char *columns;
	size_t least; /* columns of the oldest format */
	const char *sql;
} kinds[KIND_COUNT] = {
	[KIND_MESSAGE] = { "bittiiiiitiiTi", 6,
	    "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	    " ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING" },
	/* Of two that are both in doubt the one that is over. */
	[KIND_RECIPIENT] = { "bitiiitiit", 8,
	    "INSERT INTO recipient VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
	    " ?9, ?10) ON CONFLICT DO UPDATE SET state = excluded.state,"
	    " attempts = excluded.attempts, at_ms = excluded.at_ms,"
	    " provider = excluded.provider, pinned = excluded.pinned"
	    " WHERE " IS_OPEN " AND NOT (excluded.state < 2"
	    " OR excluded.state = 4) AND EXISTS" IN_DOUBT },
	[KIND_ATTEMPT] = { "biiitiitTii", 10,
	    "INSERT INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	    " ?10, ?11) ON CONFLICT DO NOTHING" },
	[KIND_BODY] = { "biiiiii", 6,
	    "INSERT INTO place VALUES (?1, ?20, 0, ?2, ?3, ?4, ?5, ?6, ?7, 0)"
	    " ON CONFLICT DO NOTHING" },
	[KIND_DEAD] = { "biiiiiii", 8,
	    "INSERT INTO place VALUES (?1, ?20, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
	    " ON CONFLICT DO NOTHING" },
	[KIND_QUOTA] = { "iti", 3,
	    "INSERT INTO quota VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE"
	    " SET messages = max(messages, excluded.messages)" },
	[KIND_SPENT] = { "iti", 3,
	    "INSERT INTO spent VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE"
	    " SET recipients = max(recipients, excluded.recipients)" },
};

struct salvage_rows {
	sqlite3 *db;
	sqlite3_stmt *q[KIND_COUNT];
	sqlite3_stmt *note_doubt;
};

int salvage_rows_open(sqlite3 *db, struct salvage_rows **out, struct err *e)
{
	static const char *const doubt[] = {
		"INSERT INTO doubt VALUES (?1, ?2) ON CONFLICT DO NOTHING"
	};
	const char *sql[KIND_COUNT];
	struct salvage_rows *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < KIND_COUNT; i++)
		sql[i] = kinds[i].sql;
	s->db = db;
	int rc = sqlite_exec(db, tables);
	if (rc < 0)
		err_set(e, rc, "cannot make tables: %s", sqlite3_errmsg(db));
	if (rc == 0)
		rc = sqlite_prepare(db, sql, s->q, KIND_COUNT, e);
	if (rc == 0) {
		rc = sqlite_prepare(db, doubt, &s->note_doubt, 1, e);
		if (rc < 0)
			sqlite_finalize(s->q, KIND_COUNT);
	}
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void salvage_rows_close(struct salvage_rows *s)
{
	if (!s)
		return;
	sqlite_finalize(s->q, KIND_COUNT);
	sqlite_finalize(&s->note_doubt, 1);
	free(s);
}

/* --- one row --- */

/* A name for people and programs, on one line. */
static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return false;
	return span_is_utf8(s);
}

static bool fits(const struct salvage_value *v, char column)
{
	switch (column) {
	case 'b':
		return v->type == SALVAGE_BLOB && v->bytes.len == ID_SIZE;
	case 'i':
		return v->type == SALVAGE_INT;
	case 't':
		return v->type == SALVAGE_TEXT && is_name(v->bytes);
	default:
		return v->type == SALVAGE_TEXT;
	}
}

static bool has_columns(const struct salvage_record *r, enum kind kind)
{
	const char *columns = kinds[kind].columns;
	if (r->count < kinds[kind].least || r->count > strlen(columns))
		return false;
	for (size_t i = 0; i < r->count; i++)
		if (!fits(&r->values[i], columns[i]))
			return false;
	return true;
}

static bool is_within(const struct salvage_value *v, int64_t from, int64_t to)
{
	return v->number >= from && v->number <= to;
}

/* Numbers that would break who reads them. */
static bool is_possible(const struct salvage_record *r, enum kind kind)
{
	const struct salvage_value *v = r->values;
	switch (kind) {
	case KIND_MESSAGE:
		return is_within(&v[4], 0, INT64_MAX) &&
		       is_within(&v[5], 1, RECIPIENTS_MAX);
	case KIND_RECIPIENT:
		return is_within(&v[1], 0, RECIPIENTS_MAX - 1) &&
		       v[2].bytes.len > 0 &&
		       is_within(&v[3], STORE_PENDING, STORE_SENT_OWED) &&
		       is_within(&v[4], 0, UINT32_MAX);
	case KIND_ATTEMPT:
		return is_within(&v[1], 0, INT32_MAX) &&
		       is_within(&v[2], 0, RECIPIENTS_MAX - 1);
	case KIND_BODY:
	case KIND_DEAD:
		return is_within(&v[1], 0, UINT32_MAX) &&
		       is_within(&v[2], 0, INT64_C(1) << 48) &&
		       is_within(&v[3], 0, INT64_C(1) << 40) &&
		       is_within(&v[4], 0, v[3].number) &&
		       is_within(&v[5], 0, UINT32_MAX);
	default:
		return is_within(&v[2], 0, INT64_MAX);
	}
}

static enum kind kind_of(
    const struct salvage_record *r, enum salvage_owner owner)
{
	if (r->count == 2 && r->values[0].type == SALVAGE_INT &&
	    fits(&r->values[1], 'b'))
		return KIND_INDEX;
	for (enum kind k = 0; k < KIND_QUOTA; k++)
		if (has_columns(r, k))
			return is_possible(r, k) ? k : KIND_NONE;
	if (!has_columns(r, KIND_QUOTA) || !is_possible(r, KIND_QUOTA))
		return KIND_NONE;
	/* Which of them it is the row does not say. */
	return owner == SALVAGE_QUOTA   ? KIND_QUOTA
	       : owner == SALVAGE_SPENT ? KIND_SPENT
					: KIND_INDEX;
}

static void bind_value(sqlite3_stmt *q, int i, const struct salvage_value *v)
{
	if (v->type == SALVAGE_INT)
		sqlite_bind_int(q, i, v->number);
	else if (v->type == SALVAGE_TEXT)
		sqlite_bind_span(q, i, v->bytes);
	else
		(void)sqlite3_bind_blob64(
		    q, i, v->bytes.ptr, v->bytes.len, SQLITE_STATIC);
}

/* Only of these anybody asks; those that are over may be millions. */
static bool is_open(const struct salvage_record *r)
{
	int64_t state = r->values[3].number;
	return state < STORE_SENT || state == STORE_HELD;
}

static int note_doubt(struct salvage_rows *s, const struct salvage_record *r)
{
	bind_value(s->note_doubt, 1, &r->values[0]);
	bind_value(s->note_doubt, 2, &r->values[1]);
	return sqlite_run(s->note_doubt);
}

int salvage_rows_take(struct salvage_rows *s, const struct salvage_record *r,
    enum salvage_owner owner)
{
	enum kind kind = kind_of(r, owner);
	if (kind == KIND_NONE)
		return -EBADMSG;
	if (kind == KIND_INDEX)
		return 0;
	sqlite3_stmt *q = s->q[kind];
	const char *columns = kinds[kind].columns;
	(void)sqlite3_clear_bindings(q);
	for (size_t i = 0; columns[i]; i++) {
		if (i < r->count)
			bind_value(q, (int)i + 1, &r->values[i]);
		else if (columns[i] == 'i')
			sqlite_bind_int(q, (int)i + 1, 0);
		else
			sqlite_bind_span(q, (int)i + 1, SPAN(""));
	}
	if (kind == KIND_BODY || kind == KIND_DEAD)
		sqlite_bind_int(q, 20, r->trust);
	int rc = sqlite_run(q);
	if (rc == 0 && kind == KIND_RECIPIENT && r->trust != SALVAGE_SURE &&
	    is_open(r) && sqlite3_changes(s->db) > 0)
		rc = note_doubt(s, r);
	return rc;
}

/* --- all of them --- */

/* With now_ms and text as parameters where it has any. */
static int run(
    struct salvage_rows *s, const char *sql, int64_t now_ms, const char *text)
{
	sqlite3_stmt *q = NULL;
	int rc =
	    sqlite_errno(s->db, sqlite3_prepare_v2(s->db, sql, -1, &q, NULL));
	if (rc < 0)
		return rc;
	if (sqlite3_bind_parameter_count(q) > 0)
		sqlite_bind_int(q, 1, now_ms);
	if (sqlite3_bind_parameter_count(q) > 1)
		sqlite_bind_span(q, 2, span_of(text));
	rc = sqlite_run(q);
	(void)sqlite3_finalize(q);
	return rc;
}

/*
 * What the ledger says was taken is over; what else was open may have been
 * sent since, which a person must judge.
 */
static int hold_doubtful(
    struct salvage_rows *s, int64_t now_ms, struct salvage_report *report)
{
	char sql[512];
	(void)snprintf(sql, sizeof(sql),
	    "UPDATE recipient SET state = 2 WHERE " IS_OPEN
	    " AND EXISTS" IN_DOUBT " AND (SELECT class FROM attempt AS a"
	    " WHERE a.message = recipient.message"
	    " AND a.recipient = recipient.n ORDER BY seq DESC LIMIT 1) = %d",
	    POSTERN_ACCEPTED);
	int rc = run(s, sql, 0, NULL);
	if (rc == 0)
		rc = run(s, TELL "recipient.state < 2 AND EXISTS" IN_DOUBT,
		    now_ms,
		    "salvage: what was stored last is lost, so that it may "
		    "have been sent");
	if (rc == 0)
		rc = run(s,
		    "UPDATE recipient SET pinned = pinned | state, state = 4"
		    " WHERE recipient.state < 2 AND EXISTS" IN_DOUBT,
		    0, NULL);
	if (rc == 0)
		report->held = (uint64_t)sqlite3_changes(s->db);
	return rc;
}

/* Others are known by their number, so that each needs its row. */
static int fill_gaps(
    struct salvage_rows *s, int64_t now_ms, struct salvage_report *report)
{
	static const char *const steps[] = {
		"UPDATE message SET recipients = (SELECT max(n) + 1"
		" FROM recipient WHERE message = id) WHERE recipients <="
		" (SELECT max(n) FROM recipient WHERE message = id)",
		"WITH RECURSIVE up(n) AS (SELECT 0 UNION ALL SELECT n + 1"
		" FROM up WHERE n + 1 < (SELECT coalesce(max(recipients), 0)"
		" FROM message)) INSERT INTO nth SELECT n FROM up",
		"INSERT INTO recipient SELECT id, n,"
		" '" SALVAGE_UNREADABLE "', 5, 0, ?1, '', 0, 0, ''"
		" FROM message JOIN nth ON n < recipients"
		" WHERE NOT EXISTS (SELECT 1 FROM recipient AS r"
		" WHERE r.message = id AND r.n = nth.n)",
	};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = run(s, steps[i], now_ms, NULL);
	if (rc == 0)
		report->unreadable = (uint64_t)sqlite3_changes(s->db);
	if (rc == 0)
		rc = run(s, TELL IS_UNREADABLE, now_ms,
		    "salvage: this recipient could not be read");
	return rc;
}

int salvage_rows_settle(
    struct salvage_rows *s, int64_t now_ms, struct salvage_report *report)
{
	int rc = hold_doubtful(s, now_ms, report);
	return rc == 0 ? fill_gaps(s, now_ms, report) : rc;
}

int salvage_rows_finish(struct salvage_rows *s, struct salvage_report *report)
{
	int64_t messages = 0, open = 0;
	int rc = run(s,
	    "DELETE FROM recipient WHERE NOT EXISTS"
	    " (SELECT 1 FROM message WHERE id = recipient.message)",
	    0, NULL);
	if (rc == 0)
		rc = run(s,
		    "DELETE FROM attempt WHERE NOT EXISTS"
		    " (SELECT 1 FROM message WHERE id = attempt.message)",
		    0, NULL);
	if (rc == 0)
		rc = sqlite_exec_int(
		    s->db, "SELECT count(*) FROM message", &messages);
	if (rc == 0)
		rc = sqlite_exec_int(s->db, "SELECT count(*) FROM body", &open);
	report->messages = (uint64_t)messages;
	report->open = (uint64_t)open;
	return rc;
}
