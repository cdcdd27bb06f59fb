/* See inspect.h. */
#include <store/disk.h>
#include <store/segment_internal.h>
#include <store/wal.h>

#include <base/clock.h>
#include <base/jumps.h>
#include <base/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A check reads it all, 4 ms per MB when cached: too long for old history. */
#define CHECK_MAX (UINT64_C(64) * 1024 * 1024)

static void warn(struct disk *d, const char *what, const char *hint)
{
	log_warn("store_suspicious", LOG_STR("path", d->path),
	    LOG_STR("what", what), LOG_STR("hint", hint));
}

static const struct kind {
	uint32_t magic; /* linux/magic.h and others */
	const char *name;
	bool is_memory;
} kinds[] = {
	{ 0x01021994, "tmpfs", true },
	{ 0x858458f6, "ramfs", true },
	{ 0x6969, "NFS", false },
	{ 0x794c7630, "overlayfs", false },
	{ 0x65735546, "FUSE", false },
	{ 0xff534d42, "CIFS", false },
	{ 0xfe534d42, "SMB", false },
};

static const struct kind *find_kind(struct disk *d)
{
	uint32_t magic;
	if (d->io->kind(d->dir, &magic) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].magic == magic)
			return &kinds[i];
	return NULL;
}

int inspect_place(struct disk *d, struct err *e)
{
	const struct kind *kind = find_kind(d);
	if (kind && kind->is_memory && !d->settings.may_be_lost)
		return err_set(e, -EINVAL,
		    "store: %s is in memory (%s), which a restart of the "
		    "machine forgets: use a directory on a disk, or say with "
		    "spool.durability: none that mail may be lost",
		    d->path, kind->name);
	if (kind && !kind->is_memory)
		log_warn("spool_place", LOG_STR("path", d->path),
		    LOG_STR("on", kind->name),
		    LOG_STR("hint", "no local disk: make sure that what is "
				    "synced there survives, and is locked"));
	return 0;
}

void inspect_lock(struct disk *d)
{
	char c = '\0';
	(void)d->io->pread(d->lock, &c, 1, 0);
	d->inspect.was_killed = c >= '0' && c <= '9';
	d->inspect.was_failed = c == 'f';
}

/* For the next start and for people: nothing fails when this does. */
static void mark(struct disk *d, const char *text)
{
	char line[16];
	int len = snprintf(line, sizeof(line), "%-10s\n", text);
	struct iovec iov = { .iov_base = line, .iov_len = (size_t)len };
	if (store_io_write(d->io, d->lock, &iov, 1, 0) == 0)
		(void)d->io->fdatasync(d->lock);
}

void inspect_begin(struct disk *d)
{
	char pid[12];
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	mark(d, pid);
	d->inspect.is_in_use = true;
}

void inspect_end(struct disk *d)
{
	if (d->inspect.is_in_use)
		mark(d, disk_is_failed(d) ? "failed" : "closed");
}

