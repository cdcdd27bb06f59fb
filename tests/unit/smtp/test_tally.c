#include <support/unit.h>

#include <smtp/session_internal.h>

static const struct {
	enum counter_stage stage;
	const char *enhanced;
	enum counter_reject reason;
} cases[] = {
	{ COUNTER_STAGE_MAIL, "5.7.1", COUNTER_REJECT_SENDER },
	{ COUNTER_STAGE_MAIL, "5.1.8", COUNTER_REJECT_SENDER },
	{ COUNTER_STAGE_MAIL, "5.6.7", COUNTER_REJECT_SENDER },
	{ COUNTER_STAGE_MAIL, "5.3.4", COUNTER_REJECT_SIZE },
	{ COUNTER_STAGE_MAIL, "5.2.3", COUNTER_REJECT_SIZE },
	{ COUNTER_STAGE_MAIL, "5.5.4", COUNTER_REJECT_SYNTAX },
	{ COUNTER_STAGE_MAIL, "5.7.0", COUNTER_REJECT_POLICY },
	{ COUNTER_STAGE_MAIL, "4.3.1", COUNTER_REJECT_STORAGE },
	{ COUNTER_STAGE_MAIL, "4.3.5", COUNTER_REJECT_CONFIG },
	{ COUNTER_STAGE_RCPT, "5.7.1", COUNTER_REJECT_RECIPIENT },
	{ COUNTER_STAGE_RCPT, "5.1.1", COUNTER_REJECT_RECIPIENT },
	{ COUNTER_STAGE_RCPT, "5.6.7", COUNTER_REJECT_RECIPIENT },
	{ COUNTER_STAGE_RCPT, "4.5.3", COUNTER_REJECT_RECIPIENT },
	{ COUNTER_STAGE_DATA, "5.7.1", COUNTER_REJECT_SENDER },
	{ COUNTER_STAGE_DATA, "5.4.6", COUNTER_REJECT_LOOP },
	{ COUNTER_STAGE_DATA, "5.6.0", COUNTER_REJECT_SYNTAX },
	{ COUNTER_STAGE_DATA, "4.4.1", COUNTER_REJECT_PROVIDER },
	{ COUNTER_STAGE_DATA, "4.3.0", COUNTER_REJECT_STORAGE },
	{ COUNTER_STAGE_DATA, "", COUNTER_REJECT_POLICY },
};

START_TEST(a_refusal_is_what_its_code_says)
{
	ck_assert_int_eq(smtp_tally_reason(cases[_i].stage, cases[_i].enhanced),
	    cases[_i].reason);
}
END_TEST

/* Labels are told apart, and there for every value. */
START_TEST(every_label_has_a_word_of_its_own)
{
	static const struct {
		const char *const *names;
		unsigned count;
	} lists[] = {
		{ counter_refusal_names, COUNTER_REFUSALS },
		{ counter_end_names, COUNTER_ENDS },
		{ counter_violation_names, COUNTER_VIOLATIONS },
		{ counter_mechanism_names, COUNTER_MECHANISMS },
		{ counter_login_names, COUNTER_LOGINS },
		{ counter_verb_names, COUNTER_VERBS },
		{ counter_stage_names, COUNTER_STAGES },
		{ counter_reject_names, COUNTER_REJECTS },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (unsigned k = 0; k < lists[i].count; k++)
			ck_assert_uint_eq(
			    counter_label_find(lists[i].names, lists[i].count,
				lists[i].names[k], UINT32_MAX),
			    k);
		ck_assert_uint_eq(counter_label_find(lists[i].names,
				      lists[i].count, "none of them", 77),
		    77);
	}
	ck_assert_str_eq(counter_violation_names[SMTP_PREGREET], "pregreet");
	ck_assert_str_eq(counter_violation_names[SMTP_BARE_LF], "bare_lf");
	ck_assert_str_eq(
	    counter_violation_names[SMTP_INJECTION], "starttls_injection");
	ck_assert_str_eq(
	    counter_violation_names[SMTP_PIPELINING], "pipelining");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("tally");
	TCase *tc = tcase_create("tally");

	tcase_add_loop_test(tc, a_refusal_is_what_its_code_says, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, every_label_has_a_word_of_its_own);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
