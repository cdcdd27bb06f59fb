/* What is there after the store was closed, damaged, or long in use. */
#include "fault.h"
#include "fixture.h"

#include <base/clock.h>
#include <store/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COUNT = 40
};

static struct fix f;

static void sql(const char *text)
{
	char path[160];
	sqlite3 *db;
	(void)snprintf(path, sizeof(path), "%s/store.db", f.path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static int64_t sql_int(const char *text)
{
	char path[160];
	sqlite3 *db;
	sqlite3_stmt *q;
	(void)snprintf(path, sizeof(path), "%s/store.db", f.path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	int64_t v = sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return v;
}

static struct err open_error(void)
{
	struct err e = { 0 };
	ck_assert_ptr_null(store_open(&f.settings, &e));
	return e;
}

START_TEST(reopening_finds_exactly_what_was_stored)
{
	struct id ids[COUNT];
	struct store_stats stats;
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < COUNT; i++)
		ids[i] = fix_add(&f, i, 100 + 1000 * i, NULL);
	for (unsigned i = 0; i < COUNT; i += 2)
		ck_assert_int_eq(fix_set(&f, ids[i], STORE_SENT), 0);
	for (int round = 0; round < 3; round++) {
		fix_close(&f);
		fix_open(&f, NULL);
		ck_assert_uint_eq(fix_pending(&f), COUNT / 2);
		for (unsigned i = 0; i < COUNT; i++)
			ck_assert_int_eq(
			    fix_verify(&f, ids[i], i, 100 + 1000 * i),
			    i % 2 ? 0 : -ENOENT);
	}
	store_stats(f.store, &stats);
	ck_assert_uint_eq(stats.messages, COUNT / 2);
	ck_assert_uint_eq(fix_files(&f, "bodies"), 1);
	fix_finish(&f);
}
END_TEST

static int count_up_to_two(const struct store_pending *p, void *ctx)
{
	size_t *n = ctx;
	(void)p;
	return ++*n == 2 ? -ECANCELED : 0;
}

static int note_id(const struct store_pending *p, void *ctx)
{
	struct id **next = ctx;
	*(*next)++ = p->id;
	return 0;
}

START_TEST(a_walk_sees_what_was_there_when_it_began)
{
	struct id seen[8], ids[3], *next = seen;
	struct err e;
	size_t n = 0;
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < 3; i++)
		ids[i] = fix_add(&f, i, 100, NULL);
	struct store_walk *w = store_walk_begin(f.store, &e);
	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(fix_set(&f, ids[1], STORE_SENT), 0);
	(void)fix_add(&f, 3, 100, NULL);
	ck_assert_int_eq(store_walk(w, note_id, &next), 0);
	ck_assert_int_eq(next - seen, 3);
	/* Made in the same millisecond they may be in any order. */
	for (unsigned i = 0; i < 3; i++)
		n += id_eq(seen[i], ids[0]) || id_eq(seen[i], ids[1]) ||
		     id_eq(seen[i], ids[2]);
	ck_assert_uint_eq(n, 3);
	n = 0;
	ck_assert_int_eq(store_walk(w, count_up_to_two, &n), -ECANCELED);
	ck_assert_uint_eq(n, 2);
	store_walk_end(w);
	ck_assert_uint_eq(fix_pending(&f), 3);
	fix_finish(&f);
}
END_TEST

START_TEST(the_directory_is_nobody_elses)
{
	struct stat st;
	char path[160];
	static const char *const names[] = { "store.db", "store.db-wal", "lock",
		"reserve", "bodies/00000001.seg" };
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	(void)fix_add(&f, 1, 100, NULL);
	ck_assert_int_eq(stat(f.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f.path, names[i]);
		ck_assert_msg(stat(path, &st) == 0, "%s", path);
		ck_assert_uint_eq(st.st_mode & 07777, 0600);
	}
	fix_finish(&f);
}
END_TEST

START_TEST(a_second_process_is_refused)
{
	char pid[16];
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	struct err e = open_error();
	ck_assert_int_eq(e.code, -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.text, f.path));
	(void)snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	ck_assert_ptr_nonnull(strstr(e.text, pid));
	fix_close(&f);
	fix_open(&f, NULL);
	fix_finish(&f);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	fix_close(&f);
	sql("PRAGMA user_version = 99");
	struct err e = open_error();
	ck_assert_int_eq(e.code, -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(e.text, "newer version"));
	ck_assert_ptr_nonnull(strstr(e.text, f.path));
	fix_finish(&f);
}
END_TEST

