/* How fast, how many at a time, and what changes that. */
#include <support/unit.h>

#include <health/pace.h>

static struct pace p;
static uint64_t now, at;

static void setup(void)
{
	now = 1000000;
	pace_init(&p, 0, 100, now);
}

/* Calls that get through in ms, when one is tried each millisecond. */
static unsigned calls_in(uint64_t ms)
{
	unsigned n = 0;

	for (uint64_t end = now + ms; now < end; now++) {
		if (pace_is_full(&p) || !pace_take(&p, 1, 0, now, &at))
			continue;
		pace_leave(&p, now);
		n++;
	}
	return n;
}

START_TEST(without_a_ceiling_there_is_no_limit)
{
	ck_assert_uint_eq(calls_in(1000), 1000);
	ck_assert(pace_rate(&p, now) == 0);
}
END_TEST

START_TEST(the_ceiling_holds)
{
	pace_init(&p, 20, 100, now);
	unsigned n = calls_in(10000);
	ck_assert_uint_ge(n, 200);
	ck_assert_uint_le(n, 202);
}
END_TEST

START_TEST(an_idle_account_has_its_next_turn_at_once)
{
	pace_init(&p, 0.5, 100, now);
	now += 3600000;
	ck_assert(pace_take(&p, 1, 0, now, &at));
	ck_assert_uint_eq(at, now);
	/* Not used is not saved up. */
	ck_assert(!pace_take(&p, 1, 0, now, &at));
	ck_assert_uint_gt(at, now + 1800);
}
END_TEST

START_TEST(turns_are_given_out_in_order_as_far_as_patience_goes)
{
	uint64_t last = 0;
	unsigned n = 0;

	pace_init(&p, 10, 100, now);
	while (pace_take(&p, 1, 1000, now, &at)) {
		ck_assert_uint_ge(at, last);
		last = at;
		n++;
	}
	ck_assert_uint_ge(n, 10);
	ck_assert_uint_le(n, 12);
	ck_assert_uint_le(last, now + 1000);
	/* One that looks further ahead still gets one. */
	ck_assert(pace_take(&p, 1, 2000, now, &at));
}
END_TEST

START_TEST(a_turn_not_used_goes_to_the_next)
{
	pace_init(&p, 1, 100, now);
	ck_assert(pace_take(&p, 1, 0, now, &at));
	ck_assert(!pace_take(&p, 1, 0, now, &at));
	pace_give_back(&p, 1, now);
	ck_assert(pace_take(&p, 1, 0, now, &at));
}
END_TEST

/* 100 calls per second for a while. */
static void run_at_a_hundred(void)
{
	for (int i = 0; i < 1000; i++, now += 10) {
		ck_assert(pace_take(&p, 1, 0, now, &at));
		pace_leave(&p, now);
	}
}

START_TEST(too_many_halves_the_rate)
{
	run_at_a_hundred();
	pace_slow_down(&p, now - 50, now);
	ck_assert(pace_rate(&p, now) > 45 && pace_rate(&p, now) < 55);
	/* The calls that were under way met the same wall. */
	pace_slow_down(&p, now - 40, now + 5);
	ck_assert(pace_rate(&p, now + 5) > 45);
	unsigned n = calls_in(1000);
	ck_assert_uint_ge(n, 45);
	ck_assert_uint_le(n, 65);
}
END_TEST

START_TEST(the_rate_grows_again_by_steps_and_is_free_in_the_end)
{
	run_at_a_hundred();
	pace_slow_down(&p, now - 50, now);
	double before = pace_rate(&p, now);
	double first = pace_rate(&p, now + 1000) - before;
	double second = pace_rate(&p, now + 2000) - before - first;
	ck_assert(first > 0 && second > first * 0.99 && second < first * 1.01);
	ck_assert(pace_rate(&p, now + 30000) > 90);
	ck_assert(pace_rate(&p, now + 100000) == 0);
}
END_TEST

