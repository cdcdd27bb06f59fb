/*
 * Every file of tests/config/bad has mistakes; beside it lies what must be
 * said about them, to the column. With POSTERN_TEST_UPDATE set the
 * expectations are written anew: read the difference. Users' files are taken
 * from the folder `users` to the directory of the test, $DIR in what is said.
 */
#include "fake.h"

#include <support/unit.h>

#include <base/buf.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "config/bad"

static struct dirent **files;
static int file_count;

static int is_yaml(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

/* The directory of the test has another name each time. */
static char *without_directory(char *text)
{
	const char *dir = getenv("POSTERN_TEST_DIR");
	struct buf out;
	char *rest = text;

	buf_init(&out, 65536);
	for (char *at; (at = strstr(rest, dir)); rest = at + strlen(dir)) {
		ck_assert_int_eq(buf_add(&out, rest, (size_t)(at - rest)), 0);
		ck_assert_int_eq(buf_add_str(&out, "$DIR"), 0);
	}
	ck_assert_int_eq(buf_add_str(&out, rest), 0);
	free(text);
	return buf_take_cstr(&out);
}

static char *describe(const char *path)
{
	struct config_report report = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct config *c = config_load(path, &fake_helpers, &report);

	ck_assert_msg((c == NULL) == (report.errors > 0), "%s", path);
	config_report_print(&report, out);
	(void)fclose(out);
	config_report_finish(&report);
	config_unref(c);
	return without_directory(text);
}

static void update(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void compare(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char expected[16384];
	size_t len;

	ck_assert_msg(file != NULL, "%s is missing", path);
	len = fread(expected, 1, sizeof(expected) - 1, file);
	expected[len] = '\0';
	(void)fclose(file);
	ck_assert_msg(strcmp(text, expected) == 0,
	    "%s\n--- expected\n%s--- is\n%s", path, expected, text);
}

START_TEST(says_exactly_what_is_wrong)
{
	const char *name = files[_i]->d_name;
	char path[512];
	char *text;

	(void)snprintf(path, sizeof(path), FOLDER "/%s", name);
	text = describe(path);
	(void)snprintf(path, sizeof(path), FOLDER "/%.*s.expected",
	    (int)(strlen(name) - strlen(".yaml")), name);
	if (getenv("POSTERN_TEST_UPDATE"))
		update(path, text);
	else
		compare(path, text);
	free(text);
}
END_TEST

/* In a working copy everybody may read them. */
static void copy_user_file(const char *name)
{
	char path[512], text[4096];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof(path), FOLDER "/users/%s", name);
	file = fopen(path, "r");
	if (!file)
		abort();
	len = fread(text, 1, sizeof(text), file);
	(void)fclose(file);
	if (chmod(fake_file(name, text, len), 0600) != 0)
		abort();
}

static void copy_user_files(void)
{
	struct dirent **entries;
	int count = scandir(FOLDER "/users", &entries, is_yaml, alphasort);

	if (count <= 0)
		abort();
	for (int i = 0; i < count; i++) {
		copy_user_file(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.bad");
	TCase *t = tcase_create("files");

	tcase_add_loop_test(t, says_exactly_what_is_wrong, 0, file_count);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner;
	int failed;

	(void)fake_directory_make();
	copy_user_files();
	(void)setenv("POSTERN_TEST_EMPTY", "", 1);
	(void)setenv("POSTERN_TEST_WORD", "hunter2", 1);
	(void)unsetenv("POSTERN_TEST_NOT_SET");
	(void)setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
	file_count = scandir(FOLDER, &files, is_yaml, alphasort);
	if (file_count <= 0)
		return EXIT_FAILURE;
	runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (int i = 0; i < file_count; i++)
		free(files[i]);
	free(files);
	fake_directory_remove();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