/* An enum wal_state, or a negative errno. */
static int look_at_log(struct disk *d)
{
	int fd = d->io->open(d->dir, "store.db-wal", O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? WAL_EMPTY : fd;
	int state = wal_look(d->io, fd);
	(void)d->io->close(fd);
	return state;
}

void inspect_clock(struct disk *d)
{
	static const char *const names[] = { "lock", "store.db-wal" };
	struct stat st;
	time_t latest = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (d->io->stat(d->dir, names[i], &st) == 0 &&
		    st.st_mtim.tv_sec > latest)
			latest = st.st_mtim.tv_sec;
	jumps_saw((int64_t)latest * 1000);
}

/* While the store is in use the log is never empty (schema_prepare). */
void inspect_log(struct disk *d)
{
	struct stat st;
	if (d->io->stat(d->dir, "store.db", &st) < 0)
		return;
	int state = look_at_log(d);
	if (state == WAL_EMPTY && d->inspect.was_killed)
		warn(d, "store.db-wal is missing or empty after a kill",
		    "what was stored last is not known any more: stop, and "
		    "put it back from where it went");
	else if (state == WAL_DAMAGED)
		warn(d, "store.db-wal is damaged",
		    "what was stored after the damage is not known any more: "
		    "compare with a backup; bodies/ holds the messages");
	d->inspect.is_log_torn = state >= WAL_TORN;
}

/*
 * Nothing is lost by it. The commands are complete; 1 is a warning. A path may
 * have spaces, and double quotes would be escaped in the log.
 */
static int refuse(struct disk *d, const char *why, int rc, struct err *e)
{
	return err_set(e, rc,
	    "store: store.db is damaged (%.60s); to go on with all that can be "
	    "read: (IFS=; S='%.256s'; postern salvage $S $S.new; "
	    "[ $? -lt 2 ] && mv $S $S.damaged && mv $S.new $S)",
	    why, d->path);
}

static int settle_log(struct disk *d)
{
	int fd = d->io->open(d->dir, "store.db-wal", O_RDWR);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int rc = wal_rewrite(d->io, fd);
	(void)d->io->close(fd);
	return rc;
}

int inspect_settle_log(struct disk *d, struct err *e)
{
	if (!d->inspect.was_killed && !d->inspect.was_failed)
		return 0;
	int rc = settle_log(d);
	if (store_io_errno(rc) == -ENOSPC) {
		disk_drop_reserve(d);
		rc = settle_log(d);
	}
	if (rc == 0)
		return 0;
	if (store_io_errno(rc) == -EIO)
		return refuse(d, "its log cannot be read or written", rc, e);
	if (store_io_errno(rc) != -ENOSPC)
		return err_errno(
		    e, rc, "store: cannot write %s/store.db-wal", d->path);
	/* On a full disk what is there can still be sent. */
	warn(d, "store.db-wal could not be written once more: no space",
	    "make room and start again: until then a power cut may take what "
	    "was stored last");
	return 0;
}

int inspect_renew_log(struct disk *d, struct err *e)
{
	if (!d->inspect.is_log_torn)
		return 0;
	int rc = rows_renew_log(d->rows);
	/* On a full disk what is there can still be sent. */
	if (rc == -ENOSPC || rc == -EBUSY) {
		warn(d, "store.db-wal could not be begun anew",
		    "make room, end what else reads it, and start again: until "
		    "then salvage may hold mail that it could be sure of");
		return 0;
	}
	return rc == 0
		   ? 0
		   : err_errno(e, rc,
			 "store: cannot begin %s/store.db-wal anew", d->path);
}

int inspect_failure(struct disk *d, sqlite3 *db, int rc, struct err *e)
{
	int code = sqlite3_errcode(db) & 0xff;
	if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
		return rc;
	return refuse(d, sqlite3_errstr(code), rc, e);
}

static int check(struct disk *d, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite_errno(
	    db, sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL));
	if (rc == 0)
		rc = sqlite_next(q);
	if (rc < 0) {
		err_set(e, rc, "store: cannot check %s/store.db: %s", d->path,
		    sqlite3_errmsg(db));
		rc = inspect_failure(d, db, rc, e);
	} else if (rc > 0) {
		struct span said = sqlite_column_span(q, 0);
		rc = span_eq(said, SPAN("ok"))
			 ? 0
			 : refuse(d, said.ptr ? said.ptr : "?", -EIO, e);
	}
	(void)sqlite3_finalize(q);
	return rc;
}

int inspect_database(struct disk *d, sqlite3 *db, struct err *e)
{
	struct stat st;
	if (!d->inspect.was_killed && !d->inspect.was_failed)
		return 0;
	if (d->io->stat(d->dir, "store.db", &st) < 0 ||
	    (uint64_t)st.st_size > CHECK_MAX)
		return 0;
	return check(d, db, e);
}

void inspect_rows(struct disk *d)
{
	if (d->inspect.nameless == 0)
		return;
	log_warn("store_suspicious", LOG_STR("path", d->path),
	    LOG_STR("what", "rows in store.db have damaged ids"),
	    LOG_NUM("rows", d->inspect.nameless),
	    LOG_STR("hint",
		"their messages are neither sent nor removed: stop, and "
		"see postern salvage"));
}