/* Back to what format 1 was; the rows keep what it knew. */
static void make_format_1(void)
{
	sql("ALTER TABLE message DROP COLUMN content;"
	    "ALTER TABLE message DROP COLUMN flags;"
	    "ALTER TABLE message DROP COLUMN ret;"
	    "ALTER TABLE message DROP COLUMN envid;"
	    "ALTER TABLE message DROP COLUMN priority;"
	    "ALTER TABLE message DROP COLUMN release_ms;"
	    "ALTER TABLE message DROP COLUMN message_id;"
	    "ALTER TABLE message DROP COLUMN guard;"
	    "ALTER TABLE recipient DROP COLUMN notify;"
	    "ALTER TABLE recipient DROP COLUMN orcpt;"
	    "ALTER TABLE body DROP COLUMN priority;"
	    "ALTER TABLE attempt DROP COLUMN refusal;"
	    "DROP TABLE unsure;"
	    "DROP TABLE dead;"
	    "DROP TABLE spent;"
	    "PRAGMA user_version = 1");
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pragma_table_info('message')"), 6);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pragma_table_info('recipient')"), 8);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pragma_table_info('body')"), 6);
}

START_TEST(a_spool_of_the_first_format_is_taken_over)
{
	struct store_load l;
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	struct id open = fix_add(&f, 1, 500, NULL);
	struct id sent = fix_add(&f, 2, 500, NULL);
	ck_assert_int_eq(fix_set(&f, sent, STORE_SENT), 0);
	fix_close(&f);
	make_format_1();
	for (int round = 0; round < 2; round++) {
		fix_open(&f, NULL);
		ck_assert_int_eq(fix_verify(&f, open, 1, 500), 0);
		ck_assert_uint_eq(fix_pending(&f), 1);
		l = (struct store_load){ .id = sent };
		ck_assert_int_eq(fix_load(&f, &l), 0);
		ck_assert_int_eq(l.entry->recipients[0].state, STORE_SENT);
		ck_assert_uint_eq(l.entry->recipients[0].notify, 0);
		ck_assert_uint_eq(l.entry->recipients[0].orcpt.len, 0);
		ck_assert_uint_eq(l.entry->terms.envid.len, 0);
		ck_assert_int_eq(l.entry->terms.release_ms, 0);
		store_entry_free(l.entry);
		fix_close(&f);
		ck_assert_int_eq(sql_int("PRAGMA user_version"), 9);
	}
	fix_open(&f, NULL);
	struct id added = fix_add(&f, 3, 500, NULL);
	ck_assert_int_eq(fix_verify(&f, added, 3, 500), 0);
	fix_finish(&f);
}
END_TEST

/* Opened while operation number `at` and all after it fail: how many. */
static unsigned open_until(unsigned at)
{
	struct err e;
	fault_reset();
	if (at > 0)
		fault_arm(at, FAULT_EIO, true);
	store_close(disk_open(&f.settings, fault_io(), &e));
	unsigned count = fault_count();
	fault_reset();
	return count;
}

START_TEST(a_takeover_may_be_broken_off_anywhere)
{
	unsigned count = UINT_MAX;
	for (unsigned at = 0; at <= count; at++) {
		fix_init(&f, STORE_SQLITE);
		fix_open(&f, NULL);
		struct id id = fix_add(&f, 1, 500, NULL);
		fix_close(&f);
		make_format_1();
		unsigned n = open_until(at);
		if (at == 0)
			count = n;
		fix_open(&f, NULL);
		ck_assert_int_eq(fix_verify(&f, id, 1, 500), 0);
		struct id added = fix_add(&f, 3, 500, NULL);
		ck_assert_int_eq(fix_verify(&f, added, 3, 500), 0);
		fix_finish(&f);
	}
	ck_assert_uint_gt(count, 20);
}
END_TEST

