#include <support/unit.h>

#include <pthread.h>

#include <base/clock.h>
#include <base/date.h>
#include <config/config.h>
#include <policy/quota.h>

enum {
	MINUTE_MS = 60 * 1000,
	DAY_MS = 24 * 60 * 60 * 1000
};

static uint64_t mono_ms;
static int64_t wall_ms;
static struct quota *quota;

static uint64_t fake_mono_ns(void)
{
	return mono_ms * 1000000;
}

static int64_t fake_wall_ms(void)
{
	return wall_ms;
}

static void setup(void)
{
	mono_ms = 1000;
	wall_ms = (int64_t)DAY_MS * 20000 + 1000; /* just after midnight */
	clock_override(fake_mono_ns, fake_wall_ms);
	quota = quota_new();
	ck_assert_ptr_nonnull(quota);
}

static void teardown(void)
{
	quota_free(quota);
	clock_override(NULL, NULL);
}

static void pass(uint64_t ms)
{
	mono_ms += ms;
	wall_ms += (int64_t)ms;
}

static struct config_user user_with(
    uint64_t count, uint64_t per_ms, int64_t daily)
{
	return (struct config_user){ .name = "app",
		.rate = { .count = count, .per_ms = per_ms },
		.daily = daily };
}

/* How many are allowed in a row. */
static unsigned take_all(const struct config_user *u)
{
	unsigned n = 0;

	while (n < 10000 && quota_take(quota, u).verdict == QUOTA_OK)
		n++;
	return n;
}

START_TEST(no_limits_never_refuse)
{
	struct config_user u = user_with(0, 0, 0);

	ck_assert_uint_eq(take_all(&u), 10000);
}
END_TEST

START_TEST(burst_is_one_period)
{
	struct config_user u = user_with(100, MINUTE_MS, 0);

	ck_assert_uint_eq(take_all(&u), 100);
	pass(MINUTE_MS / 2);
	ck_assert_uint_eq(take_all(&u), 50);
	pass((uint64_t)10 * MINUTE_MS);
	ck_assert_uint_eq(take_all(&u), 100);
}
END_TEST

START_TEST(names_when_the_next_is_allowed)
{
	struct config_user u = user_with(3, MINUTE_MS, 0);

	ck_assert_uint_eq(take_all(&u), 3);
	struct quota_answer a = quota_take(quota, &u);
	ck_assert_int_eq(a.verdict, QUOTA_RATE);
	ck_assert_uint_ge(a.retry_after_ms, MINUTE_MS / 3);
	ck_assert_uint_le(a.retry_after_ms, MINUTE_MS / 3 + 1);
	pass(a.retry_after_ms - 2);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_RATE);
	pass(2);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_OK);
}
END_TEST

START_TEST(slow_rates_do_not_lose_time)
{
	struct config_user u = user_with(1, DAY_MS, 0);

	ck_assert_uint_eq(take_all(&u), 1);
	/* Asked once a minute, it still comes back after a day. */
	for (int i = 0; i < 24 * 60 - 1; i++) {
		pass(MINUTE_MS);
		ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_RATE);
	}
	pass(MINUTE_MS);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_OK);
}
END_TEST

START_TEST(daily_count_ends_at_midnight_utc)
{
	struct config_user u = user_with(0, 0, 5);

	ck_assert_uint_eq(take_all(&u), 5);
	struct quota_answer a = quota_take(quota, &u);
	ck_assert_int_eq(a.verdict, QUOTA_DAILY);
	ck_assert_uint_eq(a.retry_after_ms, DAY_MS - 1000);
	ck_assert_int_eq(a.day, 20000);
	pass(a.retry_after_ms);
	a = quota_take(quota, &u);
	ck_assert_int_eq(a.verdict, QUOTA_OK);
	ck_assert_int_eq(a.day, 20001);
}
END_TEST

START_TEST(refusal_charges_nothing)
{
	struct config_user u = user_with(2, MINUTE_MS, 4);

	ck_assert_uint_eq(take_all(&u), 2);
	for (int i = 0; i < 10; i++)
		(void)quota_take(quota, &u);
	pass(MINUTE_MS);
	ck_assert_uint_eq(take_all(&u), 2);
	pass(MINUTE_MS);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_DAILY);
}
END_TEST

START_TEST(restored_count_goes_on)
{
	struct config_user u = user_with(0, 0, 5);

	quota_restore(quota, SPAN("App"), 19999, 5); /* yesterday */
	quota_restore(quota, SPAN("App"), 20000, 2);
	quota_restore(quota, SPAN("app"), 20000, 1);
	quota_restore(quota, SPAN("App"), 19998, 5);
	ck_assert_uint_eq(take_all(&u), 2);
}
END_TEST

START_TEST(what_is_given_back_can_be_taken_again)
{
	struct config_user u = user_with(2, MINUTE_MS, 2);

	struct quota_answer a = quota_take(quota, &u);
	ck_assert_uint_eq(take_all(&u), 1);
	quota_give_back(quota, &u, a.day);
	ck_assert_uint_eq(take_all(&u), 1);
	/* Yesterday's charge is not today's. */
	pass(DAY_MS);
	ck_assert_uint_eq(take_all(&u), 2);
	quota_give_back(quota, &u, a.day);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_DAILY);
}
END_TEST

START_TEST(reload_may_change_the_rate)
{
	struct config_user u = user_with(100, MINUTE_MS, 0);

	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_OK);
	u.rate.count = 2;
	ck_assert_uint_eq(take_all(&u), 2);
	u.rate.count = 1000;
	pass(MINUTE_MS);
	ck_assert_uint_eq(take_all(&u), 1000);
}
END_TEST