START_TEST(several_cuts_do_not_make_it_a_small_provider)
{
	run_at_a_hundred();
	for (int i = 0; i < 4; i++) {
		pace_slow_down(&p, now, now);
		now += 4000;
	}
	ck_assert(pace_rate(&p, now) < 20);
	ck_assert(pace_rate(&p, now + 60000) > 60);
}
END_TEST

START_TEST(the_rate_grows_to_the_ceiling)
{
	pace_init(&p, 14, 100, now);
	pace_slow_down(&p, now, now);
	ck_assert(pace_rate(&p, now) < 1);
	ck_assert(pace_rate(&p, now + 1000000) == 14);
}
END_TEST

START_TEST(a_rate_never_becomes_nothing)
{
	for (int i = 0; i < 100; i++, now++)
		pace_slow_down(&p, now, now);
	ck_assert(pace_rate(&p, now) >= 0.1);
}
END_TEST

START_TEST(a_pause_lasts_until_its_end_and_is_counted)
{
	uint64_t until;

	pace_pause(&p, now + 5000, now);
	pace_pause(&p, now + 3000, now + 100); /* a shorter one adds nothing */
	ck_assert(pace_is_paused(&p, now + 4999, &until));
	ck_assert_uint_eq(until, now + 5000);
	ck_assert(!pace_is_paused(&p, now + 5000, &until));
	ck_assert_uint_eq(pace_paused_ms(&p, now + 2000), 2000);
	ck_assert_uint_eq(pace_paused_ms(&p, now + 9000), 5000);
	pace_pause(&p, now + 11000, now + 10000);
	ck_assert_uint_eq(pace_paused_ms(&p, now + 20000), 6000);
}
END_TEST

START_TEST(failures_halve_the_calls_at_a_time_once_per_round)
{
	pace_shrink(&p, now, now);
	ck_assert(p.limit == 50);
	pace_shrink(&p, now - 10, now + 1); /* began before that */
	ck_assert(p.limit == 50);
	for (int i = 2; i < 50; i++)
		pace_shrink(&p, now + 1 + (uint64_t)i, now + 1 + (uint64_t)i);
	ck_assert(p.limit == 1);
}
END_TEST

START_TEST(successes_bring_them_back_up_to_the_ceiling)
{
	pace_shrink(&p, now, now);
	for (int i = 0; i < 50; i++)
		pace_grow(&p);
	ck_assert(p.limit > 50.9 && p.limit < 51.1);
	for (int i = 0; i < 10000; i++)
		pace_grow(&p);
	ck_assert(p.limit == 100);
}
END_TEST

START_TEST(what_comes_back_gets_its_calls_gradually)
{
	unsigned first, last = 0;

	pace_ramp(&p, now);
	first = calls_in(2000);
	ck_assert_uint_ge(first, 8);
	ck_assert_uint_le(first, 20);
	for (int i = 0; i < 5; i++) {
		unsigned n = calls_in(2000);

		ck_assert_uint_gt(n, last);
		last = n;
	}
	now += 20000;
	ck_assert(pace_rate(&p, now) == 0);
}
END_TEST

START_TEST(a_place_is_worth_waiting_for_while_places_are_freed)
{
	for (int i = 0; i < 100; i++)
		ck_assert(pace_take(&p, 1, 0, now, &at));
	ck_assert(pace_is_full(&p));
	/* At first nobody can know; as many again may hope. */
	ck_assert(pace_is_moving(&p, 99, 1000, now + 500));
	ck_assert(!pace_is_moving(&p, 100, 1000, now + 500));
	/* It hangs. */
	ck_assert(!pace_is_moving(&p, 0, 1000, now + 1001));
	/* It does not. */
	for (int i = 0; i < 50; i++, now += 50) {
		pace_leave(&p, now);
		ck_assert(pace_take(&p, 1, 0, now, &at));
	}
	ck_assert(pace_is_moving(&p, 0, 1000, now));
}
END_TEST

/* --- what the account may have --- */