START_TEST(a_foreign_database_is_refused)
{
	fix_init(&f, STORE_SQLITE);
	ck_assert_int_eq(mkdir(f.path, 0700), 0);
	sql("PRAGMA user_version = 1; CREATE TABLE message (x)");
	struct err e = open_error();
	ck_assert_ptr_nonnull(strstr(e.text, "not a database of Postern"));
	fix_finish(&f);
}
END_TEST

START_TEST(a_path_that_cannot_be_made_is_named)
{
	fix_init(&f, STORE_SQLITE);
	f.settings.path = "/nonexistent/of/course";
	struct err e = open_error();
	ck_assert_int_eq(e.code, -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.text, "/nonexistent/of/course"));
	f.settings.path = NULL;
	ck_assert_int_eq(open_error().code, -EINVAL);
	fix_finish(&f);
}
END_TEST

static void flip(off_t at)
{
	char path[160], c;
	(void)snprintf(path, sizeof(path), "%s/bodies/00000001.seg", f.path);
	int fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	(void)close(fd);
}

START_TEST(a_flipped_bit_damages_one_message_only)
{
	enum {
		N = 20,
		SIZE = 300
	};
	struct id ids[N];
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < N; i++)
		ids[i] = fix_add(&f, i, SIZE, NULL);
	for (unsigned i = 0; i < N; i++) {
		/* Each was a batch of its own, so on a page of its own. */
		for (off_t at = 0; at < SIZE; at += 37) {
			off_t where = (off_t)i * SEGMENT_PAGE + at;
			flip(where);
			ck_assert_int_eq(
			    fix_verify(&f, ids[i], i, SIZE), -EBADMSG);
			unsigned other = (i + 1) % N;
			ck_assert_int_eq(
			    fix_verify(&f, ids[other], other, SIZE), 0);
			flip(where);
		}
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	}
	fix_finish(&f);
}
END_TEST

START_TEST(a_lost_segment_damages_only_what_was_in_it)
{
	char path[160];
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	struct id small = fix_add(&f, 1, 100, NULL);
	struct id large = fix_add(&f, 2, SEGMENT_LARGE + 1, NULL);
	fix_close(&f);
	(void)snprintf(path, sizeof(path), "%s/bodies/00000001.seg", f.path);
	ck_assert_int_eq(unlink(path), 0);
	fix_open(&f, NULL);
	ck_assert_int_eq(fix_verify(&f, small, 1, 100), -EBADMSG);
	ck_assert_int_eq(fix_verify(&f, large, 2, SEGMENT_LARGE + 1), 0);
	ck_assert_int_eq(fix_set(&f, small, STORE_FAILED), 0);
	struct id next = fix_add(&f, 3, 100, NULL);
	ck_assert_int_eq(fix_verify(&f, next, 3, 100), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(a_header_size_that_cannot_be_is_damage)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	struct id id = fix_add(&f, 1, 100, NULL);
	fix_close(&f);
	sql("UPDATE body SET header = 101");
	fix_open(&f, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 1, 100), -EBADMSG);
	fix_finish(&f);
}
END_TEST

START_TEST(a_place_that_cannot_be_is_damage)
{
	static const char *const damages[] = {
		"UPDATE body SET size = -1",
		"UPDATE body SET size = 1099511627776",
		"UPDATE body SET header = -1",
		"UPDATE body SET offset = -4096",
		"UPDATE body SET segment = 0",
	};
	for (unsigned i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		fix_init(&f, STORE_SQLITE);
		fix_open(&f, NULL);
		struct id id = fix_add(&f, 1, 100, NULL);
		fix_close(&f);
		sql(damages[i]);
		fix_open(&f, NULL);
		ck_assert_int_eq(fix_verify(&f, id, 1, 100), -EBADMSG);
		ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
		fix_finish(&f);
	}
}
END_TEST

