/* What opens a breaker, for how long, and what closes it. */
#include <support/unit.h>

#include <health/breaker.h>

static const struct config_breaker settings = { .failures = 5,
	.ratio = 50,
	.min_calls = 20,
	.window_ms = 60000,
	.open_ms = 30000,
	.open_max_ms = 300000,
	.account_retry_ms = 600000 };
/* Of 64 random bits: the shortest and the longest time. */
static const uint64_t chances[] = { 0, 12000 };

static struct breaker b;
static struct breaker_pass pass;
static struct breaker_ask ask;
static uint64_t now, at;

static void setup(void)
{
	now = 1000000;
	ask = (struct breaker_ask){ .is_delicate = false };
	breaker_init(&b, &settings, now);
}

static bool enter(void)
{
	return breaker_enter(&b, &ask, now, &pass, &at);
}

static enum breaker_change call(enum postern_class result)
{
	ck_assert(enter());
	return breaker_leave(&b, &pass, result, now, 0);
}

static void open_by_failures(void)
{
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_OPENED);
}

/* As soon as it may be tried. */
static void wait_until_half(void)
{
	now = b.until_ms;
}

START_TEST(five_failures_in_a_row_open_it)
{
	open_by_failures();
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	ck_assert_int_eq(b.cause, BREAKER_IN_A_ROW);
	ck_assert(!enter());
	ck_assert_uint_eq(at, b.until_ms);
}
END_TEST

START_TEST(silence_counts_like_failure)
{
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(call(POSTERN_UNKNOWN), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_UNKNOWN), BREAKER_OPENED);
}
END_TEST

START_TEST(one_success_begins_the_row_again)
{
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(
		    call(i == 4 ? POSTERN_ACCEPTED : POSTERN_TRANSIENT),
		    BREAKER_SAME);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(half_of_twenty_calls_open_it)
{
	for (int i = 1; i < 20; i++)
		ck_assert_int_eq(
		    call(i % 2 ? POSTERN_TRANSIENT : POSTERN_ACCEPTED),
		    BREAKER_SAME);
	/* A success opens nothing, whatever the share. */
	ck_assert_int_eq(call(POSTERN_ACCEPTED), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_OPENED);
	ck_assert_int_eq(b.cause, BREAKER_RATIO);
}
END_TEST

START_TEST(less_than_half_does_not)
{
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(
		    call(i % 3 == 2 ? POSTERN_TRANSIENT : POSTERN_ACCEPTED),
		    BREAKER_SAME);
}
END_TEST

START_TEST(what_is_older_than_the_window_does_not_count)
{
	for (int i = 1; i < 20; i++)
		(void)call(i % 2 ? POSTERN_TRANSIENT : POSTERN_ACCEPTED);
	now += 61000;
	for (int i = 0; i < 18; i++)
		ck_assert_int_eq(
		    call(i % 2 ? POSTERN_TRANSIENT : POSTERN_ACCEPTED),
		    BREAKER_SAME);
}
END_TEST

static const enum postern_class harmless[] = { POSTERN_REJECTED,
	POSTERN_THROTTLED };

START_TEST(bad_messages_and_requests_to_slow_down_never_count)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(call(harmless[_i]), BREAKER_SAME);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	open_by_failures();
	wait_until_half();
	ck_assert_int_eq(call(harmless[_i]), BREAKER_SAME);
	ck_assert_int_eq(b.state, BREAKER_HALF);
	/* And leave the trial to the next one. */
	ck_assert(enter());
}
END_TEST

START_TEST(a_refused_account_opens_it_at_once_and_for_long)
{
	ck_assert(enter());
	ck_assert_int_eq(
	    breaker_leave(&b, &pass, POSTERN_ACCOUNT, now, _i ? 240000 : 0),
	    BREAKER_OPENED);
	ck_assert_int_eq(b.cause, BREAKER_ACCOUNT);
	ck_assert_uint_eq(b.until_ms - now, _i ? 720000 : 480000);
	/* Nor is it a last resort. */
	ck_assert_uint_eq(b.early_ms, b.until_ms);
}
END_TEST

START_TEST(stays_open_for_thirty_seconds_give_or_take_a_fifth)
{
	for (int i = 1; i < 5; i++)
		(void)call(POSTERN_TRANSIENT);
	ck_assert(enter());
	(void)breaker_leave(&b, &pass, POSTERN_TRANSIENT, now, chances[_i]);
	ck_assert_uint_eq(b.until_ms - now, _i ? 36000 : 24000);
}
END_TEST

START_TEST(opens_for_twice_as_long_each_time_up_to_the_maximum)
{
	static const uint64_t seconds[] = { 30, 60, 120, 240, 300, 300 };

	open_by_failures();
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		ck_assert_uint_eq(b.until_ms - now, seconds[i] * 800);
		/* As the only one left, never later than at first. */
		ck_assert_uint_eq(b.early_ms - now, 24000);
		wait_until_half();
		ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_OPENED);
	}
}
END_TEST

