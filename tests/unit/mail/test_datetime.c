/* What counts as a date in a Date field. */
#include <support/unit.h>

#include <mail/datetime.h>

START_TEST(knows_dates)
{
	static const char *const good[] = {
		" Sun, 22 Nov 2026 10:00:00 +0000",
		" 2 nov 2026 1:00 -0330",
		" Fri,\r\n 21 Nov 97 09:55:06 GMT",
		" 22 Nov 2026 10:00:60 +0000 (leap)",
		" Thu, 1 Jan 2026 10:00:00 Z\r\n",
	};
	static const char *const bad[] = {
		"",
		" ",
		"yesterday",
		" 2026-11-22T10:00:00Z",
		" Sun 22 Nov 2026 10:00:00 +0000",
		" Sun, 32 Nov 2026 10:00:00 +0000",
		" Sun, 22 Foo 2026 10:00:00 +0000",
		" Sun, 22 Nov 2026 24:00:00 +0000",
		" Sun, 22 Nov 2026 10:61:00 +0000",
		" Sun, 22 Nov 2026 10:00:00",
		" Sun, 22 Nov 2026 10:00:00 +00000",
		" Sun, 22 Nov 2026 10:00:00 +0000 x",
		" Sun, 22 Nov 2026 10:00:00 ZEITZONE",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(
		    datetime_is_valid(span_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    !datetime_is_valid(span_of(bad[i])), "%s", bad[i]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.datetime");
	TCase *t = tcase_create("datetime");

	tcase_add_test(t, knows_dates);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
