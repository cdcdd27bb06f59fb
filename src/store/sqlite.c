/* Help around SQLite's C interface. */
#include <store/sqlite.h>

#include <errno.h>
#include <pthread.h>

enum {
	/* Our two connections meet only at the end of a WAL's recovery. */
	BUSY_MS = 10000
};

int sqlite_errno(sqlite3 *db, int rc)
{
	int os = 0;
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CANTOPEN:
		os = sqlite3_system_errno(db);
		return os == EMFILE || os == ENFILE ? -ENOMEM : -EIO;
	case SQLITE_IOERR:
		os = sqlite3_system_errno(db);
		if (rc == SQLITE_IOERR_NOMEM)
			return -ENOMEM;
		/* A sync that found no space has lost data like any other. */
		if (rc != SQLITE_IOERR_FSYNC && rc != SQLITE_IOERR_DIR_FSYNC &&
		    (os == ENOSPC || os == EDQUOT))
			return -ENOSPC;
		return -EIO;
	default:
		return -EIO;
	}
}

/*
 * Counting every allocation of the process under one lock is of use to
 * nobody here. Has no effect, and needs none, once SQLite is in use.
 */
static void configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int connect_failed(sqlite3 *db, int rc, const char *path, struct err *e)
{
	int code = db ? sqlite_errno(db, rc) : -ENOMEM;
	err_set(e, code, "store: cannot open %s: %s", path,
	    db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	(void)sqlite3_close(db);
	return code;
}

int sqlite_connect(
    const char *path, const char *vfs, sqlite3 **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, configure);
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	    vfs);
	if (rc != SQLITE_OK)
		return connect_failed(db, rc, path, e);
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	*out = db;
	return 0;
}

void sqlite_set_tidy(sqlite3 *db, bool is_tidy)
{
	(void)sqlite3_db_config(
	    db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)!is_tidy, NULL);
}

int sqlite_exec(sqlite3 *db, const char *sql)
{
	return sqlite_errno(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int sqlite_exec_int(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite_errno(db, sqlite3_prepare_v2(db, sql, -1, &q, NULL));
	if (rc < 0)
		return rc;
	rc = sqlite_next(q);
	if (rc > 0)
		*out = sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	return rc < 0 ? rc : rc == 0 ? -EIO : 0;
}

int sqlite_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **out,
    size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int rc = sqlite3_prepare_v3(
		    db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i], NULL);
		if (rc != SQLITE_OK) {
			sqlite_finalize(out, i);
			return err_set(e, sqlite_errno(db, rc),
			    "store: cannot prepare a statement: %s",
			    sqlite3_errmsg(db));
		}
	}
	return 0;
}

void sqlite_finalize(sqlite3_stmt **q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)sqlite3_finalize(q[i]);
		q[i] = NULL;
	}
}

int sqlite_run(sqlite3_stmt *q)
{
	int rc;
	do
		rc = sqlite_next(q);
	while (rc > 0);
	return rc;
}

int sqlite_next(sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		return 1;
	int code = sqlite_errno(sqlite3_db_handle(q), rc);
	(void)sqlite3_reset(q);
	return code;
}

void sqlite_bind_int(sqlite3_stmt *q, int i, int64_t v)
{
	(void)sqlite3_bind_int64(q, i, v);
}

void sqlite_bind_span(sqlite3_stmt *q, int i, struct span s)
{
	(void)sqlite3_bind_text64(
	    q, i, s.len ? s.ptr : "", s.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_id(sqlite3_stmt *q, int i, const struct id *id)
{
	(void)sqlite3_bind_blob64(
	    q, i, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
}

struct span sqlite_column_span(sqlite3_stmt *q, int i)
{
	const void *p = sqlite3_column_text(q, i);
	return span_make(p, p ? (size_t)sqlite3_column_bytes(q, i) : 0);
}

int sqlite_column_id(sqlite3_stmt *q, int i, struct id *out)
{
	const void *p = sqlite3_column_blob(q, i);
	if (!p || sqlite3_column_bytes(q, i) != (int)sizeof(out->bytes))
		return -EIO;
	memcpy(out->bytes, p, sizeof(out->bytes));
	return 0;
}
