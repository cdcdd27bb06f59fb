/* What the account of the SES fake says, and keeps to. */
#include <support/unit.h>

#include <sandbox/ses_account.h>

#include <string.h>

static struct ses_account a;
static uint64_t now;

static void setup(void)
{
	memset(&a, 0, sizeof(a));
	now = 1000000;
}

static const char *set(const char *text)
{
	json_t *spec = json_loads(text, 0, NULL);
	const char *wrong = ses_account_read(spec, &a);

	json_decref(spec);
	return wrong;
}

START_TEST(one_that_nobody_has_set_takes_all)
{
	for (unsigned i = 0; i < 10000; i++)
		ck_assert_int_eq(ses_account_take(&a, 50, now), SES_TAKEN);
}
END_TEST

START_TEST(its_rate_counts_recipients)
{
	ck_assert_ptr_null(set("{\"max_send_rate\": 14}"));
	ck_assert_int_eq(ses_account_take(&a, 13, now), SES_TAKEN);
	ck_assert_int_eq(ses_account_take(&a, 50, now), SES_TAKEN);
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_TOO_FAST);
	now += 3000;
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_TOO_FAST);
	now += 1000;
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_TAKEN);
}
END_TEST

START_TEST(its_quota_ends)
{
	ck_assert_ptr_null(set("{\"max_24_hour_send\": 60}"));
	ck_assert_int_eq(ses_account_take(&a, 50, now), SES_TAKEN);
	ck_assert_int_eq(ses_account_take(&a, 50, now), SES_TAKEN);
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_QUOTA_USED);
}
END_TEST

START_TEST(closed_it_takes_nothing)
{
	ck_assert_ptr_null(set("{\"sending_enabled\": false}"));
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_PAUSED);
	ck_assert_ptr_null(set("{\"enforcement_status\": \"SHUTDOWN\"}"));
	ck_assert_int_eq(ses_account_take(&a, 1, now), SES_PAUSED);
}
END_TEST

START_TEST(it_tells_what_it_is)
{
	json_t *told;
	double rate, quota, sent;
	int sending, production;
	const char *status;

	ck_assert_ptr_null(set("{\"max_send_rate\": 0.5, "
			       "\"max_24_hour_send\": 200, "
			       "\"production_access\": false}"));
	(void)ses_account_take(&a, 3, now);
	told = ses_account_tell(&a);
	ck_assert_int_eq(
	    json_unpack(told, "{s:b, s:b, s:s, s:{s:F, s:F, s:F}}",
		"SendingEnabled", &sending, "ProductionAccessEnabled",
		&production, "EnforcementStatus", &status, "SendQuota",
		"MaxSendRate", &rate, "Max24HourSend", &quota,
		"SentLast24Hours", &sent),
	    0);
	ck_assert(sending && !production && rate == 0.5 && quota == 200);
	ck_assert(sent == 3);
	ck_assert_str_eq(status, "HEALTHY");
	json_decref(told);
}
END_TEST

START_TEST(says_what_is_wrong)
{
	static const char *const wrong[] = { "[]", "{\"max_send_rate\": 0}",
		"{\"max_send_rate\": \"14\"}", "{\"fail\": 200}",
		"{\"sending_enabled\": 1}",
		"{\"enforcement_status\": \"AS LONG AS IT CAN BE\"}" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_ptr_nonnull(set(wrong[i]));
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { one_that_nobody_has_set_takes_all,
		its_rate_counts_recipients, its_quota_ends,
		closed_it_takes_nothing, it_tells_what_it_is,
		says_what_is_wrong };
	Suite *s = suite_create("sandbox/ses_account");
	TCase *t = tcase_create("ses_account");

	tcase_add_checked_fixture(t, setup, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
