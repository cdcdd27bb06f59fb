/* libsasl2 in a system where its modules are not installed. */
#include <support/unit.h>

#include "fixture.h"

#include <auth/sasl_internal.h>

#include <string.h>

static struct err e;

static void open_library(void)
{
	ck_assert_int_eq(sasl_library_init("/nonexistent/sasl2", &e), 0);
}

static void close_library(void)
{
	auth_library_done();
}

static const struct auth_channel channel = { .tls_bits = 128 };

static struct config *config_with(const char *mechanisms)
{
	char record[FIXTURE_TEXT_SIZE];
	const struct fixture_user users[] = {
		{ "alice", fixture_scram("secret", record), NULL },
		{ NULL, NULL, NULL }
	};

	return fixture_config(users, mechanisms, NULL);
}

START_TEST(says_which_mechanism_is_missing_and_what_to_install)
{
	struct config *config = config_with(NULL);

	ck_assert_ptr_null(auth_new(config, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "SCRAM-SHA-256"));
	ck_assert_ptr_nonnull(strstr(e.text, "/nonexistent/sasl2"));
	ck_assert_ptr_nonnull(strstr(e.text, "libsasl2-modules"));
	ck_assert_int_lt(auth_check_config(config, NULL), 0);
	config_unref(config);
}
END_TEST

START_TEST(does_without_modules_when_scram_is_not_wanted)
{
	struct config *config = config_with("[LOGIN, PLAIN]");
	struct auth *auth = auth_new(config, &e);

	ck_assert_msg(auth != NULL, "%s", e.text);
	ck_assert_str_eq(
	    auth_mechanisms(auth, config, &channel), "LOGIN PLAIN");
	auth_free(auth);
	config_unref(config);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/sasl");
	TCase *t = tcase_create("no modules");

	tcase_add_unchecked_fixture(t, open_library, close_library);
	tcase_add_test(t, says_which_mechanism_is_missing_and_what_to_install);
	tcase_add_test(t, does_without_modules_when_scram_is_not_wanted);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
