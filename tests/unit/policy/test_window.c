#include <support/unit.h>

#include <policy/window.h>

enum {
	MINUTE = 60000
};

START_TEST(counts_what_the_last_minute_had)
{
	struct window w = { 0 };
	uint64_t now = 10 * MINUTE;

	ck_assert_uint_eq(window_count(&w, MINUTE, now), 0);
	for (int i = 0; i < 10; i++)
		window_add(&w, MINUTE, now);
	ck_assert_uint_eq(window_count(&w, MINUTE, now), 10);
	ck_assert_uint_eq(window_count(&w, MINUTE, now + MINUTE - 1), 10);
	/* Of the minute before, its share that is not a minute ago yet. */
	ck_assert_uint_eq(window_count(&w, MINUTE, now + MINUTE), 10);
	ck_assert_uint_eq(window_count(&w, MINUTE, now + MINUTE * 3 / 2), 5);
	ck_assert_uint_eq(window_count(&w, MINUTE, now + 2 * MINUTE - 1), 0);
	ck_assert_uint_eq(window_count(&w, MINUTE, now + 2 * MINUTE), 0);
}
END_TEST

START_TEST(forgets_all_after_a_pause)
{
	struct window w = { 0 };

	window_add(&w, MINUTE, 5 * MINUTE);
	ck_assert_uint_eq(window_count(&w, MINUTE, 100 * MINUTE), 0);
	window_add(&w, MINUTE, 100 * MINUTE);
	ck_assert_uint_eq(window_count(&w, MINUTE, 100 * MINUTE + 1), 1);
}
END_TEST

START_TEST(never_lets_two_full_windows_touch)
{
	struct window w = { 0 };
	uint64_t now = 7 * MINUTE - 1;
	unsigned allowed = 0;

	/* As many as fit, at the end of one stretch and on into the next. */
	for (unsigned i = 0; i < 2000; i++, now++) {
		if (window_count(&w, MINUTE, now) >= 300)
			continue;
		window_add(&w, MINUTE, now);
		allowed++;
	}
	ck_assert_uint_ge(allowed, 300);
	ck_assert_uint_le(allowed, 301 + 300 * 2000 / MINUTE);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("window");
	TCase *tc = tcase_create("window");

	tcase_add_test(tc, counts_what_the_last_minute_had);
	tcase_add_test(tc, forgets_all_after_a_pause);
	tcase_add_test(tc, never_lets_two_full_windows_touch);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
