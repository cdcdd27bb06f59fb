/* See spoil.h. */
#include "spoil.h"

#include <base/clock.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct spoil spoil;

void spoil_set(struct id id, enum store_state state)
{
	struct store_attempt a = { .at_ms = clock_wall_ms(),
		.provider = "fake",
		.result =
		    state == STORE_SENT ? POSTERN_ACCEPTED : POSTERN_REJECTED };
	struct store_recipient to = { .state = state, .provider = "fake" };
	struct store_update u = { .id = id,
		.attempts = &a,
		.attempt_count = state == STORE_SENT || state == STORE_FAILED,
		.indices = &(size_t){ 0 },
		.recipients = &to,
		.recipient_count = 1 };
	ck_assert_int_eq(fix_update(&spoil.f, &u), 0);
}

static void add(unsigned i)
{
	struct spoil_told *t = &spoil.told[i];
	static const enum store_state states[] = { STORE_PENDING, STORE_SENT,
		STORE_HELD, STORE_PENDING, STORE_FAILED, STORE_STARTED };
	t->state = states[i % 6];
	t->is_spooled = i % 20 == 12;
	t->id = t->is_spooled ? fix_add_spooled(&spoil.f, i, SPOIL_SIZE, NULL)
			      : fix_add(&spoil.f, i, SPOIL_SIZE, NULL);
	if (t->state != STORE_PENDING)
		spoil_set(t->id, t->state);
}

void spoil_fill(unsigned count)
{
	fix_init(&spoil.f, STORE_SQLITE);
	spoil.f.settings.dead_ms = 3600 * 1000;
	spoil.f.settings.dead_bytes = 1 << 30;
	fix_open(&spoil.f, NULL);
	spoil.count = count;
	for (unsigned i = 0; i < count; i++)
		add(i);
	(void)snprintf(
	    spoil.damaged, sizeof(spoil.damaged), "%s/damaged", spoil.f.dir);
}

static void shell(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

void spoil_copy(const char *from, const char *to)
{
	char command[300];
	(void)snprintf(command, sizeof(command),
	    "cp -r --sparse=always '%s' '%s'", from, to);
	shell(command);
}

void spoil_drop(const char *path)
{
	char command[200];
	(void)snprintf(command, sizeof(command), "rm -r '%s'", path);
	shell(command);
}

void spoil_end_killed(void)
{
	spoil_copy(spoil.f.path, spoil.damaged);
	fix_close(&spoil.f);
	spoil_drop(spoil.f.path);
}

void spoil_end_closed(void)
{
	fix_close(&spoil.f);
	ck_assert_int_eq(rename(spoil.f.path, spoil.damaged), 0);
}

void spoil_name(char out[200], const char *file)
{
	(void)snprintf(out, 200, "%s/%s", spoil.damaged, file);
}

off_t spoil_size_of(const char *file)
{
	char path[200];
	struct stat st;
	spoil_name(path, file);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

void spoil_overwrite(const char *file, off_t at, const void *bytes, size_t n)
{
	char path[200];
	spoil_name(path, file);
	int fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	(void)close(fd);
}

void spoil_salvage(void)
{
	struct err e = { 0 };
	int rc = salvage_run(spoil.damaged, spoil.f.path, &spoil.report, &e);
	ck_assert_msg(rc == 0, "%s", e.text);
	fix_open(&spoil.f, NULL);
	ck_assert_int_eq(store_check(spoil.f.store), 0);
}

void spoil_drop_new(void)
{
	fix_close(&spoil.f);
	spoil_drop(spoil.f.path);
}

void spoil_sql(const char *text, bool is_log_kept)
{
	char path[200];
	sqlite3 *db;
	spoil_name(path, "store.db");
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	(void)sqlite3_db_config(
	    db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)is_log_kept, NULL);
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static struct {
	dev_t dev;
	ino_t ino;
	off_t from, to; /* the same: there is none */
	unsigned good;  /* so many reads go well first */
} sector;

ssize_t __real_pread(int fd, void *out, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *out, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *out, size_t len, off_t at)
{
	struct stat st;
	bool is_bad = at < sector.to && at + (off_t)len > sector.from &&
		      fstat(fd, &st) == 0 && st.st_dev == sector.dev &&
		      st.st_ino == sector.ino;
	if (!is_bad || (sector.good > 0 && sector.good--))
		return __real_pread(fd, out, len, at);
	errno = EIO;
	return -1;
}

void spoil_sector(const char *file, off_t at, unsigned good)
{
	char path[200];
	struct stat st;
	spoil_name(path, file);
	ck_assert_int_eq(stat(path, &st), 0);
	sector.dev = st.st_dev;
	sector.ino = st.st_ino;
	sector.from = at / SPOIL_PAGE * SPOIL_PAGE;
	sector.to = sector.from + SPOIL_PAGE;
	sector.good = good;
}