/* Until there are n or fewer such rows; the writer is at it. */
static void await_rows(const char *query, int64_t n)
{
	uint64_t deadline = clock_mono_ms() + 30000;
	while (sql_int(query) > n) {
		ck_assert_uint_lt(clock_mono_ms(), deadline);
		(void)usleep(5000);
	}
}

/* Its row is there and whole, but nobody can say whose it is. */
START_TEST(a_damaged_id_is_passed_over)
{
	struct store_search s = { .filter = &(struct store_filter){ 0 },
		.limit = STORE_SEARCH_MAX };
	struct store_stats stats;
	struct id ids[9];
	fix_init(&f, STORE_SQLITE);
	f.settings.dead_ms = 3600 * 1000;
	f.settings.dead_bytes = 1 << 30;
	fix_open(&f, NULL);
	for (unsigned i = 0; i < 9; i++)
		ids[i] = fix_add(&f, i, 500, NULL);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(fix_set(&f, ids[i], STORE_FAILED), 0);
	for (unsigned i = 3; i < 6; i++)
		ck_assert_int_eq(fix_set(&f, ids[i], STORE_SENT), 0);
	fix_close(&f);
	sql("UPDATE body SET message = x'01' WHERE message ="
	    " (SELECT min(message) FROM body);"
	    "UPDATE dead SET message = 17, died_ms = 0 WHERE message ="
	    " (SELECT min(message) FROM dead);"
	    "UPDATE message SET id = 'text' WHERE id ="
	    " (SELECT min(id) FROM message)");
	f.settings.history_ms = 1;
	f.settings.dead_ms = 1;
	fix_open(&f, NULL);
	ck_assert_uint_eq(fix_pending(&f), 2);
	memset(s.before.bytes, 0xff, sizeof(s.before.bytes));
	ck_assert_int_eq(fix_search(&f, &s), 0);
	store_search_finish(&s);
	(void)fix_add(&f, 9, 500, NULL);
	/* Who failed is given up, and who is sent is forgotten. */
	await_rows("SELECT count(*) FROM dead", 1);
	await_rows("SELECT count(*) FROM message", 5);
	ck_assert_int_eq(store_check(f.store), 0);
	store_stats(f.store, &stats);
	ck_assert_uint_eq(stats.errors, 0);
	fix_finish(&f);
}
END_TEST

static int offer_with_key(struct id *out)
{
	struct fix_mail m;
	fix_mail_init(&m, 1, 500);
	m.accept.guard = (struct store_guard){
		.key = 4711, .window_ms = 3600 * 1000, .is_strict = true
	};
	int rc = fix_accept(&f, &m.accept);
	*out = m.entry.id;
	fix_mail_finish(&m);
	return rc;
}

/* The first accept with a key waits for what is read. */
START_TEST(a_guard_does_not_read_all_of_history)
{
	struct id id;
	for (int many = 0; many < 2; many++) {
		fix_init(&f, STORE_SQLITE);
		fix_open(&f, NULL);
		ck_assert_int_eq(offer_with_key(&id), 0);
		fix_close(&f);
		if (many)
			sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
			    " SELECT i + 1 FROM n WHERE i < 280000)"
			    " INSERT INTO message (id, created_ms, user,"
			    " sender, size, recipients)"
			    " SELECT randomblob(16), 0, '', '', 0, 0 FROM n");
		fix_open(&f, NULL);
		ck_assert_int_eq(offer_with_key(&id), many ? 0 : -EALREADY);
		fix_finish(&f);
	}
}
END_TEST

START_TEST(an_idle_store_is_sure_of_all_it_has)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	(void)fix_add(&f, 1, 500, NULL);
	ck_assert_int_eq(sql_int("SELECT length(messages) FROM unsure"), 16);
	await_rows("SELECT length(messages) FROM unsure", 0);
	fix_finish(&f);
}
END_TEST

