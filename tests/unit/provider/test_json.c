/* Whatever goes in, the inside of a valid JSON string comes out. */
#include <support/unit.h>

#include <provider/json.h>

static void check(struct span text, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	ck_assert_int_eq(json_escape(text, &out), 0);
	ck_assert_msg(span_eq(buf_span(&out), span_of(expected)), "got %.*s",
	    SPAN_FMT(buf_span(&out)));
	buf_finish(&out);
}

START_TEST(escapes_text)
{
	check(SPAN(""), "");
	check(SPAN("plain \x7f"), "plain \x7f");
	check(SPAN("\"\\/"), "\\\"\\\\/");
	check(SPAN("\r\n\t\b\f\x1f"), "\\r\\n\\t\\u0008\\u000c\\u001f");
	check(SPAN("a\0b"), "a\\u0000b");
	check(SPAN("\xc3\xbc \xe2\x9c\x93 \xf0\x9f\x98\x80"),
	    "\xc3\xbc \xe2\x9c\x93 \xf0\x9f\x98\x80");
}
END_TEST

START_TEST(replaces_what_is_not_utf8)
{
	check(SPAN("\xff"), "\xef\xbf\xbd");
	check(SPAN("a\xc3"), "a\xef\xbf\xbd");
	check(SPAN("\xc3(\xe2\x9c"), "\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
	check(SPAN("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(waits_for_the_rest_of_a_character)
{
	char out[JSON_UNIT_MAX];
	size_t len = 0;

	ck_assert_uint_eq(json_escape_unit(SPAN("\xe2"), false, out, &len), 0);
	ck_assert_uint_eq(
	    json_escape_unit(SPAN("\xe2\x9c"), false, out, &len), 0);
	ck_assert_uint_eq(
	    json_escape_unit(SPAN("\xe2\x9c\x93"), false, out, &len), 3);
	ck_assert_uint_eq(len, 3);
	ck_assert_uint_eq(
	    json_escape_unit(SPAN("\xe2\x9c"), true, out, &len), 1);
}
END_TEST

START_TEST(finds_where_text_needs_an_escape)
{
	char text[24];

	for (size_t at = 0; at < sizeof(text); at++) {
		memset(text, 'x', sizeof(text));
		text[at] = (char)_i;
		bool is_plain =
		    _i >= ' ' && _i < 0x80 && _i != '"' && _i != '\\';

		ck_assert_uint_eq(json_plain_run(span_make(text, sizeof(text))),
		    is_plain ? sizeof(text) : at);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.json");
	TCase *t = tcase_create("json");

	tcase_add_test(t, escapes_text);
	tcase_add_test(t, replaces_what_is_not_utf8);
	tcase_add_loop_test(t, finds_where_text_needs_an_escape, 0, 256);
	tcase_add_test(t, waits_for_the_rest_of_a_character);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
