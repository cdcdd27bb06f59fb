#include <config/expand.h>

#include <support/unit.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/postern-expand-XXXXXX";
static char path[64];
static struct expanded x;
static struct err e;

static void setup(void)
{
	(void)setenv("POSTERN_TEST_A", "alpha", 1);
	(void)setenv("POSTERN_TEST_REF", "${env:POSTERN_TEST_A}$$", 1);
	(void)setenv("POSTERN_TEST_EMPTY", "", 1);
	(void)unsetenv("POSTERN_TEST_NONE");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	e = (struct err){ 0 };
	expanded_init(&x);
}

static void teardown(void)
{
	expanded_finish(&x);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void write_file(const char *text, size_t len, mode_t mode)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	(void)fclose(file);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void assert_text(const char *expected)
{
	struct span s = buf_span(&x.text);

	ck_assert_msg(span_eq(s, span_of(expected)), "is %.*s", SPAN_FMT(s));
}

static const struct {
	const char *raw, *expanded;
} good[] = {
	{ "plain", "plain" },
	{ "", "" },
	{ "${env:POSTERN_TEST_A}", "alpha" },
	{ "<${env:POSTERN_TEST_A}-${env:POSTERN_TEST_A}>", "<alpha-alpha>" },
	{ "${env:POSTERN_TEST_A:-other}", "alpha" },
	{ "${env:POSTERN_TEST_NONE:-other}", "other" },
	{ "${env:POSTERN_TEST_EMPTY:-other}", "other" },
	{ "${env:POSTERN_TEST_NONE:-}", "" },
	{ "${env:POSTERN_TEST_NONE:-a:-b}", "a:-b" },
	{ "$$", "$" },
	{ "$${env:POSTERN_TEST_A}", "${env:POSTERN_TEST_A}" },
	{ "$$${env:POSTERN_TEST_A}", "$alpha" },
	{ "$6$salt$hash", "$6$salt$hash" },
	{ "100$", "100$" },
	{ "}{", "}{" },
	{ "${env:POSTERN_TEST_REF}", "${env:POSTERN_TEST_A}$$" },
};

START_TEST(expands)
{
	ck_assert_int_eq(expand_text(span_of(good[_i].raw), &x, &e), 0);
	assert_text(good[_i].expanded);
}
END_TEST

static const struct {
	const char *raw, *why;
} bad[] = {
	{ "${env:POSTERN_TEST_NONE}",
	    "environment variable POSTERN_TEST_NONE is not set" },
	{ "${env:POSTERN_TEST_EMPTY}",
	    "environment variable POSTERN_TEST_EMPTY is empty" },
	{ "${env:}", "'' is no name of an environment variable" },
	{ "${env:1A}", "'1A' is no name of an environment variable" },
	{ "${env:A B}", "'A B' is no name of an environment variable" },
	{ "${file:}", "${file:} names no file" },
	{ "${file:/nonexistent}",
	    "cannot read /nonexistent: No such file or directory" },
	{ "${file:/dev/null}", "/dev/null is not a regular file" },
	{ "x${", "has ${ without } (write $${ for the characters ${)" },
	{ "${}", "has ${ that is followed by neither env: nor file: "
		 "(write $${ for the characters ${)" },
	{ "${env:A${env:B}}", "has a ${ inside another (not supported)" },
};

START_TEST(says_what_is_missing)
{
	ck_assert_int_lt(expand_text(span_of(bad[_i].raw), &x, &e), 0);
	ck_assert_str_eq(e.text, bad[_i].why);
}
END_TEST

START_TEST(drops_one_newline_of_a_file)
{
	write_file("a\n\n", 3, 0600);
	ck_assert_int_eq(expand_file(path, &x, &e), 0);
	assert_text("a\n");
	ck_assert_str_eq(x.exposed, "");
}
END_TEST

START_TEST(drops_crlf_of_a_file)
{
	write_file("a\r\n", 3, 0600);
	ck_assert_int_eq(expand_file(path, &x, &e), 0);
	assert_text("a");
}
END_TEST

START_TEST(refuses_an_empty_file)
{
	write_file("\n", 1, 0600);
	ck_assert_int_eq(expand_file(path, &x, &e), -ENODATA);
	ck_assert_ptr_nonnull(strstr(e.text, "/file is empty"));
}
END_TEST

START_TEST(refuses_a_file_with_nul)
{
	write_file("a\0b", 3, 0600);
	ck_assert_int_eq(expand_file(path, &x, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.text, "contains a NUL byte"));
}
END_TEST

START_TEST(refuses_a_huge_file)
{
	static char big[1100000];

	memset(big, 'a', sizeof(big));
	write_file(big, sizeof(big), 0600);
	ck_assert_int_lt(expand_file(path, &x, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "is larger than 1 MiB"));
}
END_TEST

START_TEST(refuses_to_grow_above_the_limit)
{
	static char half[600000];
	char raw[200];

	memset(half, 'a', sizeof(half));
	write_file(half, sizeof(half), 0600);
	(void)snprintf(raw, sizeof(raw), "${file:%s}${file:%s}", path, path);
	ck_assert_int_eq(expand_text(span_of(raw), &x, &e), -EMSGSIZE);
	ck_assert_str_eq(e.text, "is larger than 1 MiB when expanded");
}
END_TEST

START_TEST(does_not_wait_for_a_pipe)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(expand_file(path, &x, &e), -EINVAL);
}
END_TEST

