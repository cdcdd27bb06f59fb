/*
 * What a start says of a store whose last process was killed, and whose files
 * were damaged or removed since.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COUNT = 10 /* messages before a restart, and after */
};

static struct fix f;
static char said[4096]; /* by the log, during the last open */

static void name(char out[160], const char *file)
{
	(void)snprintf(out, 160, "%s/%s", f.path, file);
}

static void add_some(void)
{
	for (unsigned i = 0; i < COUNT; i++)
		(void)fix_add(&f, i, 1000, NULL);
}

/* The directory is then what a killed process would have left. */
static void kill_store(void)
{
	char copy[96], closed[96], command[256];
	(void)snprintf(copy, sizeof(copy), "%s/killed", f.dir);
	(void)snprintf(closed, sizeof(closed), "%s/closed", f.dir);
	(void)snprintf(
	    command, sizeof(command), "cp -r '%s' '%s'", f.path, copy);
	ck_assert_int_eq(system(command), 0);
	fix_close(&f);
	ck_assert_int_eq(rename(f.path, closed), 0);
	ck_assert_int_eq(rename(copy, f.path), 0);
}

/* Half of its messages are in store.db, half in the log. */
static void start_killed(void)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	add_some();
	fix_close(&f);
	fix_open(&f, NULL);
	add_some();
	kill_store();
}

/* With what is logged meanwhile. */
static void open_store(struct err *e)
{
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/said", f.dir);
	int saved = dup(STDERR_FILENO);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	f.store = store_open(&f.settings, e);
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	ssize_t n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	(void)close(fd);
	(void)close(saved);
}

static void overwrite(const char *file, off_t at, const char *text)
{
	char path[160];
	name(path, file);
	int fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ssize_t len = (ssize_t)strlen(text);
	ck_assert_int_eq(pwrite(fd, text, (size_t)len, at), len);
	(void)close(fd);
}

