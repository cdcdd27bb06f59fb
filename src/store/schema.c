/*
 * Tables. Every key starts with the message's id, which begins with the time
 * it was made: inserts append to each tree, and what belongs to one message
 * lies together. body holds one row per message that somebody still has to
 * work on, so that a start finds them without a look at history; dead one per
 * message that failed and has its body yet.
 *
 * recipient.at_ms: when PENDING the due time, when final the time it became
 * so (from which history is counted). recipient.pinned and message.flags:
 * SCHEMA_* flags. message.guard: what is the same for a message that is sent
 * again. message.content, ret and recipient.notify: the numbers of
 * mail/envelope.h. message.release_ms: not delivered before. body.priority is
 * that of the message, where a start looks.
 */
#include <store/schema.h>

#include <errno.h>
#include <stdio.h>

enum {
	APPLICATION_ID = 0x506f7374 /* "Post" */
};

static const char version_1[] = "CREATE TABLE message ("
				" id BLOB NOT NULL PRIMARY KEY,"
				" created_ms INTEGER NOT NULL,"
				" user TEXT NOT NULL,"
				" sender TEXT NOT NULL,"
				" size INTEGER NOT NULL,"
				" recipients INTEGER NOT NULL"
				") WITHOUT ROWID;"
				"CREATE TABLE recipient ("
				" message BLOB NOT NULL,"
				" n INTEGER NOT NULL,"
				" address TEXT NOT NULL,"
				" state INTEGER NOT NULL,"
				" attempts INTEGER NOT NULL,"
				" at_ms INTEGER NOT NULL,"
				" provider TEXT NOT NULL,"
				" pinned INTEGER NOT NULL,"
				" PRIMARY KEY (message, n)"
				") WITHOUT ROWID;"
				"CREATE TABLE body ("
				" message BLOB NOT NULL PRIMARY KEY,"
				" segment INTEGER NOT NULL,"
				" offset INTEGER NOT NULL,"
				" size INTEGER NOT NULL,"
				" header INTEGER NOT NULL,"
				" crc INTEGER NOT NULL"
				") WITHOUT ROWID;"
				"CREATE TABLE attempt ("
				" message BLOB NOT NULL,"
				" seq INTEGER NOT NULL,"
				" recipient INTEGER NOT NULL,"
				" at_ms INTEGER NOT NULL,"
				" provider TEXT NOT NULL,"
				" class INTEGER NOT NULL,"
				" status INTEGER NOT NULL,"
				" provider_id TEXT NOT NULL,"
				" reason TEXT NOT NULL,"
				" duration_ms INTEGER NOT NULL,"
				" PRIMARY KEY (message, seq)"
				") WITHOUT ROWID;"
				"CREATE TABLE quota ("
				" day INTEGER NOT NULL,"
				" user TEXT NOT NULL,"
				" messages INTEGER NOT NULL,"
				" PRIMARY KEY (day, user)"
				") WITHOUT ROWID;";

/*
 * What MAIL and RCPT may ask for. New columns stand at the end of their rows
 * and have defaults, so that no old row is rewritten.
 */
static const char version_2[] =
    "ALTER TABLE message ADD COLUMN content INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN ret INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN envid TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE message ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN release_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE body ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;";

/* What a refusal was about, for reports. */
static const char version_3[] =
    "ALTER TABLE attempt ADD COLUMN refusal INTEGER NOT NULL DEFAULT 0;";

/* For who looks for a message by what its client knows of it. */
static const char version_4[] =
    "ALTER TABLE message ADD COLUMN message_id TEXT NOT NULL DEFAULT '';";

/*
 * What the same mail has in common (guard.h), 0 for none. It has no index: its
 * values are as good as random, so each would cost an accept a page.
 */
static const char version_5[] =
    "ALTER TABLE message ADD COLUMN guard INTEGER NOT NULL DEFAULT 0;";

/* See rows_set_unsure: one row, their ids one after the other. */
static const char version_6[] = "CREATE TABLE unsure (messages BLOB NOT NULL);"
				"INSERT INTO unsure VALUES (x'');";

/*
 * No change of the tables: a flag of messages says that they are events, which
 * who does not know it would send as mail.
 */
static const char version_7[] = "";

/*
 * Bodies of messages that failed, kept for a while: apart from those that a
 * start looks at, in the order in which they are given up.
 */
static const char version_8[] = "CREATE TABLE dead ("
				" message BLOB NOT NULL PRIMARY KEY,"
				" segment INTEGER NOT NULL,"
				" offset INTEGER NOT NULL,"
				" size INTEGER NOT NULL,"
				" header INTEGER NOT NULL,"
				" crc INTEGER NOT NULL,"
				" priority INTEGER NOT NULL,"
				" died_ms INTEGER NOT NULL"
				") WITHOUT ROWID;"
				"CREATE INDEX dead_by_age ON dead (died_ms);";

/* What providers were handed, which they will want money for. */
static const char version_9[] = "CREATE TABLE spent ("
				" day INTEGER NOT NULL,"
				" provider TEXT NOT NULL,"
				" recipients INTEGER NOT NULL,"
				" PRIMARY KEY (day, provider)"
				") WITHOUT ROWID;";