START_TEST(history_is_forgotten_after_its_time)
{
	struct id kept, gone = { { 0 } };
	fix_init(&f, STORE_SQLITE);
	f.settings.history_ms = 1;
	fix_open(&f, NULL);
	kept = fix_add(&f, 0, 100, NULL);
	for (unsigned i = 0; i < 300; i++) {
		gone = fix_add(&f, i, 100, NULL);
		ck_assert_int_eq(fix_set(&f, gone, STORE_SENT), 0);
	}
	await_rows("SELECT count(*) FROM message", 1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM attempt"), 0);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM recipient"), 1);
	ck_assert_int_eq(fix_verify(&f, kept, 0, 100), 0);
	struct store_find d = { .id = gone };
	ck_assert_int_eq(fix_find(&f, &d), -ENOENT);
	fix_finish(&f);
}
END_TEST

/*
 * Puts each of n bodies into a 64 MB file of its own, as if all that had
 * been around it were finished.
 */
static void scatter(const char *table, unsigned n, size_t size)
{
	char path[160], text[160], *bytes = malloc(size);
	(void)snprintf(path, sizeof(path), "%s/bodies/00000001.seg", f.path);
	int from = open(path, O_RDONLY);
	ck_assert_int_ge(from, 0);
	for (unsigned i = 0; i < n; i++) {
		off_t at = (off_t)i * SEGMENT_PAGE;
		ck_assert_int_eq(pread(from, bytes, size, at), (int)size);
		(void)snprintf(
		    path, sizeof(path), "%s/bodies/%08x.seg", f.path, 100 + i);
		int to = open(path, O_WRONLY | O_CREAT, 0600);
		ck_assert_int_ge(to, 0);
		ck_assert_int_eq(ftruncate(to, SEGMENT_SIZE), 0);
		ck_assert_int_eq(pwrite(to, bytes, size, at), (int)size);
		(void)close(to);
		(void)snprintf(text, sizeof(text),
		    "UPDATE %s SET segment = %u WHERE offset = %lld "
		    "AND segment = 1",
		    table, 100 + i, (long long)at);
		sql(text);
	}
	(void)close(from);
	free(bytes);
}

/* Of messages that wait, or of those that failed and are kept. */
START_TEST(the_cleaner_empties_what_is_nearly_empty)
{
	enum {
		N = 30,
		SIZE = 2000
	};
	const char *scattered = _i ? "SELECT count(DISTINCT segment) FROM dead"
				   : "SELECT count(DISTINCT segment) FROM body";
	struct id ids[N];
	fix_init(&f, STORE_SQLITE);
	f.settings.dead_ms = 3600 * 1000;
	f.settings.dead_bytes = SEGMENT_SIZE;
	fix_open(&f, NULL);
	for (unsigned i = 0; i < N; i++)
		ids[i] = fix_add(&f, i, SIZE, NULL);
	for (unsigned i = 0; _i && i < N; i++)
		ck_assert_int_eq(fix_set(&f, ids[i], STORE_FAILED), 0);
	fix_close(&f);
	scatter(_i ? "dead" : "body", N, SIZE);
	ck_assert_int_eq(sql_int(scattered), N);
	fix_open(&f, NULL);
	struct id more = fix_add(&f, 99, SIZE, NULL);
	/* 2 x live and 8 segments are fine. */
	await_rows(scattered, 8);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	ck_assert_int_eq(fix_verify(&f, more, 99, SIZE), 0);
	ck_assert_uint_le(fix_files(&f, "bodies"), 8 + SEGMENT_SPARE + 1);
	fix_close(&f);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(the_cleaner_leaves_damaged_bodies_where_they_are)
{
	enum {
		N = 20,
		SIZE = 2000
	};
	char path[160];
	struct id ids[N];
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < N; i++)
		ids[i] = fix_add(&f, i, SIZE, NULL);
	fix_close(&f);
	scatter("body", N, SIZE);
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/bodies/%08x.seg", f.path, 100 + i);
		int fd = open(path, O_WRONLY);
		ck_assert_int_eq(
		    pwrite(fd, "?", 1, (off_t)i * SEGMENT_PAGE + 99), 1);
		(void)close(fd);
	}
	fix_open(&f, NULL);
	await_rows("SELECT count(DISTINCT segment) FROM body", 11);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(
		    fix_verify(&f, ids[i], i, SIZE), i < 10 ? -EBADMSG : 0);
	fix_finish(&f);
}
END_TEST