static off_t size_of(const char *file)
{
	char path[160];
	struct stat st;
	name(path, file);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

static void cut(const char *file, off_t size)
{
	char path[160];
	name(path, file);
	ck_assert_int_eq(truncate(path, size), 0);
}

static void delete (const char *file)
{
	char path[160];
	name(path, file);
	ck_assert_int_eq(unlink(path), 0);
}

static void nothing(void)
{
}

static void no_log(void)
{
	delete ("store.db-wal");
}

static void empty_log(void)
{
	cut("store.db-wal", 0);
}

/* Each start writes more. */
static void short_log(void)
{
	cut("store.db-wal", 4000);
}

static void bad_log_header(void)
{
	overwrite("store.db-wal", 10, "?");
}

static void bad_log_salt(void)
{
	overwrite("store.db-wal", 32 + 8, "????????");
}

static void bad_log_page(void)
{
	overwrite("store.db-wal", 32 + 24 + 1000, "?");
}

/* As after a cut: neither of these is more than the last transaction. */
static void torn_log(void)
{
	cut("store.db-wal", size_of("store.db-wal") - 1000);
}

static void torn_last_frame(void)
{
	overwrite("store.db-wal", size_of("store.db-wal") - 1000, "?");
}

static void empty_database(void)
{
	cut("store.db", 0);
}

static void no_database(void)
{
	delete ("store.db");
}

static const struct {
	void (*damage)(void);
	const char *says; /* NULL = nothing */
	size_t left;
} damages[] = {
	{ nothing, NULL, 2 * COUNT },
	{ no_log, "store.db-wal is missing", COUNT },
	{ empty_log, "store.db-wal is missing", COUNT },
	{ short_log, "store.db-wal is missing", COUNT },
	{ bad_log_header, "store.db-wal is damaged", COUNT },
	{ bad_log_salt, "store.db-wal is damaged", COUNT },
	{ bad_log_page, "store.db-wal is damaged", COUNT },
	{ torn_log, NULL, 2 * COUNT - 1 },
	{ torn_last_frame, NULL, 2 * COUNT - 1 },
	{ empty_database, "store.db is new", 0 },
	{ no_database, "store.db is new", 0 },
};

START_TEST(a_lost_queue_is_told)
{
	struct err e = { 0 };
	start_killed();
	damages[_i].damage();
	open_store(&e);
	ck_assert_msg(f.store != NULL, "%s", e.text);
	if (damages[_i].says) {
		ck_assert_ptr_nonnull(strstr(said, "store_suspicious"));
		ck_assert_ptr_nonnull(strstr(said, f.path));
		ck_assert_msg(
		    strstr(said, damages[_i].says) != NULL, "%s", said);
	} else {
		ck_assert_str_eq(said, "");
	}
	ck_assert_uint_eq(fix_pending(&f), damages[_i].left);
	add_some();
	fix_close(&f);
	/* Once. */
	open_store(&e);
	ck_assert_str_eq(said, "");
	ck_assert_uint_eq(fix_pending(&f), damages[_i].left + COUNT);
	fix_finish(&f);
}
END_TEST

START_TEST(bodies_without_a_database_are_kept)
{
	char kept[160], *at;
	struct err e = { 0 };
	start_killed();
	no_database();
	open_store(&e);
	ck_assert_ptr_nonnull(f.store);
	add_some();
	at = strstr(said, "moved_to=");
	ck_assert_ptr_nonnull(at);
	(void)snprintf(kept, sizeof(kept), "%s", at + strlen("moved_to="));
	kept[strcspn(kept, " ")] = '\0';
	ck_assert_uint_eq(fix_files(&f, kept), 1);
	ck_assert_uint_eq(fix_files(&f, "bodies"), 1);
	fix_finish(&f);
}
END_TEST

START_TEST(a_closed_store_says_nothing)
{
	struct err e = { 0 };
	fix_init(&f, STORE_SQLITE);
	for (int i = 0; i < 3; i++) {
		open_store(&e);
		ck_assert_ptr_nonnull(f.store);
		ck_assert_str_eq(said, "");
		if (i == 1)
			add_some();
		fix_close(&f);
	}
	fix_finish(&f);
}
END_TEST

/* A store that did nothing before it was killed has lost nothing either. */
START_TEST(a_killed_store_without_mail_says_nothing)
{
	struct err e = { 0 };
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	fix_close(&f);
	fix_open(&f, NULL);
	kill_store();
	open_store(&e);
	ck_assert_str_eq(said, "");
	fix_finish(&f);
}
END_TEST

static void no_header(void)
{
	overwrite("store.db", 0, "this was a database once");
}

/* Of a table: only the check sees it before somebody asks for it. */
static void no_tables(void)
{
	for (off_t at = 4096; at < size_of("store.db"); at += 4096)
		overwrite("store.db", at, "????????????????");
}

static void half_a_database(void)
{
	cut("store.db", 3 * 4096);
}

static void no_list_of_tables(void)
{
	overwrite("store.db", 100, "????????????????");
}

static void (*const ruins[])(
    void) = { no_header, no_tables, half_a_database, no_list_of_tables };

START_TEST(a_damaged_database_is_refused_with_advice)
{
	struct err e = { 0 };
	start_killed();
	/* What the log holds would repair it. */
	delete ("store.db-wal");
	ruins[_i]();
	for (int i = 0; i < 2; i++) {
		open_store(&e);
		ck_assert_ptr_null(f.store);
		ck_assert_int_lt(e.code, 0);
		ck_assert_msg(strstr(e.text, "is damaged") &&
				  strstr(e.text, "postern salvage ") &&
				  !strchr(e.text, '"') &&
				  strstr(e.text, f.path),
		    "%s", e.text);
	}
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.inspect");
	TCase *tc = tcase_create("inspect");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, a_lost_queue_is_told, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(tc, bodies_without_a_database_are_kept);
	tcase_add_test(tc, a_closed_store_says_nothing);
	tcase_add_test(tc, a_killed_store_without_mail_says_nothing);
	tcase_add_loop_test(tc, a_damaged_database_is_refused_with_advice, 0,
	    sizeof(ruins) / sizeof(ruins[0]));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