START_TEST(notes_a_file_that_everybody_may_read)
{
	write_file("a", 1, 0644);
	ck_assert_int_eq(expand_file(path, &x, &e), 0);
	ck_assert_str_eq(x.exposed, path);
}
END_TEST

START_TEST(does_not_expand_what_a_file_holds)
{
	write_file("${env:POSTERN_TEST_A}", 21, 0600);
	ck_assert_int_eq(expand_file(path, &x, &e), 0);
	assert_text("${env:POSTERN_TEST_A}");
}
END_TEST

START_TEST(reads_a_credential)
{
	write_file("secret\n", 7, 0600);
	(void)setenv("CREDENTIALS_DIRECTORY", folder, 1);
	ck_assert_int_eq(expand_credential("file", &x, &e), 0);
	assert_text("secret");
}
END_TEST

START_TEST(needs_a_directory_of_credentials)
{
	ck_assert_int_eq(expand_credential("file", &x, &e), -ENOENT);
	ck_assert_str_eq(e.text, "credential 'file' is not available: "
				 "CREDENTIALS_DIRECTORY is not set");
}
END_TEST

START_TEST(keeps_credentials_inside_their_directory)
{
	(void)setenv("CREDENTIALS_DIRECTORY", folder, 1);
	ck_assert_int_eq(expand_credential("../x", &x, &e), -EINVAL);
	ck_assert_int_eq(expand_credential("/etc/passwd", &x, &e), -EINVAL);
	ck_assert_int_eq(expand_credential("a/b", &x, &e), -EINVAL);
	ck_assert_int_eq(expand_credential("", &x, &e), -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.expand");
	TCase *text = tcase_create("text");
	TCase *file = tcase_create("file");

	tcase_add_checked_fixture(text, setup, teardown);
	tcase_add_loop_test(text, expands, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(
	    text, says_what_is_missing, 0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(s, text);
	tcase_add_checked_fixture(file, setup, teardown);
	tcase_add_test(file, drops_one_newline_of_a_file);
	tcase_add_test(file, drops_crlf_of_a_file);
	tcase_add_test(file, refuses_an_empty_file);
	tcase_add_test(file, refuses_a_file_with_nul);
	tcase_add_test(file, refuses_a_huge_file);
	tcase_add_test(file, refuses_to_grow_above_the_limit);
	tcase_add_test(file, does_not_wait_for_a_pipe);
	tcase_add_test(file, notes_a_file_that_everybody_may_read);
	tcase_add_test(file, does_not_expand_what_a_file_holds);
	tcase_add_test(file, reads_a_credential);
	tcase_add_test(file, needs_a_directory_of_credentials);
	tcase_add_test(file, keeps_credentials_inside_their_directory);
	suite_add_tcase(s, file);
	return s;
}

UNIT_MAIN(make_suite)
