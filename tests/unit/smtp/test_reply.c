/* Reply lines. */
#include <smtp/reply.h>

#include <string.h>

#include <support/unit.h>

static void assert_reply(struct smtp_reply r, const char *expected)
{
	char out[SMTP_REPLY_MAX];
	size_t len = smtp_reply_format(&r, out);

	ck_assert_uint_eq(len, strlen(expected));
	ck_assert_mem_eq(out, expected, len);
}

START_TEST(formats_what_belongs_to_it)
{
	assert_reply((struct smtp_reply){ 250, "2.0.0", "Ok", "id" },
	    "250 2.0.0 Ok\r\n");
	assert_reply(
	    (struct smtp_reply){ 354, NULL, "go on", "id" }, "354 go on\r\n");
	assert_reply((struct smtp_reply){ 550, "5.7.1", "No", "id" },
	    "550 5.7.1 No (id)\r\n");
	assert_reply((struct smtp_reply){ 451, "4.3.0", "Later", NULL },
	    "451 4.3.0 Later\r\n");
}
END_TEST

START_TEST(cannot_be_made_to_say_more)
{
	assert_reply((struct smtp_reply){ 554, "5.6.0",
			 "bad\r\n250 Ok\x1b\x7f\xc3\xa9", "id" },
	    "554 5.6.0 bad??250 Ok???? (id)\r\n");
}
END_TEST

START_TEST(cuts_a_long_text_and_keeps_the_reference)
{
	char text[2000], out[SMTP_REPLY_MAX];
	struct smtp_reply r = { 554, "5.6.0", text, "reference" };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_uint_eq(smtp_reply_format(&r, out), SMTP_REPLY_MAX);
	ck_assert_mem_eq(out + SMTP_REPLY_MAX - 15, "x (reference)\r\n", 15);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("reply");
	TCase *tc = tcase_create("lines");

	tcase_add_test(tc, formats_what_belongs_to_it);
	tcase_add_test(tc, cannot_be_made_to_say_more);
	tcase_add_test(tc, cuts_a_long_text_and_keeps_the_reference);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
