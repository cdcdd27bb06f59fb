/*
 * See salvage.h. The new database has another name until it is complete, so
 * that what was broken off is no spool.
 */
#include <store/salvage_bodies.h>
#include <store/salvage_rows.h>

#include <store/schema.h>

#include <base/clock.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUILD_NAME "salvage.db"

enum {
	PATH_SIZE = 4096
};

struct salvage {
	const struct store_io *io;
	const char *from_path, *to_path;
	char db_path[PATH_SIZE];
	int from, to, lock; /* -1: not open */
	bool was_killed;
	bool is_other; /* root became whose spool it is */
	struct salvage_report *report;
	struct salvage_pages *pages;
	struct salvage_reader *reader;
	struct salvage_rows *rows;
	sqlite3 *db;
	uint8_t *owners;         /* enum salvage_owner, by page */
	enum salvage_trust pass; /* the rows that are taken now */
	bool has_doubtful;
};

/* --- the old spool --- */

/* A server that runs would change it meanwhile. */
static int take_lock(struct salvage *s, struct err *e)
{
	char c = '\0';
	/* Unless it says how it ended. */
	s->was_killed = true;
	s->lock = s->io->open(s->from, "lock", O_RDONLY);
	if (s->lock == -ENOENT)
		return 0;
	if (s->lock < 0)
		return err_errno(
		    e, s->lock, "cannot open %s/lock", s->from_path);
	int rc = s->io->lock(s->lock);
	if (rc == -EWOULDBLOCK)
		return err_set(e, -EBUSY, "%s is in use: stop the server first",
		    s->from_path);
	if (rc < 0)
		return err_errno(e, rc, "cannot lock %s/lock", s->from_path);
	(void)s->io->pread(s->lock, &c, 1, 0);
	s->was_killed = c != 'c' && c != 'f';
	return 0;
}

static int check_format(struct salvage *s, struct err *e)
{
	uint32_t version;
	if (salvage_pages_format(s->pages, &version) != SCHEMA_NEWER)
		return 0;
	return err_set(e, -ENOTSUP,
	    "%s/store.db was written by a newer version: use that one",
	    s->from_path);
}

static int open_from(struct salvage *s, struct err *e)
{
	s->from = s->io->open(AT_FDCWD, s->from_path, O_RDONLY | O_DIRECTORY);
	if (s->from < 0)
		return err_errno(e, s->from, "cannot open %s", s->from_path);
	int rc = take_lock(s, e);
	if (rc == 0)
		rc = salvage_pages_open(
		    s->io, s->from, s->was_killed, &s->pages, e);
	if (rc == 0)
		rc = check_format(s, e);
	if (rc < 0)
		return rc;
	s->report->pages = salvage_pages_count(s->pages);
	s->report->doubt =
	    s->report->pages ? salvage_pages_doubt(s->pages) : NULL;
	s->reader = salvage_reader_new(s->pages);
	s->owners = calloc((size_t)s->report->pages + 1, 1);
	if (s->reader && s->owners)
		return 0;
	(void)err_set(e, -ENOMEM, "out of memory");
	return -ENOMEM;
}

/* --- the new one --- */