/* A store with bodies that the cleaner moves after its next batch. */
static void open_scattered(struct id *ids, unsigned n, size_t size)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	for (unsigned i = 0; i < n; i++)
		ids[i] = fix_add(&f, i, size, NULL);
	fix_close(&f);
	scatter("body", n, size);
	fault_reset();
	fix_open(&f, fault_io());
}

START_TEST(a_body_the_cleaner_cannot_read_stops_nobody)
{
	enum {
		N = 20,
		SIZE = 2000
	};
	struct id ids[N];
	open_scattered(ids, N, SIZE);
	fault_fail_reads();
	/* A batch is taken after the cleaner's step that follows the last. */
	for (unsigned i = 0; i < 3; i++)
		(void)fix_add(&f, 50 + i, SIZE, NULL);
	fault_reset();
	ck_assert_int_eq(store_check(f.store), 0);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(the_cleaner_waits_for_descriptors)
{
	enum {
		N = 20,
		SIZE = 2000
	};
	struct id ids[N];
	open_scattered(ids, N, SIZE);
	fault_fail_opens();
	for (unsigned i = 0; i < N; i++)
		(void)fix_add(&f, 50 + i, SIZE, NULL);
	fault_reset();
	await_rows("SELECT count(DISTINCT segment) FROM body", 8);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(a_write_the_cleaner_failed_at_is_not_the_next_batchs)
{
	enum {
		N = 20,
		SIZE = 2000
	};
	struct id ids[N];
	open_scattered(ids, N, SIZE);
	fault_fail_next_write();
	ck_assert_int_eq(fix_set(&f, ids[0], STORE_PENDING), 0);
	(void)fix_add(&f, 99, SIZE, NULL);
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, SIZE), 0);
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.recovery");
	TCase *tc = tcase_create("recovery");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, reopening_finds_exactly_what_was_stored);
	tcase_add_test(tc, a_walk_sees_what_was_there_when_it_began);
	tcase_add_test(tc, the_directory_is_nobody_elses);
	tcase_add_test(tc, a_second_process_is_refused);
	tcase_add_test(tc, a_newer_format_is_refused);
	tcase_add_test(tc, a_spool_of_the_first_format_is_taken_over);
	tcase_add_test(tc, a_takeover_may_be_broken_off_anywhere);
	tcase_add_test(tc, a_foreign_database_is_refused);
	tcase_add_test(tc, a_path_that_cannot_be_made_is_named);
	tcase_add_test(tc, a_flipped_bit_damages_one_message_only);
	tcase_add_test(tc, a_lost_segment_damages_only_what_was_in_it);
	tcase_add_test(tc, a_header_size_that_cannot_be_is_damage);
	tcase_add_test(tc, a_place_that_cannot_be_is_damage);
	tcase_add_test(tc, a_damaged_id_is_passed_over);
	tcase_add_test(tc, a_guard_does_not_read_all_of_history);
	tcase_add_test(tc, an_idle_store_is_sure_of_all_it_has);
	tcase_add_test(tc, history_is_forgotten_after_its_time);
	tcase_add_loop_test(tc, the_cleaner_empties_what_is_nearly_empty, 0, 2);
	tcase_add_test(tc, the_cleaner_leaves_damaged_bodies_where_they_are);
	tcase_add_test(tc, a_body_the_cleaner_cannot_read_stops_nobody);
	tcase_add_test(tc, the_cleaner_waits_for_descriptors);
	tcase_add_test(
	    tc, a_write_the_cleaner_failed_at_is_not_the_next_batchs);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
