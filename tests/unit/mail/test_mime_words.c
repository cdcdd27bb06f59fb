/* Encoded words that become one, and what stays as it is. */
#include <support/unit.h>

#include <mail/mime_words.h>

static void check(const char *value, const char *expected)
{
	struct buf out;
	int rc;

	buf_init(&out, 4096);
	rc = mime_words_join(span_of(value), &out);
	ck_assert_int_eq(rc, strcmp(value, expected) != 0);
	ck_assert_uint_eq(buf_len(&out), strlen(expected));
	ck_assert_mem_eq(buf_span(&out).ptr, expected, strlen(expected));
	buf_finish(&out);
}

START_TEST(joins_words_of_one_charset)
{
	check("=?utf-8?B?YQ==?= =?utf-8?B?Yg==?=", "=?utf-8?B?YWI=?=");
	check("x =?utf-8?b?YQ==?=\r\n\t=?UTF-8?B?Yg==?= y",
	    "x =?utf-8?B?YWI=?= y");
	check("=?utf-8?B?YQ==?==?utf-8?B?Yg==?=", "=?utf-8?B?YWI=?=");
	check("=?utf-8*en?B?YQ==?= =?utf-8?B?Yg==?=", "=?utf-8?B?YWI=?=");
	/* Without the padding. */
	check("=?utf-8?B?YQ?= =?utf-8?B?Yg?=", "=?utf-8?B?YWI=?=");
	check("\"=?a?B?YQ==?= =?a?B?Yg==?=\" <=?a?B?YQ==?= =?a?B?Yg==?=>",
	    "\"=?a?B?YWI=?=\" <=?a?B?YWI=?=>");
}
END_TEST

START_TEST(leaves_all_else_as_it_is)
{
	static const char *const values[] = { "", "plain", "=", "=?",
		"=?=?=?=", "=?utf-8?B?YQ==?=", "=?utf-8?Q?a?= =?utf-8?Q?b?=",
		"=?utf-8?B?YQ==?= =?utf-8?Q?b?= =?utf-8?B?YQ==?=",
		"=?utf-8?B?YQ==?= and =?utf-8?B?Yg==?=",
		"=?utf-8?B?YQ==?= =?latin1?B?Yg==?=", "=?utf-8?B?YQ==",
		"=?utf-8?B?Y Q==?= =?utf-8?B?Yg==?=",
		"=?utf-8?B?*?= =?utf-8?B?*?=",
		"=?utf-8?B?YWFhY?= =?utf-8?B?YQ==?=" };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check(values[i], values[i]);
}
END_TEST

START_TEST(goes_on_behind_what_is_broken)
{
	check("=?utf-8?B?*?= =?utf-8?B?YQ==?= =?utf-8?B?Yg==?=",
	    "=?utf-8?B?*?= =?utf-8?B?YWI=?=");
	check("=?a?B?YQ==?= =?a?B?Yg==?= =?a?B?*?= =?b?B?YQ==?= =?b?B?Yg==?=",
	    "=?a?B?YWI=?= =?a?B?*?= =?b?B?YWI=?=");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail.mime_words");
	TCase *t = tcase_create("mime_words");

	tcase_add_test(t, joins_words_of_one_charset);
	tcase_add_test(t, leaves_all_else_as_it_is);
	tcase_add_test(t, goes_on_behind_what_is_broken);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