static void recover(void)
{
	wait_until_half();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(call(POSTERN_ACCEPTED), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_ACCEPTED), BREAKER_RECOVERED);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
}

START_TEST(one_good_trial_and_three_more_close_it)
{
	struct breaker_pass first, more[3];

	open_by_failures();
	wait_until_half();
	ck_assert(enter());
	first = pass;
	ck_assert_int_eq(b.state, BREAKER_HALF);
	ck_assert(!enter()); /* one at a time at first */
	ck_assert_uint_gt(at, now);
	(void)breaker_leave(&b, &first, POSTERN_ACCEPTED, now, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert(enter());
		more[i] = pass;
	}
	ck_assert(!enter());
	for (int i = 0; i < 3; i++)
		(void)breaker_leave(&b, &more[i], POSTERN_ACCEPTED, now, 0);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(one_bad_trial_opens_it_again)
{
	open_by_failures();
	wait_until_half();
	ck_assert_int_eq(call(POSTERN_ACCEPTED), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_UNKNOWN), BREAKER_OPENED);
	ck_assert_uint_eq(b.until_ms - now, 48000);
}
END_TEST

START_TEST(failing_again_soon_continues_the_doubling)
{
	open_by_failures();
	recover();
	now += 10000;
	open_by_failures();
	ck_assert_uint_eq(b.until_ms - now, 48000);
	recover();
	now += 300001;
	open_by_failures();
	ck_assert_uint_eq(b.until_ms - now, 24000);
}
END_TEST

START_TEST(results_of_calls_from_before_say_nothing)
{
	struct breaker_pass old;

	ck_assert(enter());
	old = pass;
	open_by_failures();
	uint64_t until = b.until_ms;
	now += 100;
	ck_assert(!breaker_is_valid(&b, &old));
	(void)breaker_leave(&b, &old, POSTERN_TRANSIENT, now, 0);
	ck_assert_uint_eq(b.until_ms, until);
	wait_until_half();
	(void)breaker_leave(&b, &old, POSTERN_ACCEPTED, now, 0);
	ck_assert(enter());
	ck_assert_uint_eq(b.good, 0);
}
END_TEST

START_TEST(a_trial_that_was_not_made_is_given_back)
{
	open_by_failures();
	wait_until_half();
	for (int i = 0; i < 10; i++) {
		ck_assert(enter());
		breaker_cancel(&b, &pass);
	}
	ck_assert_uint_eq(breaker_room(&b, now), 1);
}
END_TEST

START_TEST(a_delicate_message_makes_no_trial_while_others_may)
{
	open_by_failures();
	wait_until_half();
	ask.is_delicate = true;
	ck_assert(!enter());
	ck_assert_uint_eq(at, b.until_ms + 30000);
	now = at;
	ck_assert(enter());
}
END_TEST

START_TEST(the_last_resort_may_be_tried_earlier)
{
	open_by_failures();
	wait_until_half();
	(void)call(POSTERN_TRANSIENT); /* open for 48 s now */
	now += 24000;
	ck_assert(!enter());
	ck_assert_uint_eq(breaker_room(&b, now), 1);
	ask.is_last_resort = true;
	ck_assert(enter());
}
END_TEST

START_TEST(new_settings_leave_its_state)
{
	struct config_breaker other = settings;

	open_by_failures();
	other.failures = 2;
	other.window_ms = 1000;
	breaker_set(&b, &other);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	recover();
	ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_SAME);
	ck_assert_int_eq(call(POSTERN_TRANSIENT), BREAKER_OPENED);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("health/breaker");
	TCase *c = tcase_create("breaker");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, five_failures_in_a_row_open_it);
	tcase_add_test(c, silence_counts_like_failure);
	tcase_add_test(c, one_success_begins_the_row_again);
	tcase_add_test(c, half_of_twenty_calls_open_it);
	tcase_add_test(c, less_than_half_does_not);
	tcase_add_test(c, what_is_older_than_the_window_does_not_count);
	tcase_add_loop_test(
	    c, bad_messages_and_requests_to_slow_down_never_count, 0, 2);
	tcase_add_loop_test(
	    c, a_refused_account_opens_it_at_once_and_for_long, 0, 2);
	tcase_add_loop_test(
	    c, stays_open_for_thirty_seconds_give_or_take_a_fifth, 0, 2);
	tcase_add_test(c, opens_for_twice_as_long_each_time_up_to_the_maximum);
	tcase_add_test(c, one_good_trial_and_three_more_close_it);
	tcase_add_test(c, one_bad_trial_opens_it_again);
	tcase_add_test(c, failing_again_soon_continues_the_doubling);
	tcase_add_test(c, results_of_calls_from_before_say_nothing);
	tcase_add_test(c, a_trial_that_was_not_made_is_given_back);
	tcase_add_test(c, a_delicate_message_makes_no_trial_while_others_may);
	tcase_add_test(c, the_last_resort_may_be_tried_earlier);
	tcase_add_test(c, new_settings_leave_its_state);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN(make_suite)
