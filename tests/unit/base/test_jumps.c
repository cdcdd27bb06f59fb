/* Ages while the wall clock is set to and fro under them. */
#include <support/unit.h>

#include <base/clock.h>
#include <base/jumps.h>

enum {
	HOUR = 3600 * 1000,
	DAY = 24 * HOUR
};

static uint64_t mono_ms;
static int64_t wall_ms;

static uint64_t fake_mono_ns(void)
{
	return mono_ms * 1000000;
}

static int64_t fake_wall_ms(void)
{
	return wall_ms;
}

static void set_up(void)
{
	mono_ms = 1000;
	wall_ms = INT64_C(1700000000000);
	clock_override(fake_mono_ns, fake_wall_ms);
	jumps_forget();
	jumps_look();
}

static void tear_down(void)
{
	clock_override(NULL, NULL);
	jumps_forget();
}

static void pass(int64_t ms)
{
	mono_ms += (uint64_t)ms;
	wall_ms += ms;
}

START_TEST(without_a_jump_an_age_is_a_difference)
{
	int64_t since = wall_ms;

	pass(HOUR);
	ck_assert_int_eq(jumps_age_ms(since), HOUR);
	ck_assert_int_eq(jumps_age_ms(since - DAY), DAY + HOUR);
	ck_assert_int_eq(jumps_age_ms(wall_ms + 7), -7);
	ck_assert_uint_eq(jumps_count(), 0);
}
END_TEST

START_TEST(drifting_apart_is_no_jump)
{
	for (int i = 0; i < 1000; i++) {
		pass(1000);
		wall_ms += 400;
		jumps_look();
	}
	ck_assert_uint_eq(jumps_count(), 0);
}
END_TEST

START_TEST(what_is_set_makes_nothing_older)
{
	int64_t since = wall_ms;

	pass(HOUR);
	wall_ms += DAY;
	ck_assert_int_eq(jumps_age_ms(since), HOUR);
	ck_assert_uint_eq(jumps_count(), 1);
	ck_assert_int_eq(jumps_age_ms(wall_ms), 0);
	pass(HOUR);
	ck_assert_int_eq(jumps_age_ms(since), 2 * HOUR);
	ck_assert_int_eq(jumps_back_ms(), 0);
}
END_TEST

START_TEST(what_is_set_back_makes_nothing_older_or_much_younger)
{
	int64_t since = wall_ms;

	pass(2 * HOUR);
	wall_ms -= HOUR;
	ck_assert_int_eq(jumps_age_ms(since), 2 * HOUR);
	ck_assert_int_eq(jumps_back_ms(), HOUR);
	/* May have been before and after: then it was after. */
	ck_assert_int_eq(jumps_age_ms(since + 3 * HOUR / 2), -HOUR / 2);
	pass(HOUR);
	ck_assert_int_eq(jumps_age_ms(since), 3 * HOUR);
}
END_TEST

START_TEST(to_and_fro_comes_to_nothing)
{
	int64_t since = wall_ms;

	for (int i = 0; i < 40; i++) {
		pass(HOUR);
		wall_ms += DAY;
		jumps_look();
		pass(HOUR);
		wall_ms -= DAY;
		jumps_look();
	}
	ck_assert_uint_eq(jumps_count(), 80);
	/* More than are remembered: the oldest ones make it younger at most,
	 * and no more than a day. */
	ck_assert_int_le(jumps_age_ms(since), 80 * HOUR);
	ck_assert_int_ge(jumps_age_ms(since), 79 * HOUR - DAY);
}
END_TEST

START_TEST(a_former_process_saw_what_is_to_come)
{
	jumps_saw(wall_ms - DAY);
	ck_assert_int_eq(jumps_back_ms(), 0);
	jumps_saw(wall_ms + DAY);
	ck_assert_int_eq(jumps_back_ms(), DAY);
	ck_assert_int_eq(jumps_age_ms(wall_ms - HOUR), HOUR);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/jumps");
	TCase *t = tcase_create("jumps");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, without_a_jump_an_age_is_a_difference);
	tcase_add_test(t, drifting_apart_is_no_jump);
	tcase_add_test(t, what_is_set_makes_nothing_older);
	tcase_add_test(t, what_is_set_back_makes_nothing_older_or_much_younger);
	tcase_add_test(t, to_and_fro_comes_to_nothing);
	tcase_add_test(t, a_former_process_saw_what_is_to_come);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
