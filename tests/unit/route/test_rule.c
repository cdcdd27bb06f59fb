/* Patterns over the fields of a header. */
#include <support/unit.h>

#include <mail/mime.h>
#include <route/rule.h>

#include <stdlib.h>
#include <string.h>

static const char header[] = "Received: from a by b\r\n"
			     "Subject: Your =?utf-8?q?R=C3=A9sum=C3=A9?=\r\n"
			     " and\r\n"
			     "\tmore\r\n"
			     "X-Tag:news\r\n"
			     "x-tag: Billing-2026 \r\n"
			     "X-Empty:\r\n"
			     "X-Star: a*b\r\n"
			     "\r\n"
			     "Body: not a field\r\n";

static const struct {
	const char *rule;
	bool fits;
} rules[] = {
	{ "X-Tag", true },
	{ "x-TAG", true },
	{ " X-Tag ", true },
	{ "X-Ta", false },
	{ "X-Missing", false },
	{ "Body", false },
	{ "X-Tag: news", true },
	{ "X-Tag:NEWS", true },
	{ "X-Tag: new", false },
	{ "X-Tag: ews", false },
	{ "X-Tag: billing-*", true },
	{ "X-Tag: *-2026", true },
	{ "X-Tag: *", true },
	{ "X-Tag:", false },
	{ "X-Empty:", true },
	{ "X-Empty: *", true },
	{ "X-Empty: ?", false },
	{ "Subject: Your R\xc3\xa9sum\xc3\xa9 and more", true },
	{ "Subject: *r\xc3\xa9SUM\xc3\xa9*", true },
	{ "Subject: *=C3*", false },
	{ "X-Star: a*b", true },
	{ "Received: from*by b", true },
	{ "Received: from*by b*b", false },
};

START_TEST(names_and_values)
{
	bool fits = rule_fits_header(span_of(rules[_i].rule), span_of(header));

	ck_assert_msg(fits == rules[_i].fits, "%s", rules[_i].rule);
}
END_TEST

static const struct {
	const char *pattern, *text;
	bool fits;
} texts[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "*", "", true },
	{ "**", "ab", true },
	{ "a*", "a", true },
	{ "a*a", "a", false },
	{ "a*a", "aa", true },
	{ "a*b*c", "a b c", true },
	{ "a*b*c", "acb", false },
	{ "*ab*ab*", "ab", false },
	{ "*ab*ab*", "xabyabz", true },
	{ "*ab*b", "abab", true },
	{ "A*Z", "a to z", true },
};

START_TEST(a_star_is_anything)
{
	bool fits =
	    rule_fits_text(span_of(texts[_i].pattern), span_of(texts[_i].text));

	ck_assert_msg(fits == texts[_i].fits, "%s on %s", texts[_i].pattern,
	    texts[_i].text);
}
END_TEST

/* A header of `count` fields X-A with values of `len` bytes. */
static char *make_header(size_t count, size_t len)
{
	char *text = malloc(count * (len + 7) + 1), *at = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < count; i++) {
		at = (char *)memcpy(at, "X-A: ", 5) + 5;
		memset(at, 'a', len);
		memcpy(at + len, "\r\n", 2);
		at += len + 2;
	}
	*at = '\0';
	return text;
}

START_TEST(looks_at_the_beginning_of_long_values)
{
	char *text = make_header(1, RULE_VALUE_MAX * 2);

	text[5] = 'b';
	text[RULE_VALUE_MAX + 100] = 'c';
	ck_assert(rule_fits_header(SPAN("X-A: b*"), span_of(text)));
	ck_assert(!rule_fits_header(SPAN("X-A: *c*"), span_of(text)));
	free(text);
}
END_TEST

START_TEST(of_many_fields_only_the_first_count)
{
	char *text = make_header(1000, 100);

	text[20 * 107 + 5] = 'b';
	text[900 * 107 + 5] = 'c';
	ck_assert(rule_fits_header(SPAN("X-A: b*"), span_of(text)));
	ck_assert(!rule_fits_header(SPAN("X-A: c*"), span_of(text)));
	free(text);
}
END_TEST

START_TEST(encoded_words_with_controls_are_one_line)
{
	ck_assert(rule_fits_header(
	    SPAN("X-A: a  b"), SPAN("X-A: =?utf-8?q?a=0D=0Ab?=\r\n\r\n")));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("route/rule");
	TCase *t = tcase_create("rule");

	tcase_add_unchecked_fixture(t, mime_library_init, NULL);
	tcase_add_loop_test(
	    t, names_and_values, 0, sizeof(rules) / sizeof(rules[0]));
	tcase_add_loop_test(
	    t, a_star_is_anything, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(t, looks_at_the_beginning_of_long_values);
	tcase_add_test(t, of_many_fields_only_the_first_count);
	tcase_add_test(t, encoded_words_with_controls_are_one_line);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
