#include <base/span.h>

#include <support/unit.h>

#include <limits.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct span nothing = { NULL, 0 };

static void check_span(struct span got, struct span want)
{
	if (!span_eq(got, want))
		ck_abort_msg(
		    "got '%.*s', want '%.*s'", SPAN_FMT(got), SPAN_FMT(want));
}

static const struct compare_case {
	struct span a, b;
	bool eq, ieq;
} compare_cases[] = {
	{ { "", 0 }, { "", 0 }, true, true },
	{ { NULL, 0 }, { "", 0 }, true, true },
	{ { NULL, 0 }, { NULL, 0 }, true, true },
	{ { "mail", 4 }, { "mail", 4 }, true, true },
	{ { "mail", 4 }, { "MAIL", 4 }, false, true },
	{ { "mAiL", 4 }, { "MaIl", 4 }, false, true },
	{ { "mail", 4 }, { "mai", 3 }, false, false },
	{ { "a\0b", 3 }, { "a\0c", 3 }, false, false },
	{ { "a\0b", 3 }, { "a\0B", 3 }, false, true },
	/* 0x20 apart but no letters */
	{ { "@", 1 }, { "`", 1 }, false, false },
	{ { "[", 1 }, { "{", 1 }, false, false },
	{ { "\xc4", 1 }, { "\xe4", 1 }, false, false },
};

START_TEST(compares_ascii_letters_in_either_case)
{
	const struct compare_case *c = &compare_cases[_i];

	ck_assert_int_eq(span_eq(c->a, c->b), c->eq);
	ck_assert_int_eq(span_ieq(c->a, c->b), c->ieq);
	ck_assert_int_eq(span_ieq(c->b, c->a), c->ieq);
}
END_TEST

START_TEST(knows_prefixes_and_suffixes)
{
	struct span s = SPAN("MAIL FROM:<>");

	ck_assert(span_starts_with(s, SPAN("MAIL")));
	ck_assert(!span_starts_with(s, SPAN("mail")));
	ck_assert(span_istarts_with(s, SPAN("mail from:")));
	ck_assert(!span_istarts_with(s, SPAN("mail to:")));
	ck_assert(span_iends_with(s, SPAN("from:<>")));
	ck_assert(!span_iends_with(s, SPAN("from:<")));
	ck_assert(span_starts_with(s, nothing));
	ck_assert(span_istarts_with(s, nothing));
	ck_assert(span_iends_with(s, nothing));
	ck_assert(span_starts_with(s, s));
	ck_assert(span_iends_with(s, s));
	ck_assert(!span_starts_with(SPAN("MAI"), SPAN("MAIL")));
	ck_assert(!span_istarts_with(SPAN("MAI"), SPAN("MAIL")));
	ck_assert(!span_iends_with(SPAN("AIL"), SPAN("MAIL")));
	ck_assert(!span_iends_with(nothing, SPAN("x")));
	ck_assert(span_iends_with(nothing, nothing));
}
END_TEST

START_TEST(takes_parts_without_leaving_the_bytes)
{
	struct span s = SPAN("abc");

	check_span(span_from(s, 0), s);
	check_span(span_from(s, 2), SPAN("c"));
	check_span(span_from(s, 3), nothing);
	check_span(span_from(s, 99), nothing);
	check_span(span_from(nothing, 0), nothing);
	check_span(span_from(nothing, 5), nothing);
	check_span(span_first(s, 0), nothing);
	check_span(span_first(s, 2), SPAN("ab"));
	check_span(span_first(s, 99), s);
	check_span(span_of("abc"), s);
	check_span(span_of(NULL), nothing);
}
END_TEST

static const struct trim_case {
	const char *in, *out;
} trim_cases[] = {
	{ "", "" },
	{ " ", "" },
	{ " \t\r\n", "" },
	{ "x", "x" },
	{ " x", "x" },
	{ "x ", "x" },
	{ "\r\n x y\t\n", "x y" },
	{ "\vx\f", "\vx\f" },
};

START_TEST(trims_only_blanks_at_the_ends)
{
	check_span(
	    span_trim(span_of(trim_cases[_i].in)), span_of(trim_cases[_i].out));
}
END_TEST

START_TEST(trims_nothing_to_nothing)
{
	check_span(span_trim(nothing), nothing);
}
END_TEST

START_TEST(finds_first_and_last)
{
	struct span s = SPAN("a@b@c\0d");

	ck_assert_int_eq(span_index(s, '@'), 1);
	ck_assert_int_eq(span_rindex(s, '@'), 3);
	ck_assert_int_eq(span_index(s, '\0'), 5);
	ck_assert_int_eq(span_rindex(s, 'd'), 6);
	ck_assert_int_eq(span_index(s, 'x'), -1);
	ck_assert_int_eq(span_rindex(s, 'x'), -1);
	ck_assert_int_eq(span_index(nothing, 'a'), -1);
	ck_assert_int_eq(span_rindex(nothing, 'a'), -1);
	ck_assert_int_eq(span_index(span_first(s, 1), '@'), -1);
}
END_TEST

