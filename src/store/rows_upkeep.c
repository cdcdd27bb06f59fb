/*
 * Statements of the writer for what follows requests: places of bodies, what is
 * kept for a while, what is forgotten, the log.
 */
#include <store/rows_internal.h>
#include <store/schema.h>

#include <errno.h>

void rows_take_place(sqlite3_stmt *q, struct place *out)
{
	out->segment = (uint32_t)sqlite3_column_int64(q, 0);
	out->offset = (uint64_t)sqlite3_column_int64(q, 1);
	out->size = (uint64_t)sqlite3_column_int64(q, 2);
	out->header_size = (uint64_t)sqlite3_column_int64(q, 3);
	out->crc = (uint32_t)sqlite3_column_int64(q, 4);
}

int rows_run_for(struct rows *r, enum rows_statement s, const struct id *id)
{
	sqlite_bind_id(r->q[s], 1, id);
	return sqlite_run(r->q[s]);
}

int rows_set_unsure(struct rows *r, const struct id *ids, size_t count)
{
	sqlite3_stmt *q = r->q[Q_SET_UNSURE];
	(void)sqlite3_bind_blob64(q, 1, count ? ids : (const void *)"",
	    count * sizeof(*ids), SQLITE_STATIC);
	return sqlite_run(q);
}

int rows_unsure(struct rows *r, struct id *out, size_t max)
{
	sqlite3_stmt *q = r->q[Q_UNSURE];
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc;
	const void *ids = sqlite3_column_blob(q, 0);
	size_t count = (size_t)sqlite3_column_bytes(q, 0) / sizeof(*out);
	if (count > max)
		count = max;
	if (count > 0)
		memcpy(out, ids, count * sizeof(*out));
	(void)sqlite3_reset(q);
	return (int)count;
}

int rows_place(struct rows *r, const struct id *id, struct place *out)
{
	sqlite3_stmt *q = r->q[Q_PLACE];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	rows_take_place(q, out);
	(void)sqlite3_reset(q);
	return 0;
}

int rows_dead(struct rows *r, struct id *ids, struct place *places,
    int64_t *died_ms, int max)
{
	sqlite3_stmt *q = r->q[Q_DEAD];
	int n = 0, rc;
	sqlite_bind_int(q, 1, max);
	while ((rc = sqlite_next(q)) > 0 && n < max) {
		rows_take_place(q, &places[n]);
		died_ms[n] = sqlite3_column_int64(q, 6);
		rc = sqlite_column_id(q, 5, &ids[n]);
		if (rc < 0)
			break;
		n++;
	}
	(void)sqlite3_reset(q);
	return rc < 0 ? rc : n;
}

int rows_bury(struct rows *r, const struct id *id)
{
	return rows_run_for(r, Q_BURY, id);
}

static int move(struct rows *r, enum rows_statement s, const struct id *id,
    const struct place *to)
{
	sqlite_bind_int(r->q[s], 2, to->segment);
	sqlite_bind_int(r->q[s], 3, (int64_t)to->offset);
	return rows_run_for(r, s, id);
}

int rows_move(struct rows *r, const struct id *id, const struct place *to)
{
	int rc = move(r, Q_MOVE, id, to);
	if (rc < 0 || sqlite3_changes(r->db) > 0)
		return rc;
	return move(r, Q_MOVE_DEAD, id, to);
}

int rows_bodies(struct rows *r, struct id *after, struct id *ids,
    struct place *places, int max)
{
	sqlite3_stmt *q = r->q[Q_BODIES];
	int n = 0, rc;
	sqlite_bind_id(q, 1, after);
	sqlite_bind_int(q, 2, max);
	while ((rc = sqlite_next(q)) > 0 && n < max) {
		rows_take_place(q, &places[n]);
		rc = sqlite_column_id(q, 5, &ids[n]);
		if (rc < 0)
			break;
		n++;
	}
	(void)sqlite3_reset(q);
	if (rc < 0)
		return rc;
	if (n > 0)
		*after = ids[n - 1];
	return n;
}

