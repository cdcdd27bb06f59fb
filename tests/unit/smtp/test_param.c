/* Parameters of MAIL and RCPT. */
#include <smtp/param.h>

#include <support/unit.h>

enum {
	DAY_MS = 86400000
};

#define NOW INT64_C(1795341600000) /* 2026-11-22T10:00:00Z */

static const struct smtp_param_rules all = { .offered = ~0U,
	.is_stored = true,
	.max_hold_ms = 7 * (uint64_t)DAY_MS,
	.now_ms = NOW };

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X100 X50 X50

static const struct {
	const char *args;
	enum smtp_param_result result;
	const char *culprit;
} mail_cases[] = {
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
	{ " BODY=9BIT", SMTP_PARAM_BAD, "BODY" },
	{ " AUTH=<>", SMTP_PARAM_OK, "" },
	{ " AUTH=e+3Dmc2@example.com", SMTP_PARAM_OK, "" },
	{ " AUTH=", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a+3", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a+3d", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=a=b", SMTP_PARAM_BAD, "AUTH" },
	{ " AUTH=<> AUTH=<>", SMTP_PARAM_BAD, "AUTH" },
	{ " SMTPUTF8", SMTP_PARAM_OK, "" },
	{ " SMTPUTF8=", SMTP_PARAM_BAD, "SMTPUTF8" },
	{ " SMTPUTF8=1", SMTP_PARAM_BAD, "SMTPUTF8" },
	{ " SMTPUTF8 smtputf8", SMTP_PARAM_BAD, "smtputf8" },
	{ " RET=FULL", SMTP_PARAM_OK, "" },
	{ " ret=hdrs", SMTP_PARAM_OK, "" },
	{ " RET=NONE", SMTP_PARAM_BAD, "RET" },
	{ " RET", SMTP_PARAM_BAD, "RET" },
	{ " RET=FULL RET=FULL", SMTP_PARAM_BAD, "RET" },
	{ " ENVID=QQ+2B314159", SMTP_PARAM_OK, "" },
	{ " ENVID=" X100, SMTP_PARAM_OK, "" },
	{ " ENVID=" X100 "x", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a+", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a+4g", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a+0D+0ABcc:", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a+09b+20c", SMTP_PARAM_OK, "" },
	{ " ENVID=a+7F", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a+C3", SMTP_PARAM_BAD, "ENVID" },
	{ " ENVID=a ENVID=a", SMTP_PARAM_BAD, "ENVID" },
	{ " HOLDFOR=1", SMTP_PARAM_OK, "" },
	{ " HOLDFOR=604800", SMTP_PARAM_OK, "" },
	{ " HOLDFOR=604801", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=999999999", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=1000000000", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=0", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=01", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=-1", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDFOR=1 HOLDFOR=1", SMTP_PARAM_BAD, "HOLDFOR" },
	{ " HOLDUNTIL=2026-11-22T10:00:01Z", SMTP_PARAM_OK, "" },
	{ " HOLDUNTIL=2026-11-29T10:00:00Z", SMTP_PARAM_OK, "" },
	{ " HOLDUNTIL=2026-11-29T10:00:01Z", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL=2026-11-22T10:00:00Z", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL=1970-01-01T00:00:00Z", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL=0000-01-01T00:00:00Z", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL=9999-12-31T23:59:59Z", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL=tomorrow", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDUNTIL", SMTP_PARAM_BAD, "HOLDUNTIL" },
	{ " HOLDFOR=1 HOLDUNTIL=2026-11-22T10:00:01Z", SMTP_PARAM_BAD,
	    "HOLDUNTIL" },
	{ " HOLDUNTIL=2026-11-22T10:00:01Z HOLDFOR=1", SMTP_PARAM_BAD,
	    "HOLDFOR" },
	{ " MT-PRIORITY=9", SMTP_PARAM_OK, "" },
	{ " mt-priority=-9", SMTP_PARAM_OK, "" },
	{ " MT-PRIORITY=0", SMTP_PARAM_OK, "" },
	{ " MT-PRIORITY=10", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=-10", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=+1", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=-0", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=-", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " MT-PRIORITY=1 MT-PRIORITY=1", SMTP_PARAM_MALFORMED, "MT-PRIORITY" },
	{ " SIZE=1 x-y=z", SMTP_PARAM_UNKNOWN, "x-y" },
	{ " NOTIFY=NEVER", SMTP_PARAM_UNKNOWN, "NOTIFY" },
	{ " =x", SMTP_PARAM_SYNTAX, "" },
	{ " -x", SMTP_PARAM_SYNTAX, "" },
	{ " a_b=c", SMTP_PARAM_SYNTAX, "" },
	{ " \xc3\xa9=1", SMTP_PARAM_SYNTAX, "" },
};

START_TEST(judges_parameters_of_mail)
{
	struct smtp_mail_params p;
	struct smtp_param_fault fault;

	ck_assert_int_eq(smtp_param_parse_mail(
			     span_of(mail_cases[_i].args), &all, &p, &fault),
	    mail_cases[_i].result);
	if (mail_cases[_i].result != SMTP_PARAM_OK)
		ck_assert(
		    span_eq(fault.keyword, span_of(mail_cases[_i].culprit)));
}
END_TEST

START_TEST(gives_their_values)
{
	struct smtp_mail_params p;
	struct smtp_param_fault fault;

	ck_assert_int_eq(
	    smtp_param_parse_mail(
		SPAN(" SIZE=42  body=8BITMIME AUTH=a+3Db SMTPUTF8 RET=HDRS"
		     " ENVID=x+2By HOLDFOR=60 MT-PRIORITY=-4"),
		&all, &p, &fault),
	    SMTP_PARAM_OK);
	ck_assert(p.has_size);
	ck_assert_uint_eq(p.size, 42);
	ck_assert(span_eq(p.auth, SPAN("a+3Db")));
	ck_assert_int_eq(p.terms.body, ENVELOPE_BODY_8BITMIME);
	ck_assert(p.terms.is_utf8);
	ck_assert_int_eq(p.terms.ret, ENVELOPE_RET_HDRS);
	ck_assert(span_eq(p.terms.envid, SPAN("x+2By")));
	ck_assert_int_eq(p.terms.release_ms, NOW + 60000);
	ck_assert(p.terms.has_priority);
	ck_assert_int_eq(p.terms.priority, -4);
}
END_TEST

START_TEST(without_them_nothing_is_asked_for)
{
	struct smtp_mail_params p;
	struct smtp_param_fault fault;

	ck_assert_int_eq(
	    smtp_param_parse_mail(SPAN(""), &all, &p, &fault), SMTP_PARAM_OK);
	ck_assert(!p.has_size && !p.terms.is_utf8 && !p.terms.has_priority);
	ck_assert_int_eq(p.terms.body, ENVELOPE_BODY_7BIT);
	ck_assert_int_eq(p.terms.ret, ENVELOPE_RET_UNSAID);
	ck_assert_uint_eq(p.terms.envid.len, 0);
	ck_assert_int_eq(p.terms.release_ms, 0);
}
END_TEST

/* Each is taken by its own extension and, without that, not known. */
static const struct {
	const char *args;
	unsigned extension;
} offers[] = {
	{ " SIZE=1", SMTP_EXT_ESMTP },
	{ " BODY=7BIT", SMTP_EXT_ESMTP },
	{ " AUTH=<>", SMTP_EXT_ESMTP },
	{ " SMTPUTF8", SMTP_EXT_UTF8 },
	{ " RET=FULL", SMTP_EXT_DSN },
	{ " ENVID=x", SMTP_EXT_DSN },
	{ " HOLDFOR=1", SMTP_EXT_RELEASE },
	{ " HOLDUNTIL=2026-11-22T10:00:01Z", SMTP_EXT_RELEASE },
	{ " MT-PRIORITY=1", SMTP_EXT_PRIORITY },
};

START_TEST(takes_only_what_is_offered)
{
	struct smtp_param_rules rules = all;
	struct smtp_mail_params p;
	struct smtp_param_fault fault;
	struct span args = span_of(offers[_i].args);

	rules.offered = offers[_i].extension;
	ck_assert_int_eq(
	    smtp_param_parse_mail(args, &rules, &p, &fault), SMTP_PARAM_OK);
	rules.offered = ~offers[_i].extension;
	ck_assert_int_eq(smtp_param_parse_mail(args, &rules, &p, &fault),
	    SMTP_PARAM_UNKNOWN);
}
END_TEST

START_TEST(nothing_waits_where_nothing_is_stored)
{
	struct smtp_param_rules rules = all;
	struct smtp_mail_params p;
	struct smtp_param_fault fault;

	rules.is_stored = false;
	ck_assert_int_eq(
	    smtp_param_parse_mail(SPAN(" HOLDFOR=1"), &rules, &p, &fault),
	    SMTP_PARAM_BAD);
	ck_assert_ptr_nonnull(fault.why);
}
END_TEST

static const struct {
	const char *args;
	bool is_utf8;
	enum smtp_param_result result;
	unsigned notify;
	const char *orcpt;
} rcpt_cases[] = {
	{ "  ", false, SMTP_PARAM_OK, 0, "" },
	{ " NOTIFY=NEVER", false, SMTP_PARAM_OK, ENVELOPE_NOTIFY_NEVER, "" },
	{ " notify=success,Failure,DELAY", false, SMTP_PARAM_OK,
	    ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE |
		ENVELOPE_NOTIFY_DELAY,
	    "" },
	{ " NOTIFY=NEVER,DELAY", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY=FAILURE,NEVER", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY=", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY=SUCCESS,", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY=ALWAYS", false, SMTP_PARAM_BAD, 0, "" },
	{ " NOTIFY=DELAY NOTIFY=DELAY", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=rfc822;Bob+40x@y.example", false, SMTP_PARAM_OK, 0,
	    "rfc822;Bob+40x@y.example" },
	{ " ORCPT=x-400;a;b", false, SMTP_PARAM_OK, 0, "x-400;a;b" },
	{ " ORCPT=rfc822", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=rfc822;", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=;a@b", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=r(c;a@b", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=rfc822;a+0Ab", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=rfc822;a=b", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=rfc822;a@b ORCPT=rfc822;a@b", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=utf-8;\xc3\xa9@b", true, SMTP_PARAM_OK, 0,
	    "utf-8;\xc3\xa9@b" },
	{ " ORCPT=utf-8;\xc3\xa9@b", false, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=utf-8;\\x{E9}@b", false, SMTP_PARAM_OK, 0,
	    "utf-8;\\x{E9}@b" },
	{ " ORCPT=rfc822;\xc3\xa9@b", true, SMTP_PARAM_BAD, 0, "" },
	{ " ORCPT=utf-8;\xc3\xa9=b", true, SMTP_PARAM_BAD, 0, "" },
	{ " SIZE=1", false, SMTP_PARAM_UNKNOWN, 0, "" },
	{ " =", false, SMTP_PARAM_SYNTAX, 0, "" },
};

START_TEST(judges_parameters_of_rcpt)
{
	struct smtp_param_rules rules = all;
	struct smtp_rcpt_params p;
	struct smtp_param_fault fault;

	rules.is_utf8 = rcpt_cases[_i].is_utf8;
	ck_assert_int_eq(smtp_param_parse_rcpt(
			     span_of(rcpt_cases[_i].args), &rules, &p, &fault),
	    rcpt_cases[_i].result);
	if (rcpt_cases[_i].result != SMTP_PARAM_OK)
		return;
	ck_assert_uint_eq(p.notify, rcpt_cases[_i].notify);
	ck_assert(span_eq(p.orcpt, span_of(rcpt_cases[_i].orcpt)));
}
END_TEST

START_TEST(an_original_recipient_has_a_length)
{
	struct smtp_rcpt_params p;
	struct smtp_param_fault fault;
	char args[600] =
	    " ORCPT=rfc822;" X100 X100 X100 X100 X50 X10 X10 X10 X10 "xxx";
	struct span longest = span_of(args);

	ck_assert_uint_eq(longest.len, strlen(" ORCPT=") + 500);
	ck_assert_int_eq(
	    smtp_param_parse_rcpt(longest, &all, &p, &fault), SMTP_PARAM_OK);
	args[longest.len++] = 'x';
	ck_assert_int_eq(
	    smtp_param_parse_rcpt(longest, &all, &p, &fault), SMTP_PARAM_BAD);
}
END_TEST

START_TEST(reports_are_asked_for_only_where_offered)
{
	struct smtp_param_rules rules = all;
	struct smtp_rcpt_params p;
	struct smtp_param_fault fault;

	rules.offered &= ~(unsigned)SMTP_EXT_DSN;
	ck_assert_int_eq(
	    smtp_param_parse_rcpt(SPAN(" NOTIFY=NEVER"), &rules, &p, &fault),
	    SMTP_PARAM_UNKNOWN);
	ck_assert(span_eq(fault.keyword, SPAN("NOTIFY")));
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static Suite *make_suite(void)
{
	Suite *s = suite_create("smtp/param");
	TCase *t = tcase_create("param");

	tcase_add_loop_test(t, judges_parameters_of_mail, 0, COUNT(mail_cases));
	tcase_add_test(t, gives_their_values);
	tcase_add_test(t, without_them_nothing_is_asked_for);
	tcase_add_loop_test(t, takes_only_what_is_offered, 0, COUNT(offers));
	tcase_add_test(t, nothing_waits_where_nothing_is_stored);
	tcase_add_loop_test(t, judges_parameters_of_rcpt, 0, COUNT(rcpt_cases));
	tcase_add_test(t, an_original_recipient_has_a_length);
	tcase_add_test(t, reports_are_asked_for_only_where_offered);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
