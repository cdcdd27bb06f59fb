/* Who a header field says wrote the message. */
#include <smtp/author.h>

#include <errno.h>
#include <string.h>

#include <support/unit.h>

/* Those in @ok.test may. */
static bool is_allowed(struct span address, void *ctx)
{
	size_t *count = ctx;

	++*count;
	return span_iends_with(address, SPAN("@ok.test"));
}

static const struct {
	const char *value;
	int rc;
	size_t count; /* addresses asked for, when rc is 0 */
} cases[] = {
	{ "a@ok.test", 0, 1 },
	{ " a@OK.TEST ", 0, 1 },
	{ "<a@ok.test>", 0, 1 },
	{ "A B <a@ok.test>", 0, 1 },
	{ "\"evil@bad.test\" <a@ok.test>", 0, 1 },
	{ "\"a, b\" <a@ok.test>, c@ok.test", 0, 2 },
	{ "\"a\\\" <evil@bad.test>\" <a@ok.test>", 0, 1 },
	{ "(evil@bad.test) a@ok.test (x)", 0, 1 },
	{ "(a (nested \\) ) comment) a@ok.test", 0, 1 },
	{ "a@ok.test,, b@ok.test,", 0, 2 },
	{ "Team: a@ok.test, B <b@ok.test>;", 0, 2 },
	{ "\"quoted local\"@ok.test", 0, 1 },
	{ "< a@ok.test >", 0, 1 },
	{ "=?utf-8?q?x?= <a@ok.test>", 0, 1 },
	/* somebody else, in every disguise */
	{ "evil@bad.test", -EACCES, 0 },
	{ "a@ok.test <evil@bad.test>", -EACCES, 0 },
	{ "\"a@ok.test\" <evil@bad.test>", -EACCES, 0 },
	{ "evil@bad.test (a@ok.test)", -EACCES, 0 },
	{ "a@ok.test, evil@bad.test", -EACCES, 0 },
	{ "evil@bad.test, a@ok.test", -EACCES, 0 },
	{ "a@ok.test: evil@bad.test;", -EACCES, 0 },
	{ "Team: a@ok.test; evil@bad.test", -EACCES, 0 },
	/* what two parsers might read in two ways */
	{ "", -EINVAL, 0 },
	{ " ", -EINVAL, 0 },
	{ "nobody", -EINVAL, 0 },
	{ "<>", -EINVAL, 0 },
	{ "Team:;", -EINVAL, 0 },
	{ "(a@ok.test)", -EINVAL, 0 },
	{ "<a@ok.test", -EINVAL, 0 },
	{ "a@ok.test>", -EINVAL, 0 },
	{ "\"a <a@ok.test>", -EINVAL, 0 },
	{ "(a <a@ok.test>", -EINVAL, 0 },
	{ "a) <a@ok.test>", -EINVAL, 0 },
	{ "<a@ok.test> <evil@bad.test>", -EINVAL, 0 },
	{ "<a@ok.test> evil@bad.test", -EINVAL, 0 },
	{ "<a@ok.test> \"x\"", -EINVAL, 0 },
	{ "evil@bad.test a@ok.test", -EINVAL, 0 },
	{ "<@bad.test:a@ok.test>", -EINVAL, 0 },
	{ "<evil@bad.test<a@ok.test>>", -EINVAL, 0 },
	{ "a@ok.test\\", -EINVAL, 0 },
	{ "\\\"a@ok.test", -EINVAL, 0 },
};

START_TEST(judges_a_field)
{
	size_t count = 0;

	ck_assert_msg(smtp_author_check(span_of(cases[_i].value), is_allowed,
			  &count) == cases[_i].rc,
	    "%s", cases[_i].value);
	if (cases[_i].rc == 0)
		ck_assert_uint_eq(count, cases[_i].count);
}
END_TEST

START_TEST(takes_a_long_name_but_no_long_address)
{
	char text[2048];
	size_t count = 0;

	memset(text, 'x', sizeof(text));
	memcpy(text + 1024, " <a@ok.test>", 12);
	ck_assert_int_eq(
	    smtp_author_check(span_make(text, 1036), is_allowed, &count), 0);
	memcpy(text + 1024, "@ok.test", 8);
	ck_assert_int_eq(
	    smtp_author_check(span_make(text, 1032), is_allowed, &count),
	    -EINVAL);
	memset(text, '(', sizeof(text));
	ck_assert_int_eq(smtp_author_check(
			     span_make(text, sizeof(text)), is_allowed, &count),
	    -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("author");
	TCase *tc = tcase_create("fields");

	tcase_add_loop_test(
	    tc, judges_a_field, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, takes_a_long_name_but_no_long_address);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
