/* Fields are found as they stand, whatever the block looks like. */
#include <support/unit.h>

#include <mail/header.h>

START_TEST(cuts_fields_with_their_folds)
{
	struct span rest = SPAN("A: 1\r\nB:2\r\n\t3\r\n\r\nC: 4\r\n");
	struct message_field f;

	ck_assert(header_next(&rest, &f));
	ck_assert(span_eq(f.name, SPAN("A")));
	ck_assert(span_eq(f.value, SPAN(" 1")));
	ck_assert(span_eq(f.whole, SPAN("A: 1\r\n")));
	ck_assert(header_next(&rest, &f));
	ck_assert(span_eq(f.name, SPAN("B")));
	ck_assert(span_eq(f.value, SPAN("2\r\n\t3")));
	ck_assert(!header_next(&rest, &f));
	ck_assert(span_eq(rest, SPAN("\r\nC: 4\r\n")));
}
END_TEST

START_TEST(gives_an_empty_name_to_what_is_no_field)
{
	static const struct {
		const char *line, *name;
	} cases[] = {
		{ "Subject : x\r\n", "Subject" },
		{ "Subject\t: x\r\n", "Subject" },
		{ "no colon\r\n", "" },
		{ ": no name\r\n", "" },
		{ " folded: first\r\n", "" },
		{ "From ann@x.example Sat Jan  1 00:00:00 2028\r\n", "" },
		{ "Gr\xc3\xbc\xc3\x9f"
		  "e: x\r\n",
		    "" },
		{ "A\x01: x\r\n", "" },
		{ "X", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span rest = span_of(cases[i].line);
		struct message_field f;
		ck_assert(header_next(&rest, &f));
		ck_assert_msg(span_eq(f.name, span_of(cases[i].name)),
		    "case %zu: %.*s", i, SPAN_FMT(f.name));
		ck_assert_uint_eq(rest.len, 0);
	}
}
END_TEST

START_TEST(finds_the_first_in_any_case)
{
	struct span block = SPAN("A: 1\r\nsubject: x\r\nSubject: y\r\n\r\n");
	struct message_field f;

	ck_assert(header_find(block, SPAN("SUBJECT"), &f));
	ck_assert(span_eq(span_trim(f.value), SPAN("x")));
	ck_assert(!header_find(block, SPAN("To"), &f));
}
END_TEST

START_TEST(unfolds_to_one_space)
{
	static const struct {
		const char *folded, *flat;
	} cases[] = {
		{ "x", "x" },
		{ "", "" },
		{ " a\r\n b", " a b" },
		{ "a\r\n \t b\r\n\tc", "a b c" },
		{ "\r\n a", " a" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;
		buf_init(&b, 100);
		ck_assert_int_eq(
		    header_unfold(span_of(cases[i].folded), &b), 0);
		ck_assert(span_eq(buf_span(&b), span_of(cases[i].flat)));
		buf_finish(&b);
	}
}
END_TEST

START_TEST(measures_the_block)
{
	ck_assert_uint_eq(header_length(SPAN("A: b\r\n\r\nx")), 8);
	ck_assert_uint_eq(header_length(SPAN("\r\nx")), 2);
	ck_assert_uint_eq(header_length(SPAN("A: b\r\n")), 0);
	ck_assert_uint_eq(header_length(SPAN("")), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.header");
	TCase *t = tcase_create("header");

	tcase_add_test(t, cuts_fields_with_their_folds);
	tcase_add_test(t, gives_an_empty_name_to_what_is_no_field);
	tcase_add_test(t, finds_the_first_in_any_case);
	tcase_add_test(t, unfolds_to_one_space);
	tcase_add_test(t, measures_the_block);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