START_TEST(what_the_account_may_have_holds)
{
	pace_init(&p, 0, 1000, now);
	pace_tell(&p, 14, now);
	for (unsigned i = 0; i < 100; i++)
		ck_assert(pace_take(&p, 1, 100000, now, &at));
	ck_assert_uint_ge(at - now, 99 * 1000 / 14 - 100);
	ck_assert(pace_next_turn(&p, now, &at));
	ck_assert(pace_ceiling(&p) == 14);
	ck_assert(pace_rate(&p, now) == 14);
}
END_TEST

START_TEST(a_call_costs_what_it_brings)
{
	pace_init(&p, 0, 1000, now);
	pace_tell(&p, 10, now);
	ck_assert(pace_take(&p, 50, 0, now, &at));
	ck_assert(!pace_take(&p, 1, 0, now, &at));
	ck_assert_uint_ge(at, now + 5000 - 100);
	pace_give_back(&p, 50, now);
	ck_assert(pace_take(&p, 1, 0, now, &at));
}
END_TEST

START_TEST(the_slower_of_two_limits_holds)
{
	pace_init(&p, 2, 1000, now);
	pace_tell(&p, 1000, now);
	ck_assert(pace_ceiling(&p) == 2);
	ck_assert(pace_take(&p, 1, 0, now, &at));
	ck_assert(pace_take(&p, 1, 1000, now, &at));
	ck_assert_uint_ge(at, now + 400);
	pace_tell(&p, 0, now);
	ck_assert(pace_ceiling(&p) == 2);
}
END_TEST

START_TEST(cuts_and_growth_stay_below_it)
{
	pace_init(&p, 0, 1000, now);
	pace_tell(&p, 14, now);
	pace_slow_down(&p, now, now);
	ck_assert(pace_rate(&p, now) < 14);
	now += 3600 * 1000;
	ck_assert(pace_rate(&p, now) == 14);
}
END_TEST

START_TEST(new_ceilings_hold_at_once)
{
	pace_set(&p, 5, 10, now);
	ck_assert(p.limit == 10);
	ck_assert(pace_rate(&p, now) == 5);
	pace_shrink(&p, now, now);
	pace_set(&p, 0, 50, now);
	ck_assert(p.limit == 5);
	ck_assert(pace_rate(&p, now) == 0);
}
END_TEST

START_TEST(room_is_what_could_leave_soon)
{
	ck_assert_uint_eq(pace_room(&p, 16, now), 116);
	for (int i = 0; i < 100; i++)
		ck_assert(pace_take(&p, 1, 0, now, &at));
	ck_assert_uint_eq(pace_room(&p, 16, now), 16);
	ck_assert_uint_eq(pace_room(&p, 0, now), 0);
	pace_init(&p, 5, 100, now);
	ck_assert_uint_eq(pace_room(&p, 16, now), 10);
	while (pace_take(&p, 1, 2000, now, &at))
		;
	ck_assert_uint_eq(pace_room(&p, 16, now), 0);
}
END_TEST

START_TEST(little_that_is_left_is_spread_over_the_time)
{
	/* Plenty: as fast as ever. */
	pace_allow(&p, 300, 600, now + 10000, now);
	ck_assert(pace_rate(&p, now) == 0);
	pace_allow(&p, 20, 600, now + 10000, now);
	ck_assert(pace_rate(&p, now) == 2);
	unsigned n = calls_in(10000);
	ck_assert_uint_ge(n, 20);
	ck_assert_uint_le(n, 21);
	/* And is over with the count. */
	ck_assert(pace_rate(&p, now) == 0);
	ck_assert_uint_eq(calls_in(100), 100);
}
END_TEST

START_TEST(without_a_whole_a_few_calls_are_little)
{
	pace_allow(&p, 11, 0, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 0);
	pace_allow(&p, 10, 0, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 10);
	/* Over already. */
	pace_allow(&p, 0, 0, now, now);
	ck_assert(pace_rate(&p, now) == 10);
}
END_TEST

START_TEST(of_one_count_the_least_is_believed)
{
	pace_allow(&p, 5, 100, now + 10000, now);
	/* Overtaken on its way; the end of a count is not told exactly. */
	pace_allow(&p, 20, 100, now + 9500, now);
	ck_assert(pace_rate(&p, now) < 1);
	/* Another one. */
	pace_allow(&p, 20, 100, now + 20000, now);
	ck_assert(pace_rate(&p, now) == 1);
}
END_TEST

