/* Parameters of MAIL and RCPT. */
#include <smtp/param.h>

#include <support/unit.h>

static const struct {
	const char *args;
	enum smtp_param_result result;
	const char *culprit;
} cases[] = {
	{ "", SMTP_PARAM_OK, "" },
	{ "   ", SMTP_PARAM_OK, "" },
	{ " SIZE=0", SMTP_PARAM_OK, "" },
	{ " size=9223372036854775807", SMTP_PARAM_OK, "" },
	{ " SIZE=9223372036854775808", SMTP_PARAM_BAD, "SIZE" },
	{ " SIZE=000000000000000000001", SMTP_PARAM_BAD, "SIZE" },
	{ " SIZE", SMTP_PARAM_BAD, "SIZE" },
	{ " SIZE=", SMTP_PARAM_BAD, "SIZE" },
	{ " SIZE=1x", SMTP_PARAM_BAD, "SIZE" },
	{ " SIZE=1 BODY=7BIT SIZE=2", SMTP_PARAM_BAD, "SIZE" },
	{ " BODY=8bitmime", SMTP_PARAM_OK, "" },
	{ " BODY=7BIT BODY=7BIT", SMTP_PARAM_BAD, "BODY" },
	{ " BODY", SMTP_PARAM_BAD, "BODY" },
	{ " BODY=BINARYMIME", SMTP_PARAM_BAD, "BODY" },
	{ " AUTH=<>", SMTP_PARAM_OK, "" },
	{ " AUTH=e+3Dmc2@example.com", SMTP_PARAM_OK, "" },
	{ " AUTH=", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a+3", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a+3d", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a=b", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=<> AUTH=<>", SMTP_PARAM_BAD, "AUTH" },
	{ " SMTPUTF8", SMTP_PARAM_UNKNOWN, "SMTPUTF8" },
	{ " SIZE=1 x-y=z", SMTP_PARAM_UNKNOWN, "x-y" },
	{ " =x", SMTP_PARAM_SYNTAX, "" },
	{ " -x", SMTP_PARAM_SYNTAX, "" },
	{ " a_b=c", SMTP_PARAM_SYNTAX, "" },
	{ " \xc3\xa9=1", SMTP_PARAM_SYNTAX, "" },
};

START_TEST(judges_parameters_of_mail)
{
	struct smtp_params p;
	struct span culprit = SPAN("");

	ck_assert_int_eq(
	    smtp_param_parse_mail(span_of(cases[_i].args), &p, &culprit),
	    cases[_i].result);
	ck_assert(span_eq(culprit, span_of(cases[_i].culprit)));
}
END_TEST

START_TEST(gives_their_values)
{
	struct smtp_params p;
	struct span culprit;

	ck_assert_int_eq(
	    smtp_param_parse_mail(
		SPAN(" SIZE=42  body=8BITMIME AUTH=a+3Db"), &p, &culprit),
	    SMTP_PARAM_OK);
	ck_assert(p.has_size && p.has_body && p.has_auth);
	ck_assert_uint_eq(p.size, 42);
	ck_assert_int_eq(p.body, ENVELOPE_BODY_8BITMIME);
	ck_assert(span_eq(p.auth, SPAN("a+3Db")));
}
END_TEST

START_TEST(knows_no_parameter_of_rcpt)
{
	struct span culprit = SPAN("");

	ck_assert_int_eq(
	    smtp_param_parse_rcpt(SPAN("  "), &culprit), SMTP_PARAM_OK);
	ck_assert_int_eq(smtp_param_parse_rcpt(SPAN(" NOTIFY=NEVER"), &culprit),
	    SMTP_PARAM_UNKNOWN);
	ck_assert(span_eq(culprit, SPAN("NOTIFY")));
	ck_assert_int_eq(
	    smtp_param_parse_rcpt(SPAN(" ="), &culprit), SMTP_PARAM_SYNTAX);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("param");
	TCase *tc = tcase_create("parameters");

	tcase_add_loop_test(tc, judges_parameters_of_mail, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, gives_their_values);
	tcase_add_test(tc, knows_no_parameter_of_rcpt);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