int inspect_bodies(struct disk *d, struct err *e)
{
	char name[48];
	if (!d->inspect.is_new || segments_count(d->segments) == 0)
		return 0;
	(void)snprintf(
	    name, sizeof(name), "bodies.lost-%lld", (long long)clock_wall_ms());
	int rc = d->io->rename(d->dir, "bodies", name);
	if (rc < 0)
		return err_errno(e, rc,
		    "store: cannot rename %s/bodies, which belongs to another "
		    "database",
		    d->path);
	log_warn("store_suspicious", LOG_STR("path", d->path),
	    LOG_STR("what", "store.db is new, but bodies/ was not empty"),
	    LOG_STR("moved_to", name),
	    LOG_STR("hint",
		"the database was lost: look for it; for the texts of mail, "
		"make a directory with these files as its bodies/, and see "
		"postern salvage"));
	return 1;
}

/* The file that bodies are made sure of in. */
struct sure {
	struct disk *d;
	int fd; /* -1: none */
	uint32_t segment;
};

/* What was written to it is on the disk. */
static int finish_sure(struct sure *s)
{
	const struct store_io *io = s->d->io;
	int rc = 0;
	if (s->fd >= 0) {
		rc = io->fdatasync(s->fd);
		(void)io->close(s->fd);
	}
	s->fd = -1;
	return rc;
}

/*
 * That it can be read says nothing of the disk: written once more, it is there
 * after the next sync, also when an earlier one has failed. A batch has pages
 * of its own, so that this touches no other one's bytes.
 */
static int make_sure(struct sure *s, const struct place *p, char *bytes)
{
	struct iovec iov = { bytes, (size_t)p->size };
	char name[SEGMENT_NAME_SIZE];
	if (s->fd < 0 || s->segment != p->segment) {
		int rc = finish_sure(s);
		if (rc < 0)
			return rc;
		segment_format_name(p->segment, name);
		s->fd = s->d->io->open(s->d->bodies, name, O_WRONLY);
		s->segment = p->segment;
	}
	return s->fd < 0 ? s->fd
			 : store_io_write(s->d->io, s->fd, &iov, 1, p->offset);
}

/* Its folder was synced before its row: somebody has removed it. */
static bool is_lost(const struct disk *d, const struct place *p)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;
	segment_format_name(p->segment, name);
	return d->io->stat(d->bodies, name, &st) == -ENOENT;
}

/*
 * 1 when it is on its way to the disk, or damage that is told of when it is
 * met; 0 when it is not what was accepted; or a negative errno.
 */
static int check_body(struct sure *s, const struct place *p)
{
	if (p->header_size > p->size || p->size > UINT32_MAX)
		return 0;
	if (is_lost(s->d, p))
		return 1;
	char *bytes = malloc(p->size ? (size_t)p->size : 1);
	if (!bytes)
		return -ENOMEM;
	int rc = segment_read(
	    s->d->io, s->d->bodies, p, bytes, bytes + p->header_size);
	bool is_good = rc == 0;
	if (is_good)
		rc = make_sure(s, p, bytes);
	free(bytes);
	if (is_good)
		return rc < 0 ? rc : 1;
	return rc == -EBADMSG ? 0 : 1;
}

static int check_accept(struct sure *s, const struct id *id)
{
	char text[ID_TEXT_SIZE];
	struct place p;
	int rc = rows_place(s->d->rows, id, &p);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = check_body(s, &p);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	id_format(*id, text);
	log_warn("accept_undone", LOG_STR("queue_id", text),
	    LOG_STR("reason", "the end came before it was stored"));
	return rows_drop(s->d->rows, id);
}

static int drop_unsure(struct disk *d)
{
	struct id ids[DISK_BATCH_MAX];
	struct sure s = { .d = d, .fd = -1 };
	int n = rows_unsure(d->rows, ids, DISK_BATCH_MAX);
	int rc = n;
	if (n <= 0 || (rc = rows_begin(d->rows)) < 0)
		return rc;
	for (int i = 0; rc == 0 && i < n; i++)
		rc = check_accept(&s, &ids[i]);
	int synced = finish_sure(&s);
	if (rc == 0)
		rc = synced;
	if (rc == 0)
		rc = rows_set_unsure(d->rows, NULL, 0);
	if (rc == 0)
		rc = rows_commit(d->rows);
	if (rc < 0)
		rows_rollback(d->rows);
	return rc;
}

int inspect_unsure(struct disk *d, struct err *e)
{
	int rc = drop_unsure(d);
	/* On a full disk what is there can still be sent. */
	if (rc >= 0 || rc == -ENOSPC)
		return 0;
	return err_errno(
	    e, rc, "store: cannot check the last messages in %s", d->path);
}