START_TEST(a_count_that_has_ended_says_nothing_of_the_next)
{
	pace_allow(&p, 1, 100, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 1);
	now += 1000;
	pace_allow(&p, 20, 100, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 20);
}
END_TEST

START_TEST(a_count_that_ends_in_days_lets_a_call_through_each_hour)
{
	const uint64_t week_ms = UINT64_C(7) * 24 * 3600 * 1000;

	pace_allow(&p, 1, 100, now + week_ms, now);
	ck_assert(pace_take(&p, 1, 0, now, &at));
	now += 3600 * 1000;
	ck_assert(pace_take(&p, 1, 0, now, &at));
}
END_TEST

START_TEST(calls_under_way_may_not_be_counted_yet)
{
	for (int i = 0; i < 8; i++)
		ck_assert(pace_take(&p, 1, 0, now, &at));
	pace_allow(&p, 10, 100, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 2);
	pace_allow(&p, 3, 100, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 1);
}
END_TEST

START_TEST(a_count_never_makes_it_faster_nor_a_small_provider)
{
	pace_init(&p, 4, 100, now);
	pace_allow(&p, 10, 100, now + 1000, now);
	ck_assert(pace_rate(&p, now) == 4);
	pace_init(&p, 0, 100, now);
	(void)calls_in(1000);
	pace_allow(&p, 0, 1000, now + 60000, now);
	pace_slow_down(&p, now, now);
	/* Half of what it took, not half of what was left. */
	now += 60000;
	ck_assert(pace_rate(&p, now) == 0 || pace_rate(&p, now) > 50);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("health/pace");
	TCase *c = tcase_create("pace");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, without_a_ceiling_there_is_no_limit);
	tcase_add_test(c, the_ceiling_holds);
	tcase_add_test(c, an_idle_account_has_its_next_turn_at_once);
	tcase_add_test(c, turns_are_given_out_in_order_as_far_as_patience_goes);
	tcase_add_test(c, a_turn_not_used_goes_to_the_next);
	tcase_add_test(c, too_many_halves_the_rate);
	tcase_add_test(c, the_rate_grows_again_by_steps_and_is_free_in_the_end);
	tcase_add_test(c, several_cuts_do_not_make_it_a_small_provider);
	tcase_add_test(c, the_rate_grows_to_the_ceiling);
	tcase_add_test(c, a_rate_never_becomes_nothing);
	tcase_add_test(c, a_pause_lasts_until_its_end_and_is_counted);
	tcase_add_test(c, failures_halve_the_calls_at_a_time_once_per_round);
	tcase_add_test(c, successes_bring_them_back_up_to_the_ceiling);
	tcase_add_test(c, what_comes_back_gets_its_calls_gradually);
	tcase_add_test(c, a_place_is_worth_waiting_for_while_places_are_freed);
	tcase_add_test(c, what_the_account_may_have_holds);
	tcase_add_test(c, a_call_costs_what_it_brings);
	tcase_add_test(c, the_slower_of_two_limits_holds);
	tcase_add_test(c, cuts_and_growth_stay_below_it);
	tcase_add_test(c, new_ceilings_hold_at_once);
	tcase_add_test(c, room_is_what_could_leave_soon);
	tcase_add_test(c, little_that_is_left_is_spread_over_the_time);
	tcase_add_test(c, without_a_whole_a_few_calls_are_little);
	tcase_add_test(c, of_one_count_the_least_is_believed);
	tcase_add_test(c, a_count_that_has_ended_says_nothing_of_the_next);
	tcase_add_test(
	    c, a_count_that_ends_in_days_lets_a_call_through_each_hour);
	tcase_add_test(c, calls_under_way_may_not_be_counted_yet);
	tcase_add_test(c, a_count_never_makes_it_faster_nor_a_small_provider);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN(make_suite)