START_TEST(cuts_until_nothing_is_left)
{
	struct span rest = SPAN("a,,bc,");

	check_span(span_cut(&rest, ','), SPAN("a"));
	check_span(span_cut(&rest, ','), nothing);
	ck_assert_ptr_nonnull(rest.ptr);
	check_span(span_cut(&rest, ','), SPAN("bc"));
	ck_assert_ptr_nonnull(rest.ptr); /* an empty part follows the comma */
	check_span(span_cut(&rest, ','), nothing);
	ck_assert_ptr_null(rest.ptr);
	check_span(span_cut(&rest, ','), nothing);
	ck_assert_ptr_null(rest.ptr);
}
END_TEST

START_TEST(an_empty_text_is_one_empty_part)
{
	struct span rest = SPAN("");
	int parts = 0;

	while (rest.ptr) {
		check_span(span_cut(&rest, ','), nothing);
		parts++;
	}
	ck_assert_int_eq(parts, 1);
}
END_TEST

static const struct number_case {
	const char *text;
	unsigned long long max;
	bool ok;
	unsigned long long value;
} number_cases[] = {
	{ "0", 0, true, 0 },
	{ "0", 9, true, 0 },
	{ "1", 0, false, 0 },
	{ "7", 5, false, 0 },
	{ "9", 9, true, 9 },
	{ "10", 9, false, 0 },
	{ "19", 20, true, 19 },
	{ "20", 20, true, 20 },
	{ "21", 20, false, 0 },
	{ "0000000000000000000000000000000007", 7, true, 7 },
	{ "18446744073709551615", ULLONG_MAX, true, ULLONG_MAX },
	{ "18446744073709551616", ULLONG_MAX, false, 0 },
	{ "18446744073709551620", ULLONG_MAX, false, 0 },
	{ "99999999999999999999", ULLONG_MAX, false, 0 },
	{ "", 9, false, 0 },
	{ "-1", 9, false, 0 },
	{ "+1", 9, false, 0 },
	{ " 1", 9, false, 0 },
	{ "1 ", 9, false, 0 },
	{ "1a", 99, false, 0 },
	{ "0x1", 99, false, 0 },
	{ "/", 99, false, 0 },
	{ ":", 99, false, 0 },
};

START_TEST(reads_digits_up_to_the_limit)
{
	const struct number_case *c = &number_cases[_i];
	unsigned long long value = 4711;

	ck_assert_int_eq(
	    span_parse_u64(span_of(c->text), c->max, &value), c->ok);
	ck_assert(value == (c->ok ? c->value : 4711));
}
END_TEST

START_TEST(refuses_a_nul_inside_a_number)
{
	unsigned long long value;
	ck_assert(!span_parse_u64(SPAN("1\0"), 99, &value));
}
END_TEST

START_TEST(copies_with_a_nul)
{
	char *copy = span_dup(span_first(SPAN("abcd"), 2));
	ck_assert_str_eq(copy, "ab");
	free(copy);
	copy = span_dup(nothing);
	ck_assert_str_eq(copy, "");
	free(copy);
}
END_TEST

START_TEST(tells_text_from_bytes)
{
	ck_assert(span_is_utf8(nothing));
	ck_assert(span_is_utf8(SPAN("plain")));
	ck_assert(span_is_utf8(SPAN("gr\xc3\xbc\xc3\x9f"
				    "e \xf0\x9f\x93\xa7")));
	ck_assert(!span_is_utf8(SPAN("gr\xfc\xdf"
				     "e")));
	ck_assert(!span_is_utf8(SPAN("ok\xe2\x82")));
	ck_assert(span_is_ascii(nothing));
	ck_assert(span_is_ascii(SPAN("\0\x7f")));
	ck_assert(!span_is_ascii(SPAN("a\x80")));
}
END_TEST

START_TEST(finds_words_in_either_case)
{
	ck_assert_int_eq(span_ifind(SPAN("a Word"), SPAN("wORD")), 2);
	ck_assert_int_eq(span_ifind(SPAN("aab"), SPAN("ab")), 1);
	ck_assert_int_eq(span_ifind(SPAN("word"), SPAN("word")), 0);
	ck_assert_int_eq(span_ifind(SPAN("wor"), SPAN("word")), -1);
	ck_assert_int_eq(span_ifind(nothing, SPAN("word")), -1);
	ck_assert_int_eq(span_ifind(SPAN("word"), SPAN("")), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/span");
	TCase *t = tcase_create("span");

	tcase_add_loop_test(
	    t, compares_ascii_letters_in_either_case, 0, COUNT(compare_cases));
	tcase_add_test(t, knows_prefixes_and_suffixes);
	tcase_add_test(t, takes_parts_without_leaving_the_bytes);
	tcase_add_loop_test(
	    t, trims_only_blanks_at_the_ends, 0, COUNT(trim_cases));
	tcase_add_test(t, trims_nothing_to_nothing);
	tcase_add_test(t, finds_first_and_last);
	tcase_add_test(t, finds_words_in_either_case);
	tcase_add_test(t, cuts_until_nothing_is_left);
	tcase_add_test(t, an_empty_text_is_one_empty_part);
	tcase_add_loop_test(
	    t, reads_digits_up_to_the_limit, 0, COUNT(number_cases));
	tcase_add_test(t, refuses_a_nul_inside_a_number);
	tcase_add_test(t, copies_with_a_nul);
	tcase_add_test(t, tells_text_from_bytes);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
