/* Users in files of their own; what can be wrong with one is in tests/config/
 * bad, as far as it can lie there. */
#include "fake.h"

#include <config/node.h>

#include <support/unit.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD                                                                   \
	"hostname: a.example\n"                                                \
	"listeners: [{name: in, address: \"127.0.0.1:2525\", tls: none, "      \
	"allow_insecure: true}]\n"                                             \
	"providers: [{name: one, type: bare}]\n"
#define USER(name) "- {name: " name ", password_hash: SCRAM-SHA-256$x}\n"

static struct config_report report;
static struct config *config;

static void setup(void)
{
	(void)fake_directory_make();
	report = (struct config_report){ 0 };
}

static void teardown(void)
{
	config_report_finish(&report);
	config_unref(config);
	config = NULL;
	fake_directory_remove();
}

static const char *put(const char *name, const char *text, mode_t mode)
{
	const char *path = fake_file(name, text, strlen(text));

	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static void load(const char *text)
{
	config_report_finish(&report);
	config =
	    config_load(put("config.yaml", text, 0600), &fake_helpers, &report);
}

static struct config *load_good(const char *text)
{
	load(text);
	if (report.count > 0)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(report.count, 0);
	return config;
}

static const char *only_problem(void)
{
	ck_assert_uint_eq(report.count, 1);
	return report.problems[0].message;
}

static const struct config_user *user_at(size_t i)
{
	return CONFIG_AT(config->users, struct config_user, i);
}

START_TEST(users_stand_where_their_file_is_named)
{
	static const char *const names[] = { "first", "A", "b", "last", "c" };

	(void)put("two.yaml", USER("A") USER("b"), 0600);
	(void)put("one.yaml", USER("c"), 0600);
	load_good(HEAD "users:\n" USER("first") "- file: two.yaml\n" USER(
	    "last") "- file: ${env:POSTERN_TEST_DIR}/one.yaml\n");
	ck_assert_uint_eq(config->users.count, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(user_at(i)->name, names[i]);
		ck_assert_uint_eq(user_at(i)->index, i);
		ck_assert_ptr_eq(
		    config_find_user(config, span_of(names[i])), user_at(i));
	}
	ck_assert_ptr_eq(config_find_user(config, SPAN("a")), user_at(1));
}
END_TEST

START_TEST(a_user_of_a_file_has_every_key)
{
	const struct config_user *user;

	(void)put("users.yaml",
	    "- name: app\n"
	    "  password_hash_file: ${env:POSTERN_TEST_DIR}/demo.hash\n"
	    "  senders: [\"@example.com\"]\n"
	    "  rate: 7/min\n"
	    "  daily: 9\n"
	    "  allow_from: 192.0.2.0/24\n",
	    0600);
	load_good(HEAD "users: [{file: users.yaml}]\n"
		       "routes: [{name: r, match: {user: app}, "
		       "providers: one}, {name: all, providers: one}]\n");
	user = config_find_user(config, SPAN("app"));
	ck_assert_str_eq(user->password_hash.ptr, "SCRAM-SHA-256$record");
	ck_assert_str_eq(CONFIG_STRING(user->senders, 0), "@example.com");
	ck_assert_uint_eq(user->rate.count, 7);
	ck_assert_int_eq(user->daily, 9);
	ck_assert_uint_eq(user->allow_from.count, 1);
	ck_assert_int_eq(user->mode, CONFIG_MODE_INHERIT);
}
END_TEST

START_TEST(the_digest_is_the_same_wherever_users_stand)
{
	struct config *inside, *outside, *other;

	(void)put("users.yaml", USER("a") USER("b"), 0600);
	inside = load_good(HEAD "users:\n" USER("a") USER("b"));
	outside = load_good(HEAD "users: [{file: users.yaml}]\n");
	(void)put("users.yaml", USER("a") USER("c"), 0600);
	other = load_good(HEAD "users: [{file: users.yaml}]\n");
	ck_assert_str_eq(inside->hash, outside->hash);
	ck_assert_str_ne(inside->hash, other->hash);
	config_unref(inside);
	config_unref(outside);
}
END_TEST

START_TEST(a_file_may_list_nobody)
{
	(void)put("none.yaml", "[]\n", 0600);
	load_good(HEAD "users:\n- file: none.yaml\n" USER("app"));
	ck_assert_uint_eq(config->users.count, 1);
	ck_assert_str_eq(user_at(0)->name, "app");
}
END_TEST

START_TEST(the_report_knows_which_files_were_read)
{
	struct stat st;
	const char *path = put("users.yaml", USER("a"), 0600);

	ck_assert_int_eq(stat(path, &st), 0);
	load(HEAD "users: [{file: users.yaml}, {file: /nonexistent}]\n");
	ck_assert_uint_eq(report.source_count, 3);
	ck_assert_ptr_nonnull(strstr(report.sources[0].path, "config.yaml"));
	ck_assert_ptr_nonnull(strstr(report.sources[1].path, "/users.yaml"));
	ck_assert_uint_eq(report.sources[1].as_read.st_ino, st.st_ino);
	ck_assert_str_eq(report.sources[2].path, "/nonexistent");
	ck_assert_uint_eq(report.sources[2].as_read.st_ino, 0);
}
END_TEST

START_TEST(a_file_everybody_may_read_is_refused)
{
	(void)put("users.yaml", USER("a"), 0604);
	load(HEAD "users: [{file: users.yaml}]\n");
	ck_assert_ptr_nonnull(
	    strstr(only_problem(), "/users.yaml may be read by everybody"));
	ck_assert_str_eq(report.problems[0].path, "users[0].file");
}
END_TEST

START_TEST(a_file_everybody_may_write_is_refused)
{
	(void)put("users.yaml", USER("a"), 0602);
	load(HEAD "users: [{file: users.yaml}]\n");
	ck_assert_ptr_nonnull(strstr(only_problem(),
	    "/users.yaml may be written by everybody (chmod o-w)"));
}
END_TEST

START_TEST(a_file_is_as_large_as_the_configuration_may_be)
{
	static char text[NODE_FILE_MAX + 4096];

	memset(text, '#', sizeof(text) - 1);
	memcpy(text, USER("a"), strlen(USER("a")));
	text[NODE_FILE_MAX] = '\0';
	(void)put("users.yaml", text, 0600);
	load_good(HEAD "users: [{file: users.yaml}]\n");
	text[NODE_FILE_MAX] = '#';
	text[NODE_FILE_MAX + 1] = '\0';
	(void)put("users.yaml", text, 0600);
	config_unref(config);
	load(HEAD "users: [{file: users.yaml}]\n");
	ck_assert_ptr_nonnull(
	    strstr(only_problem(), "/users.yaml is larger than 1 MiB"));
}
END_TEST

START_TEST(there_is_an_end_to_files)
{
	char text[16384] = HEAD "users:\n" USER("a");
	size_t len = strlen(text);

	for (int i = 0; i < 257; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%d.yaml", i);
		(void)put(name, "[]\n", 0600);
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "- file: %s\n", name);
	}
	load(text);
	ck_assert_str_eq(only_problem(), "is more than 256 files");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.user_files");
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, users_stand_where_their_file_is_named);
	tcase_add_test(t, a_user_of_a_file_has_every_key);
	tcase_add_test(t, the_digest_is_the_same_wherever_users_stand);
	tcase_add_test(t, a_file_may_list_nobody);
	tcase_add_test(t, the_report_knows_which_files_were_read);
	tcase_add_test(t, a_file_everybody_may_read_is_refused);
	tcase_add_test(t, a_file_everybody_may_write_is_refused);
	tcase_add_test(t, a_file_is_as_large_as_the_configuration_may_be);
	tcase_add_test(t, there_is_an_end_to_files);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
