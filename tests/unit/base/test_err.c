#include <base/err.h>

#include <support/unit.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <base/span.h>

START_TEST(returns_the_code_and_keeps_the_sentence)
{
	struct err e = { 0 };

	ck_assert_int_eq(
	    err_set(&e, -EINVAL, "line %d: no '%s'", 7, "x"), -EINVAL);
	ck_assert_int_eq(e.code, -EINVAL);
	ck_assert_str_eq(e.text, "line 7: no 'x'");
}
END_TEST

START_TEST(works_without_a_place_for_the_sentence)
{
	ck_assert_int_eq(err_set(NULL, -EIO, "%s", "lost"), -EIO);
	ck_assert_int_eq(err_errno(NULL, -EIO, "%s", "lost"), -EIO);
}
END_TEST

START_TEST(describes_an_errno)
{
	struct err e;

	ck_assert_int_eq(
	    err_errno(&e, -ENOENT, "cannot open %s", "f"), -ENOENT);
	ck_assert_str_eq(e.text, "cannot open f: No such file or directory");
	ck_assert_int_eq(err_errno(&e, EACCES, "no"), EACCES);
	ck_assert_str_eq(e.text, "no: Permission denied");
	(void)err_errno(&e, -99999, "odd");
	ck_assert(span_starts_with(span_of(e.text), SPAN("odd: ")));
}
END_TEST

START_TEST(replaces_an_earlier_sentence)
{
	struct err e;

	(void)err_set(&e, -EIO, "a long first sentence");
	(void)err_set(&e, -EPERM, "short");
	ck_assert_str_eq(e.text, "short");
	ck_assert_int_eq(e.code, -EPERM);
}
END_TEST

START_TEST(stays_on_one_line)
{
	struct err e;

	(void)err_set(&e, -EIO, "bad value '%s'", "a\r\n\x1b[31m\x7f");
	ck_assert_str_eq(e.text, "bad value 'a   [31m '");
}
END_TEST

/* Every character length at every distance from the end of the text. */
START_TEST(cuts_between_characters)
{
	static const char *const chars[] = { "a", "\xc3\xbc", "\xe2\x82\xac",
		"\xf0\x9f\x93\xa7" };
	char text[1024];
	struct err e;

	for (size_t c = 0; c < 4; c++) {
		for (size_t lead = 0; lead < 4; lead++) {
			size_t len = strlen(chars[c]);
			memset(text, 'x', lead);
			size_t at = lead;
			for (; at < 600; at += len)
				memcpy(text + at, chars[c], len);
			text[at] = '\0';
			(void)err_set(&e, -EIO, "%s", text);
			size_t got = strlen(e.text);
			ck_assert_uint_lt(got, sizeof(e.text));
			ck_assert_uint_gt(got + len, sizeof(e.text) - 1);
			ck_assert(span_is_utf8(span_of(e.text)));
			ck_assert(!strncmp(e.text, text, got));
		}
	}
}
END_TEST

START_TEST(cuts_the_description_too)
{
	char text[600];
	struct err e;

	memset(text, 'x', sizeof(text) - 1);
	for (size_t len = 480; len < sizeof(text); len++) {
		(void)err_errno(&e, -ENOENT, "%.*s", (int)len, text);
		ck_assert_uint_eq(strlen(e.text),
		    len + 27 < sizeof(e.text) ? len + 27 : sizeof(e.text) - 1);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/err");
	TCase *t = tcase_create("err");

	tcase_add_test(t, returns_the_code_and_keeps_the_sentence);
	tcase_add_test(t, works_without_a_place_for_the_sentence);
	tcase_add_test(t, describes_an_errno);
	tcase_add_test(t, replaces_an_earlier_sentence);
	tcase_add_test(t, stays_on_one_line);
	tcase_add_test(t, cuts_between_characters);
	tcase_add_test(t, cuts_the_description_too);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