/* migrations[v] leads from format v to v + 1; 0 is an empty file. */
static const char *const migrations[] = { version_1, version_2, version_3,
	version_4, version_5, version_6, version_7, version_8, version_9 };

enum {
	VERSION = sizeof(migrations) / sizeof(migrations[0]),
	VERSION_MAX = 1000
};

/*
 * Checkpoints are the writer's to start, after it has answered a batch, so
 * that no commit waits for one and no error of one goes unseen.
 */
static const char writer_settings[] = "PRAGMA synchronous = FULL;"
				      "PRAGMA wal_autocheckpoint = 0;"
				      "PRAGMA cache_size = -65536;"
				      "PRAGMA temp_store = MEMORY;";

static int fail(
    sqlite3 *db, int code, const char *what, const char *path, struct err *e)
{
	return err_set(e, code, "store: cannot %s in %s: %s", what, path,
	    sqlite3_errmsg(db));
}

/*
 * From format `from` to the present one, all or nothing. When it is the same
 * this leaves a mark in the log: see inspect_log.
 */
static int migrate(sqlite3 *db, size_t from)
{
	int rc = sqlite_exec(db, "BEGIN IMMEDIATE");
	if (rc < 0)
		return rc;
	for (size_t v = from; rc == 0 && v < VERSION; v++)
		rc = sqlite_exec(db, migrations[v]);
	char pragmas[128];
	(void)snprintf(pragmas, sizeof(pragmas),
	    "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	    APPLICATION_ID, VERSION);
	if (rc == 0)
		rc = sqlite_exec(db, pragmas);
	if (rc == 0)
		rc = sqlite_exec(db, "COMMIT");
	if (rc < 0 && !sqlite3_get_autocommit(db))
		(void)sqlite_exec(db, "ROLLBACK");
	return rc;
}

/* A file system without shared memory maps says no by another mode. */
static int set_wal(sqlite3 *db, const char *path, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite_errno(db,
	    sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &q, NULL));
	if (rc == 0)
		rc = sqlite_next(q);
	if (rc > 0 && !span_eq(sqlite_column_span(q, 0), SPAN("wal")))
		rc = -ENOTSUP;
	(void)sqlite3_finalize(q);
	return rc < 0 ? fail(db, rc, "use a write-ahead log", path, e) : 0;
}

static int check_version(
    sqlite3 *db, const char *path, int64_t *out, struct err *e)
{
	int64_t app = 0, version = 0;
	int rc = sqlite_exec_int(db, "PRAGMA application_id", &app);
	if (rc == 0)
		rc = sqlite_exec_int(db, "PRAGMA user_version", &version);
	if (rc < 0)
		return fail(db, rc, "read the format", path, e);
	enum schema_format format =
	    schema_format((uint32_t)app, (uint32_t)version);
	if (format == SCHEMA_FOREIGN)
		return err_set(e, -EINVAL,
		    "store: %s is not a database of Postern; if it was one, it "
		    "is damaged: see postern salvage",
		    path);
	if (format == SCHEMA_NEWER)
		return err_set(e, -ENOTSUP,
		    "store: %s was written by a newer version (format %lld, "
		    "this one knows up to %d): start the newer version, or "
		    "use another directory",
		    path, (long long)version, VERSION);
	*out = version;
	return 0;
}

int schema_mark(sqlite3 *db)
{
	return migrate(db, VERSION);
}

int schema_prepare(
    sqlite3 *db, const char *path, bool *out_is_new, struct err *e)
{
	int64_t version = 0;
	int rc = check_version(db, path, &version, e);
	if (rc < 0)
		return rc;
	rc = set_wal(db, path, e);
	if (rc < 0)
		return rc;
	rc = sqlite_exec(db, writer_settings);
	if (rc < 0)
		return fail(db, rc, "set the journal up", path, e);
	*out_is_new = version == 0;
	rc = migrate(db, (size_t)version);
	/* On a full disk what is there can still be sent. */
	if (rc == -ENOSPC && version == VERSION)
		return 0;
	return rc < 0 ? fail(db, rc, "make the tables", path, e) : 0;
}

enum schema_format schema_format(uint32_t application_id, uint32_t version)
{
	if (application_id == 0 && version == 0)
		return SCHEMA_KNOWN;
	/* No format that will ever be has so high a number. */
	if (application_id != APPLICATION_ID || version > VERSION_MAX)
		return SCHEMA_FOREIGN;
	return version <= VERSION ? SCHEMA_KNOWN : SCHEMA_NEWER;
}

/* Nor here a temporary file: there may be no folder it can be made in. */
int schema_prepare_reader(sqlite3 *db, struct err *e)
{
	int rc = sqlite_exec(db, "PRAGMA query_only = 1;"
				 "PRAGMA wal_autocheckpoint = 0;"
				 "PRAGMA cache_size = -8192;"
				 "PRAGMA temp_store = MEMORY;");
	return rc < 0 ? fail(db, rc, "prepare reading", "the database", e) : 0;
}
