/* Files that change in each way files do. */
#include <loop/files.h>

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <support/onloop.h>
#include <support/unit.h>

enum {
	PATIENCE_S = 20
};

static struct loop *loop;
static struct loop_files *files;
static char dir[64];
static sem_t changed;
static struct loop_file list[2];
static char one[96], two[96];

static void on_change(void *ctx)
{
	ck_assert_ptr_eq(ctx, &changed);
	(void)sem_post(&changed);
}

static const char *at(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void make_on_loop(void *ctx)
{
	(void)ctx;
	files = loop_files_new(loop, on_change, &changed);
	ck_assert_ptr_nonnull(files);
}

static void watch_on_loop(void *ctx)
{
	const size_t *count = ctx;

	ck_assert_int_eq(loop_files_watch(files, list, *count), 0);
}

static void close_on_loop(void *ctx)
{
	(void)ctx;
	loop_files_close(files);
}

static void watch_as_read(
    const char *first, const struct stat *as_read, const char *second)
{
	size_t count = second ? 2 : 1;

	(void)snprintf(one, sizeof(one), "%s/%s", dir, first);
	(void)snprintf(two, sizeof(two), "%s/%s", dir, second ? second : "");
	list[0] = (struct loop_file){ one, as_read };
	list[1] = (struct loop_file){ two, NULL };
	onloop_call(loop, watch_on_loop, &count);
}

static void watch(const char *first, const char *second)
{
	watch_as_read(first, NULL, second);
}

static void await_change(void)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	ck_assert_int_eq(sem_timedwait(&changed, &until), 0);
}

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/postern-files-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)sem_init(&changed, 0, 0);
	loop = onloop_start();
	onloop_call(loop, make_on_loop, NULL);
}

static void tear_down(void)
{
	static const char *const names[] = { "a", "b", "c", "..data", "..tmp",
		"old/a", "new/a", "old", "new" };

	onloop_call(loop, close_on_loop, NULL);
	onloop_stop(loop);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(at(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
	(void)sem_destroy(&changed);
}

START_TEST(tells_a_file_written_in_place)
{
	put("a", "before");
	watch("a", NULL);
	put("a", "after");
	await_change();
}
END_TEST

/* At once: nobody can see it half written. */
static void replace(const char *name, const char *text)
{
	char to[160];

	(void)snprintf(to, sizeof(to), "%s/%s", dir, name);
	put("b", text);
	ck_assert_int_eq(rename(at("b"), to), 0);
}

START_TEST(tells_a_file_put_in_the_place_of_another)
{
	put("a", "same");
	watch("a", NULL);
	replace("a", "same");
	await_change();
}
END_TEST

START_TEST(tells_a_file_that_comes_and_goes)
{
	watch("a", "b");
	put("b", "here");
	await_change();
	ck_assert_int_eq(unlink(at("b")), 0);
	await_change();
}
END_TEST

START_TEST(tells_that_a_file_may_be_read_now)
{
	put("a", "secret");
	ck_assert_int_eq(chmod(at("a"), 0600), 0);
	watch("a", NULL);
	ck_assert_int_eq(chmod(at("a"), 0640), 0);
	await_change();
}
END_TEST

/* As kubelet does it: a new directory, then one rename of a symlink. */
START_TEST(tells_a_volume_of_kubernetes_that_was_updated)
{
	char to[160];

	ck_assert_int_eq(mkdir(at("old"), 0755), 0);
	ck_assert_int_eq(mkdir(at("new"), 0755), 0);
	put("old/a", "same");
	put("new/a", "same");
	ck_assert_int_eq(symlink("old", at("..data")), 0);
	ck_assert_int_eq(symlink("..data/a", at("a")), 0);
	watch("a", NULL);
	ck_assert_int_eq(symlink("new", at("..tmp")), 0);
	(void)snprintf(to, sizeof(to), "%s/..data", dir);
	ck_assert_int_eq(rename(at("..tmp"), to), 0);
	await_change();
}
END_TEST

START_TEST(tells_a_file_that_changed_since_it_was_read)
{
	struct stat st;

	put("a", "before");
	ck_assert_int_eq(stat(at("a"), &st), 0);
	replace("a", "after");
	watch_as_read("a", &st, NULL);
	await_change();
}
END_TEST

START_TEST(tells_a_file_once_when_it_is_read_again)
{
	struct stat st;
	int calls = -1;

	put("a", "before");
	put("c", "before");
	watch("a", NULL);
	replace("a", "after");
	await_change();
	ck_assert_int_eq(stat(at("a"), &st), 0);
	watch_as_read("a", &st, "c");
	replace("c", "after");
	await_change();
	ck_assert_int_eq(sem_getvalue(&changed, &calls), 0);
	ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(forgets_no_change_when_other_files_are_watched)
{
	put("a", "before");
	watch("a", NULL);
	replace("a", "after");
	watch("a", "c");
	await_change();
}
END_TEST

START_TEST(says_nothing_of_other_files)
{
	int calls = -1;

	put("a", "before");
	put("c", "before");
	watch("a", NULL);
	put("c", "after");
	replace("a", "after");
	await_change();
	put("c", "not watched either");
	watch("c", NULL);
	replace("c", "now");
	await_change();
	ck_assert_int_eq(sem_getvalue(&changed, &calls), 0);
	ck_assert_int_eq(calls, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("files");
	TCase *tc = tcase_create("changes");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, tells_a_file_written_in_place);
	tcase_add_test(tc, tells_a_file_put_in_the_place_of_another);
	tcase_add_test(tc, tells_a_file_that_comes_and_goes);
	tcase_add_test(tc, tells_that_a_file_may_be_read_now);
	tcase_add_test(tc, tells_a_volume_of_kubernetes_that_was_updated);
	tcase_add_test(tc, tells_a_file_that_changed_since_it_was_read);
	tcase_add_test(tc, tells_a_file_once_when_it_is_read_again);
	tcase_add_test(tc, forgets_no_change_when_other_files_are_watched);
	tcase_add_test(tc, says_nothing_of_other_files);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
