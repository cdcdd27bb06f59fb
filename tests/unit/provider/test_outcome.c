/* What transfers mean, whatever a module or a provider says. */
#include <support/unit.h>

#include <provider/provider.h>

#include <string.h>

/* What the module under test answers; set by each test. */
static struct postern_outcome verdict;
static struct postern_response seen;
static uint8_t verdict_bits;
static const struct postern_str asked_for[16] = { { "ann@dest.example", 16 } };

static void classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	uint8_t *bits = out->rejected;

	(void)settings;
	seen = *response;
	*out = verdict;
	out->rejected = bits;
	bits[0] = verdict_bits;
}

static const struct postern_provider provider = { .name = "test",
	.classify = classify };

static struct provider_result run(
    enum http_fault fault, int status, size_t recipients)
{
	struct http_response response = { .fault = fault, .status = status };
	struct provider_result result;
	static uint8_t bits[2];
	const struct provider_asked asked = { .recipient_count = recipients,
		.recipients = asked_for,
		.now = 1000,
		.is_repeat = true };

	provider_classify(&provider, NULL, &response, &asked, bits, &result);
	return result;
}

static void set_up(void)
{
	memset(&verdict, 0, sizeof(verdict));
	memset(&seen, 0, sizeof(seen));
	verdict_bits = 0;
}

START_TEST(knows_what_a_fault_means)
{
	static const struct {
		enum http_fault fault;
		int status;
		enum postern_class expected;
	} cases[] = {
		{ HTTP_FAULT_RESOLVE, 0, POSTERN_TRANSIENT },
		{ HTTP_FAULT_CONNECT, 0, POSTERN_TRANSIENT },
		{ HTTP_FAULT_TLS, 0, POSTERN_TRANSIENT },
		{ HTTP_FAULT_UNSENT, 0, POSTERN_TRANSIENT },
		{ HTTP_FAULT_CANCELLED, 0, POSTERN_TRANSIENT },
		{ HTTP_FAULT_UNANSWERED, 0, POSTERN_UNKNOWN },
		{ HTTP_FAULT_CUT, 0, POSTERN_UNKNOWN },
		{ HTTP_FAULT_NONE, 0, POSTERN_UNKNOWN },
	};

	verdict.result = POSTERN_ACCEPTED;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct provider_result r =
		    run(cases[i].fault, cases[i].status, 1);
		ck_assert_msg(
		    r.outcome.result == cases[i].expected, "case %zu", i);
		ck_assert(r.outcome.reason[0] != '\0');
	}
}
END_TEST

START_TEST(lets_the_module_judge_an_answer)
{
	verdict.result = POSTERN_ACCEPTED;
	ck_assert_int_eq(
	    run(HTTP_FAULT_NONE, 200, 1).outcome.result, POSTERN_ACCEPTED);
	ck_assert(!seen.is_cut);
	ck_assert_int_eq(seen.status, 200);
	ck_assert_int_eq(seen.now, 1000);
	ck_assert_ptr_eq(seen.recipients, asked_for);
	ck_assert(seen.is_repeat);
	ck_assert_int_eq(
	    run(HTTP_FAULT_CUT, 202, 1).outcome.result, POSTERN_ACCEPTED);
	ck_assert(seen.is_cut);
}
END_TEST

START_TEST(takes_no_verdict_for_unknown)
{
	ck_assert_int_eq(
	    run(HTTP_FAULT_NONE, 200, 1).outcome.result, POSTERN_UNKNOWN);
	verdict.result = (enum postern_class)77;
	ck_assert_int_eq(
	    run(HTTP_FAULT_NONE, 200, 1).outcome.result, POSTERN_UNKNOWN);
}
END_TEST

START_TEST(makes_texts_safe)
{
	struct provider_result r;

	verdict.result = POSTERN_REJECTED;
	strncpy(verdict.reason, "a\r\nb\x1b[31m\xff\xc2\x85\xc3\xbc",
	    sizeof(verdict.reason) - 1);
	strncpy(verdict.provider_id, "i d\n\xc3\xbc",
	    sizeof(verdict.provider_id) - 1);
	r = run(HTTP_FAULT_NONE, 400, 1);
	ck_assert_str_eq(r.outcome.reason, "a  b [31m?\?\?\xc3\xbc");
	ck_assert_str_eq(r.outcome.provider_id, "i?d???");
	memset(verdict.reason, 'x', sizeof(verdict.reason));
	memset(verdict.provider_id, 'x', sizeof(verdict.provider_id));
	r = run(HTTP_FAULT_NONE, 400, 1);
	ck_assert_uint_eq(strlen(r.outcome.reason), POSTERN_REASON_SIZE - 1);
	ck_assert_uint_eq(strlen(r.outcome.provider_id), POSTERN_ID_SIZE - 1);
}
END_TEST

START_TEST(what_is_no_final_status_is_unknown)
{
	static const int odd[] = { 1, 100, 103, 199, 600, 999 };

	verdict.result = POSTERN_TRANSIENT;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct provider_result r = run(HTTP_FAULT_NONE, odd[i], 1);

		ck_assert_int_eq(r.outcome.result, POSTERN_UNKNOWN);
		ck_assert_int_eq(r.status, odd[i]);
		ck_assert(r.outcome.reason[0] != '\0');
		ck_assert_int_eq(seen.status, 0); /* not asked */
	}
}
END_TEST

START_TEST(counts_refused_recipients)
{
	struct provider_result r;

	verdict.result = POSTERN_ACCEPTED;
	verdict_bits = 0xfd;
	r = run(HTTP_FAULT_NONE, 200, 3);
	ck_assert_int_eq(r.outcome.result, POSTERN_ACCEPTED);
	ck_assert_uint_eq(r.outcome.rejected[0], 0x05);
	verdict_bits = 0xff;
	r = run(HTTP_FAULT_NONE, 200, 3);
	ck_assert_int_eq(r.outcome.result, POSTERN_REJECTED);
	r = run(HTTP_FAULT_NONE, 200, 8);
	ck_assert_int_eq(r.outcome.result, POSTERN_REJECTED);
}
END_TEST

START_TEST(bounds_the_wait)
{
	verdict.result = POSTERN_THROTTLED;
	verdict.retry_after_ms = UINT64_MAX;
	ck_assert_uint_eq(run(HTTP_FAULT_NONE, 429, 1).outcome.retry_after_ms,
	    7ull * 24 * 3600 * 1000);
}
END_TEST

START_TEST(names_every_class)
{
	static const char *const names[] = { "none", "accepted", "rejected",
		"account", "throttled", "transient", "unknown" };

	for (int i = 0; i < 7; i++)
		ck_assert_str_eq(
		    provider_class_name((enum postern_class)i), names[i]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.outcome");
	TCase *t = tcase_create("outcome");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, knows_what_a_fault_means);
	tcase_add_test(t, lets_the_module_judge_an_answer);
	tcase_add_test(t, takes_no_verdict_for_unknown);
	tcase_add_test(t, makes_texts_safe);
	tcase_add_test(t, what_is_no_final_status_is_unknown);
	tcase_add_test(t, counts_refused_recipients);
	tcase_add_test(t, bounds_the_wait);
	tcase_add_test(t, names_every_class);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