static int forget(struct rows *r, const struct id *id)
{
	int rc = 0;
	for (int i = Q_PURGE_ATTEMPTS; rc == 0 && i <= Q_PURGE_MESSAGE; i++) {
		sqlite_bind_id(r->q[i], 1, id);
		rc = sqlite_run(r->q[i]);
	}
	return rc;
}

int rows_drop(struct rows *r, const struct id *id)
{
	sqlite_bind_id(r->q[Q_RELEASE_BODY], 1, id);
	int rc = sqlite_run(r->q[Q_RELEASE_BODY]);
	return rc == 0 ? forget(r, id) : rc;
}

/* The smallest id made at that time. */
static struct id id_at(int64_t wall_ms)
{
	struct id id = { { 0 } };
	uint64_t ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
	for (int i = 5; i >= 0; i--, ms >>= 8)
		id.bytes[i] = (uint8_t)(ms & 0xff);
	return id;
}

/*
 * The rows found are forgotten while the statement still walks: SQLite
 * permits it for the row it stands on and those before.
 */
int rows_purge(struct rows *r, struct id *after, int64_t cutoff_ms, int max)
{
	sqlite3_stmt *q = r->q[Q_PURGEABLE];
	struct id from = *after, last = id_at(cutoff_ms);
	int n = 0, rc;
	sqlite_bind_id(q, 1, &from);
	sqlite_bind_id(q, 2, &last);
	sqlite_bind_int(q, 3, cutoff_ms);
	sqlite_bind_int(q, 4, max);
	while ((rc = sqlite_next(q)) > 0) {
		rc = sqlite_column_id(q, 0, after);
		if (rc == 0 && sqlite3_column_int(q, 1))
			rc = forget(r, after);
		if (rc < 0)
			break;
		n++;
	}
	(void)sqlite3_reset(q);
	return rc < 0 ? rc : n;
}

int rows_each_guard(struct rows *r, int64_t from_ms, int max,
    void (*each)(uint64_t guard, const struct id *id, void *ctx), void *ctx)
{
	sqlite3_stmt *q = r->q[Q_GUARDS];
	struct id from = id_at(from_ms), id;
	int rc;
	sqlite_bind_id(q, 1, &from);
	sqlite_bind_int(q, 2, max);
	while ((rc = sqlite_next(q)) > 0) {
		rc = sqlite_column_id(q, 1, &id);
		if (rc < 0)
			break;
		each((uint64_t)sqlite3_column_int64(q, 0), &id, ctx);
	}
	(void)sqlite3_reset(q);
	return rc;
}

int rows_purge_quota(struct rows *r, int64_t before_day)
{
	sqlite_bind_int(r->q[Q_PURGE_QUOTA], 1, before_day);
	return sqlite_run(r->q[Q_PURGE_QUOTA]);
}

int rows_purge_spent(struct rows *r, int64_t before_day)
{
	sqlite_bind_int(r->q[Q_PURGE_SPENT], 1, before_day);
	return sqlite_run(r->q[Q_PURGE_SPENT]);
}

int rows_wal_pages(const struct rows *r)
{
	return r->wal_pages;
}

int rows_checkpoint(struct rows *r)
{
	r->wal_pages = 0;
	int rc = sqlite3_wal_checkpoint_v2(
	    r->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	/* A reader in the way: the next one carries on. */
	return rc == SQLITE_BUSY ? 0 : sqlite_errno(r->db, rc);
}

int rows_renew_log(struct rows *r)
{
	int rc =
	    sqlite_errno(r->db, sqlite3_wal_checkpoint_v2(r->db, NULL,
				    SQLITE_CHECKPOINT_RESTART, NULL, NULL));
	/* The next one that writes does it. */
	return rc == 0 ? schema_mark(r->db) : rc;
}