static void sum_up(struct span user, int64_t day, uint64_t messages, void *ctx)
{
	uint64_t *sum = ctx;

	ck_assert_int_eq(day, 20000);
	*sum += messages * (span_eq(user, SPAN("app")) ? 1 : 100);
}

START_TEST(lists_every_user_once)
{
	struct config_user u = user_with(0, 0, 0), v = u;
	uint64_t sum = 0;

	v.name = "Other";
	(void)quota_take(quota, &u);
	(void)quota_take(quota, &u);
	(void)quota_take(quota, &v);
	quota_each(quota, sum_up, &sum);
	ck_assert_uint_eq(sum, 102);
}
END_TEST

START_TEST(holds_above_the_day_and_still_keeps_the_rate)
{
	struct config_user u = user_with(5, MINUTE_MS, 3);

	u.quota_action = CONFIG_QUOTA_HOLD;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_OK);
	struct quota_answer a = quota_take(quota, &u);
	ck_assert_int_eq(a.verdict, QUOTA_HELD);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_HELD);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_RATE);
	quota_give_back(quota, &u, a.day);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_HELD);
	pass(DAY_MS);
	ck_assert_int_eq(quota_take(quota, &u).verdict, QUOTA_OK);
}
END_TEST

static void *take_many(void *arg)
{
	const struct config_user *u = arg;
	uintptr_t n = 0;

	for (int i = 0; i < 5000; i++)
		n += quota_take(quota, u).verdict == QUOTA_OK;
	return (void *)n;
}

START_TEST(threads_share_one_limit)
{
	struct config_user u = user_with(0, 0, 7000);
	pthread_t threads[4];
	uintptr_t sum = 0;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, take_many, &u), 0);
	for (int i = 0; i < 4; i++) {
		void *n;

		pthread_join(threads[i], &n);
		sum += (uintptr_t)n;
	}
	ck_assert_uint_eq(sum, 7000);
}
END_TEST

START_TEST(a_clock_set_back_gives_no_day_twice)
{
	struct config_user u = user_with(0, 0, 3);

	ck_assert_uint_eq(take_all(&u), 3);
	wall_ms -= DAY_MS;
	ck_assert_uint_eq(take_all(&u), 0);
	wall_ms += DAY_MS;
	ck_assert_uint_eq(take_all(&u), 0);
	wall_ms += DAY_MS;
	ck_assert_uint_eq(take_all(&u), 3);
}
END_TEST

START_TEST(a_clock_set_back_charges_the_later_day)
{
	struct config_user u = user_with(0, 0, 3);

	ck_assert_int_eq(quota_take(quota, &u).day, 20000);
	wall_ms -= DAY_MS;
	struct quota_answer a = quota_take(quota, &u);
	ck_assert_int_eq(a.day, 20000);
	quota_give_back(quota, &u, a.day);
	ck_assert_uint_eq(take_all(&u), 2);
	/* Until that one ends. */
	ck_assert_uint_eq(
	    quota_take(quota, &u).retry_after_ms, 2 * DAY_MS - 1000);
}
END_TEST

/* Else a user whose mail was counted in 2036 would have to wait for it. */
START_TEST(a_clock_that_was_years_ahead_locks_nobody_out)
{
	struct config_user u = user_with(0, 0, 3);

	wall_ms += (int64_t)DAY_MS * 4000;
	ck_assert_uint_eq(take_all(&u), 3);
	wall_ms -= (int64_t)DAY_MS * 4000;
	ck_assert_uint_eq(take_all(&u), 0);
	wall_ms += DAY_MS;
	ck_assert_uint_eq(take_all(&u), 3);
}
END_TEST

static void note_owed(
    struct span user, int64_t day, uint64_t messages, void *ctx)
{
	ck_assert(span_eq(user, SPAN("app")));
	ck_assert_int_eq(day, 20000);
	*(uint64_t *)ctx += messages;
}

START_TEST(what_is_owed_to_the_store_is_settled_once)
{
	struct config_user u = user_with(0, 0, 0);
	uint64_t owed = 0;

	for (int i = 0; i < 5; i++)
		(void)quota_take(quota, &u);
	quota_settle(quota, note_owed, &owed);
	ck_assert_uint_eq(owed, 0);
	quota_owe(quota, &u, 20000);
	quota_owe(quota, &u, 20000);
	quota_owe(quota, &u, 19999); /* yesterday's is of no more use */
	quota_settle(quota, note_owed, &owed);
	quota_settle(quota, note_owed, &owed);
	ck_assert_uint_eq(owed, 2);
	quota_owe(quota, &u, 20000);
	pass(DAY_MS);
	(void)quota_take(quota, &u);
	quota_settle(quota, note_owed, &owed);
	ck_assert_uint_eq(owed, 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("policy/quota");
	TCase *t = tcase_create("quota");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_clock_set_back_gives_no_day_twice);
	tcase_add_test(t, a_clock_set_back_charges_the_later_day);
	tcase_add_test(t, a_clock_that_was_years_ahead_locks_nobody_out);
	tcase_add_test(t, what_is_owed_to_the_store_is_settled_once);
	tcase_add_test(t, no_limits_never_refuse);
	tcase_add_test(t, burst_is_one_period);
	tcase_add_test(t, names_when_the_next_is_allowed);
	tcase_add_test(t, slow_rates_do_not_lose_time);
	tcase_add_test(t, daily_count_ends_at_midnight_utc);
	tcase_add_test(t, refusal_charges_nothing);
	tcase_add_test(t, restored_count_goes_on);
	tcase_add_test(t, what_is_given_back_can_be_taken_again);
	tcase_add_test(t, reload_may_change_the_rate);
	tcase_add_test(t, lists_every_user_once);
	tcase_add_test(t, holds_above_the_day_and_still_keeps_the_rate);
	tcase_add_test(t, threads_share_one_limit);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