static int check_empty(struct salvage *s, struct err *e)
{
	int fd = s->io->open(s->to, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool is_empty = true;
	if (!d)
		return err_errno(
		    e, fd < 0 ? fd : -errno, "cannot read %s", s->to_path);
	while ((entry = readdir(d)))
		is_empty = is_empty && (strcmp(entry->d_name, ".") == 0 ||
					   strcmp(entry->d_name, "..") == 0);
	(void)closedir(d);
	return is_empty
		   ? 0
		   : err_set(e, -ENOTEMPTY,
			 "%s is not empty: give a new directory", s->to_path);
}

/* What root makes belongs to whom the old spool belongs to. */
static int become_owner(struct salvage *s, struct err *e)
{
	struct stat st;
	int rc = s->io->stat(s->from, "", &st);
	if (rc == 0 && geteuid() == 0 && st.st_uid != 0) {
		if (fchown(s->to, st.st_uid, st.st_gid) != 0 ||
		    setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
			rc = -errno;
		s->is_other = rc == 0;
	}
	return rc < 0 ? err_errno(e, rc, "cannot make %s what %s is",
			    s->to_path, s->from_path)
		      : 0;
}

static int open_to(struct salvage *s, struct err *e)
{
	char path[PATH_SIZE];
	bool is_new;
	int made = s->io->mkdir(s->to_path);
	if (made < 0 && made != -EEXIST)
		return err_errno(e, made, "cannot create %s", s->to_path);
	s->to = s->io->open(AT_FDCWD, s->to_path, O_RDONLY | O_DIRECTORY);
	if (s->to < 0)
		return err_errno(e, s->to, "cannot open %s", s->to_path);
	int rc = check_empty(s, e);
	if (rc == 0)
		rc = become_owner(s, e);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/bodies", s->to_path);
	rc = s->io->mkdir(path);
	/* SQLite would make it readable for all. */
	int fd = rc < 0 ? rc : s->io->open(s->to, BUILD_NAME, O_RDWR | O_CREAT);
	if (fd < 0)
		return err_errno(e, fd, "cannot make files in %s", s->to_path);
	(void)s->io->close(fd);
	(void)snprintf(
	    s->db_path, sizeof(s->db_path), "%s/" BUILD_NAME, s->to_path);
	rc = sqlite_connect(s->db_path, s->io->vfs, &s->db, e);
	if (rc == 0)
		rc = schema_prepare(s->db, s->db_path, &is_new, e);
	return rc == 0 ? salvage_rows_open(s->db, &s->rows, e) : rc;
}

/* --- rows --- */

struct tree {
	struct salvage *s;
	enum salvage_owner owner;
	unsigned depth;
};

static int claim(uint32_t page, void *ctx)
{
	struct tree *t = ctx;
	/* No tree of these has more than a few levels. */
	if (page > t->s->report->pages || t->depth > 8)
		return -EBADMSG;
	t->s->owners[page] = (uint8_t)t->owner;
	t->depth++;
	int rc = salvage_each_child(t->s->reader, page, claim, t);
	t->depth--;
	return rc;
}

/* Two tables have rows of the same shape: the list of tables tells. */
static void claim_counts(struct salvage *s)
{
	static const char *const names[] = {
		[SALVAGE_QUOTA] = "quota", [SALVAGE_SPENT] = "spent"
	};
	uint32_t version;
	enum schema_format format = salvage_pages_format(s->pages, &version);
	bool is_old = format == SCHEMA_KNOWN && version < SCHEMA_WITH_SPENT;
	if (!s->owners)
		return;
	for (enum salvage_owner o = SALVAGE_QUOTA; o <= SALVAGE_SPENT; o++) {
		struct tree t = { .s = s, .owner = o };
		if (o == SALVAGE_SPENT && is_old)
			continue;
		uint32_t root = s->report->pages
				    ? salvage_find_root(s->reader, names[o])
				    : 0;
		if (root == 0 || claim(root, &t) < 0)
			s->report->are_counts_lost = true;
	}
}

/* The list of tables, and of messages that are made sure of, are not wanted. */
static int on_record(const struct salvage_record *r, void *ctx)
{
	struct salvage *s = ctx;
	if (r->has_rowid)
		return 0;
	if (r->trust != s->pass) {
		s->has_doubtful = true;
		return 0;
	}
	return salvage_rows_take(
	    s->rows, r, (enum salvage_owner)s->owners[r->page]);
}

static int read_pass(struct salvage *s, enum salvage_trust trust)
{
	uint32_t torn = 0;
	int rc = 0;
	s->pass = trust;
	for (uint32_t i = 1; rc == 0 && i <= s->report->pages; i++) {
		rc = salvage_each_record(s->reader, i, on_record, s);
		torn += rc == -EBADMSG;
		if (rc == -EBADMSG)
			rc = 0;
	}
	s->report->torn_pages = torn;
	return rc;
}

static int read_rows(struct salvage *s)
{
	int rc = sqlite_exec(s->db, "BEGIN");
	if (rc == 0)
		rc = read_pass(s, SALVAGE_SURE);
	if (rc == 0 && s->has_doubtful)
		rc = read_pass(s, SALVAGE_DOUBT);
	s->report->damaged_pages = salvage_pages_unseen(s->pages);
	return rc == 0
		   ? salvage_rows_settle(s->rows, clock_wall_ms(), s->report)
		   : rc;
}

/* --- the end --- */

static int check_result(struct salvage *s)
{
	sqlite3_stmt *q = NULL;
	int rc =
	    sqlite_errno(s->db, sqlite3_prepare_v2(s->db,
				    "PRAGMA integrity_check(1)", -1, &q, NULL));
	if (rc == 0)
		rc = sqlite_next(q);
	if (rc > 0 && !span_eq(sqlite_column_span(q, 0), SPAN("ok")))
		rc = -EIO;
	(void)sqlite3_finalize(q);
	return rc < 0 ? rc : 0;
}

static int close_database(struct salvage *s)
{
	salvage_rows_close(s->rows);
	s->rows = NULL;
	int rc =
	    sqlite_errno(s->db, sqlite3_wal_checkpoint_v2(s->db, NULL,
				    SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	if (rc == 0)
		rc = check_result(s);
	int closed = sqlite3_close(s->db);
	s->db = NULL;
	return rc < 0 ? rc : closed == SQLITE_OK ? 0 : -EIO;
}

static int finish(struct salvage *s, struct err *e)
{
	int rc = salvage_rows_finish(s->rows, s->report);
	if (rc == 0)
		rc = sqlite_exec(s->db, "COMMIT");
	if (rc == 0)
		rc = close_database(s);
	if (rc == 0)
		rc = s->io->rename(s->to, BUILD_NAME, "store.db");
	if (rc == 0)
		rc = s->io->fsync(s->to);
	return rc < 0 ? err_errno(e, rc, "cannot finish %s", s->to_path) : 0;
}

static int run(struct salvage *s, struct err *e)
{
	int rc = open_from(s, e);
	if (rc == 0)
		rc = open_to(s, e);
	if (rc < 0)
		return rc;
	claim_counts(s);
	rc = read_rows(s);
	if (rc < 0)
		return err_set(e, rc, "cannot store rows in %s: %s", s->to_path,
		    sqlite3_errmsg(s->db));
	struct salvage_place place = { .io = s->io,
		.db = s->db,
		.from = s->from,
		.to = s->to,
		.to_path = s->to_path };
	rc = salvage_bodies(&place, s->report, e);
	return rc == 0 ? finish(s, e) : rc;
}

int salvage_run(const char *from, const char *to, struct salvage_report *report,
    struct err *e)
{
	struct salvage s = { .io = &store_io_system,
		.from_path = from,
		.to_path = to,
		.from = -1,
		.to = -1,
		.lock = -1,
		.report = report };
	*report = (struct salvage_report){ .pages = 0 };
	if (strlen(from) > PATH_SIZE - 32 || strlen(to) > PATH_SIZE - 32)
		return err_set(e, -ENAMETOOLONG, "the path is too long");
	int rc = run(&s, e);
	if (s.is_other && (seteuid(0) != 0 || setegid(0) != 0) && rc == 0)
		rc = err_errno(e, -errno, "cannot be root again");
	salvage_rows_close(s.rows);
	(void)sqlite3_close(s.db);
	salvage_reader_free(s.reader);
	salvage_pages_close(s.pages);
	free(s.owners);
	if (s.lock >= 0)
		(void)s.io->close(s.lock);
	if (s.to >= 0)
		(void)s.io->close(s.to);
	if (s.from >= 0)
		(void)s.io->close(s.from);
	return rc;
}

bool salvage_is_complete(const struct salvage_report *r)
{
	return r->pages > 0 && r->damaged_pages == 0 && !r->doubt &&
	       r->torn_pages == 0 && r->without_body == 0 && r->held == 0 &&
	       r->unreadable == 0 && r->strangers == 0 && r->files == 0 &&
	       !r->are_counts_lost;
}
