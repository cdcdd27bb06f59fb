/* Whatever comes in, valid UTF-8 without NUL goes out. */
#include <support/unit.h>

#include <mail/charset.h>

static void check(struct span text, const char *charset, const char *expected)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	ck_assert_int_eq(charset_to_utf8(text, span_of(charset), &out), 0);
	ck_assert_msg(span_eq(buf_span(&out), span_of(expected)),
	    "%s: got \"%.*s\"", charset, SPAN_FMT(buf_span(&out)));
	buf_finish(&out);
}

START_TEST(converts_to_utf8)
{
	check(SPAN("plain"), "us-ascii", "plain");
	check(SPAN("M\xc3\xbcller"), "UTF-8", "M\xc3\xbcller");
	check(SPAN("M\xfcller"), "iso-8859-1", "M\xc3\xbcller");
	check(SPAN("\x1b$B%F\x1b(B"), "ISO-2022-JP", "\xe3\x83\x86");
	check(SPAN("a\0b\0"), "utf-16le", "ab");
	check(SPAN(""), "utf-8", "");
	/* iconv keeps the last letter back, an accent could follow. */
	check(SPAN("\xf9\xec\xe5\xed"), "windows-1255",
	    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
	check(SPAN("l\xe0"), "windows-1258", "l\xc3\xa0");
}
END_TEST

START_TEST(guesses_what_undeclared_text_is)
{
	check(SPAN("M\xc3\xbcller"), "", "M\xc3\xbcller");
	check(SPAN("M\xfcller"), "", "M\xc3\xbcller");
	check(SPAN("\x80"), "us-ascii", "\xe2\x82\xac");
	check(SPAN("\xc3\xbc"), "x-no-such-charset", "\xc3\xbc");
	check(SPAN("\xfc"), "utf-16//TRANSLIT", "\xc3\xbc");
	check(SPAN("\xfc"), "../../etc/passwd", "\xc3\xbc");
}
END_TEST

START_TEST(replaces_what_cannot_be_read)
{
	check(SPAN("a\xff"
		   "b"),
	    "utf-8",
	    "a\xef\xbf\xbd"
	    "b");
	check(SPAN("a\0b"), "utf-8", "ab");
	check(SPAN("\xed\xa0\x80"), "utf8",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check(SPAN("x\xe3"), "shift_jis", "x\xef\xbf\xbd");
	check(SPAN("\x00\xd8"
		   "a\0"),
	    "utf-16le", "\xef\xbf\xbd\xe6\x87\x98\xef\xbf\xbd");
}
END_TEST

START_TEST(is_bounded_by_the_buffer)
{
	struct buf out;

	buf_init(&out, 8);
	ck_assert_int_ne(
	    charset_to_utf8(SPAN("more than eight"), SPAN("utf-8"), &out), 0);
	buf_finish(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.charset");
	TCase *t = tcase_create("charset");

	tcase_add_test(t, converts_to_utf8);
	tcase_add_test(t, guesses_what_undeclared_text_is);
	tcase_add_test(t, replaces_what_cannot_be_read);
	tcase_add_test(t, is_bounded_by_the_buffer);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
