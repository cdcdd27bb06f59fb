/* Recipients per day and month: taken before, given back after. */
#include <support/unit.h>

#include <health/spend.h>

#include <pthread.h>
#include <stdatomic.h>

#include <base/date.h>

enum {
	DAY_MS = 24 * 60 * 60 * 1000
};

static const int64_t hour_ms = 60 * 60 * 1000;

static struct spend_book *book;
static struct spend *s;
static int64_t now;

static void setup(void)
{
	book = spend_book_new();
	ck_assert_ptr_nonnull(book);
	s = spend_find(book, "ses");
	/* Noon of 2027-01-30. */
	ck_assert_int_eq(
	    date_parse_rfc3339(SPAN("2027-01-30T12:00:00Z"), &now), 0);
}

static void teardown(void)
{
	spend_book_unref(book);
}

static void limit(uint64_t day, uint64_t month)
{
	const uint64_t limits[SPEND_WINDOWS] = { day, month };

	spend_set(s, limits);
}

/* How many of n it gets. */
static uint64_t take(uint64_t n)
{
	struct spend_share share;
	bool is_any = spend_take(s, n, now, &share);

	ck_assert(is_any || share.count == 0);
	spend_end(s, &share, 0);
	return share.count;
}

static uint64_t used(enum spend_window window)
{
	struct spend_view v;

	spend_look(s, now, &v);
	return v.used[window];
}

START_TEST(without_a_limit_it_only_counts)
{
	ck_assert_uint_eq(take(1000000), 1000000);
	ck_assert_uint_eq(take(1), 1);
	ck_assert_uint_eq(used(SPEND_DAY), 1000001);
	ck_assert_uint_eq(used(SPEND_MONTH), 1000001);
}
END_TEST

START_TEST(the_last_call_gets_what_is_left)
{
	limit(10, 0);
	ck_assert_uint_eq(take(7), 7);
	ck_assert_uint_eq(take(7), 3);
	ck_assert_uint_eq(take(7), 0);
	ck_assert_uint_eq(used(SPEND_DAY), 10);
}
END_TEST

START_TEST(what_is_given_back_can_be_taken_again)
{
	struct spend_share share;

	limit(10, 0);
	ck_assert(spend_take(s, 10, now, &share));
	ck_assert_uint_eq(take(1), 0);
	spend_end(s, &share, 4);
	ck_assert_uint_eq(take(9), 4);
}
END_TEST

START_TEST(what_is_given_back_counts_for_its_own_day)
{
	struct spend_share share;

	limit(10, 0);
	ck_assert(spend_take(s, 10, now, &share));
	now += DAY_MS;
	ck_assert_uint_eq(take(6), 6);
	spend_end(s, &share, 10);
	ck_assert_uint_eq(used(SPEND_DAY), 6);
	ck_assert_uint_eq(used(SPEND_MONTH), 6);
}
END_TEST

START_TEST(a_new_day_begins_at_midnight_utc)
{
	struct spend_share share;

	limit(10, 0);
	ck_assert_uint_eq(take(10), 10);
	ck_assert(!spend_take(s, 1, now, &share));
	ck_assert_int_eq(share.window, SPEND_DAY);
	ck_assert_int_eq(share.again_ms, now + 12 * hour_ms);
	now = share.again_ms - 1;
	ck_assert_uint_eq(take(1), 0);
	now = share.again_ms;
	ck_assert_uint_eq(take(11), 10);
	ck_assert_uint_eq(used(SPEND_MONTH), 20);
}
END_TEST

START_TEST(a_new_month_begins_on_its_first)
{
	struct spend_share share;
	int64_t first;

	ck_assert_int_eq(
	    date_parse_rfc3339(SPAN("2027-02-01T00:00:00Z"), &first), 0);
	limit(10, 15);
	ck_assert_uint_eq(take(10), 10);
	now += DAY_MS;
	ck_assert_uint_eq(take(10), 5);
	ck_assert(!spend_take(s, 1, now, &share));
	ck_assert_int_eq(share.window, SPEND_MONTH);
	ck_assert_uint_eq(share.limit, 15);
	ck_assert_int_eq(share.again_ms, first);
	now = first;
	ck_assert_uint_eq(take(11), 10);
	ck_assert_uint_eq(used(SPEND_MONTH), 10);
}
END_TEST

START_TEST(a_clock_that_is_set_finds_each_days_count)
{
	limit(10, 0);
	ck_assert_uint_eq(take(8), 8);
	now += DAY_MS;
	ck_assert_uint_eq(take(3), 3);
	now -= DAY_MS;
	ck_assert_uint_eq(take(8), 2);
	now += DAY_MS;
	ck_assert_uint_eq(take(8), 7);
}
END_TEST

START_TEST(a_clock_that_runs_far_ahead_forgets_no_day)
{
	limit(10, 0);
	ck_assert_uint_eq(take(8), 8);
	for (int64_t i = 1; i <= 10; i++) {
		now += 64 * (int64_t)DAY_MS;
		ck_assert_uint_eq(take(10), 10);
	}
	now -= 640 * (int64_t)DAY_MS;
	ck_assert_uint_eq(take(8), 2);
}
END_TEST

START_TEST(what_calls_hold_may_come_back)
{
	struct spend_share held, share;
	struct spend_view v;

	limit(10, 0);
	ck_assert(spend_take(s, 10, now, &held));
	ck_assert(!spend_take(s, 1, now, &share));
	ck_assert(share.is_soon);
	ck_assert(!share.is_news);
	spend_look(s, now, &v);
	ck_assert(!v.is_out);
	spend_end(s, &held, 0);
	ck_assert(!spend_take(s, 1, now, &share));
	ck_assert(!share.is_soon);
	ck_assert(share.is_news);
	spend_look(s, now, &v);
	ck_assert(v.is_out);
}
END_TEST

START_TEST(another_limit_applies_at_once)
{
	limit(10, 0);
	ck_assert_uint_eq(take(10), 10);
	limit(12, 0);
	ck_assert_uint_eq(take(10), 2);
	limit(5, 0);
	ck_assert_uint_eq(take(1), 0);
	limit(0, 0);
	ck_assert_uint_eq(take(10), 10);
}
END_TEST

START_TEST(counts_of_before_are_added)
{
	int64_t today = date_day(now);

	limit(10, 100);
	spend_add(s, today, 4);
	spend_add(s, today - 1, 90);
	spend_add(s, today - 31, 1000); /* of last month */
	ck_assert_uint_eq(used(SPEND_DAY), 4);
	ck_assert_uint_eq(used(SPEND_MONTH), 94);
	ck_assert_uint_eq(take(10), 6);
}
END_TEST

static bool is_told(void)
{
	struct spend_share share;

	ck_assert(!spend_take(s, 1, now, &share));
	ck_assert(share.is_short);
	return share.is_news;
}

START_TEST(its_end_is_news_once_per_window)
{
	limit(10, 0);
	ck_assert_uint_eq(take(10), 10);
	ck_assert(is_told());
	ck_assert(!is_told());
	limit(9, 0);
	ck_assert(is_told());
	now += DAY_MS;
	ck_assert_uint_eq(take(9), 9);
	ck_assert(is_told());
	ck_assert(!is_told());
}
END_TEST

START_TEST(each_name_has_its_own)
{
	struct spend *other = spend_find(book, "mailgun");

	ck_assert_ptr_eq(spend_find(book, "ses"), s);
	ck_assert_ptr_ne(other, s);
	limit(10, 0);
	ck_assert_uint_eq(take(10), 10);
	s = other;
	ck_assert_uint_eq(take(11), 11);
}
END_TEST

/* --- many at once --- */

enum {
	THREADS = 8,
	CALLS = 5000
};

static atomic_uint_fast64_t kept;

/* Half of the calls fail and give all back. */
static void *spend_some(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < CALLS; i++) {
		struct spend_share share;
		struct spend_view v;

		if (!spend_take(s, 3, now, &share))
			continue;
		spend_look(s, now, &v);
		ck_assert_uint_le(v.used[SPEND_DAY], 1000);
		spend_end(s, &share, i % 2 ? share.count : 0);
		if (i % 2 == 0)
			atomic_fetch_add(&kept, share.count);
	}
	return NULL;
}

START_TEST(many_threads_stay_within_a_limit_together)
{
	pthread_t threads[THREADS];

	kept = 0;
	limit(1000, 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, spend_some, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(kept, 1000);
	ck_assert_uint_eq(used(SPEND_DAY), 1000);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("health/spend");
	TCase *t = tcase_create("spend");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_a_limit_it_only_counts);
	tcase_add_test(t, the_last_call_gets_what_is_left);
	tcase_add_test(t, what_is_given_back_can_be_taken_again);
	tcase_add_test(t, what_is_given_back_counts_for_its_own_day);
	tcase_add_test(t, a_new_day_begins_at_midnight_utc);
	tcase_add_test(t, a_new_month_begins_on_its_first);
	tcase_add_test(t, a_clock_that_is_set_finds_each_days_count);
	tcase_add_test(t, a_clock_that_runs_far_ahead_forgets_no_day);
	tcase_add_test(t, what_calls_hold_may_come_back);
	tcase_add_test(t, another_limit_applies_at_once);
	tcase_add_test(t, counts_of_before_are_added);
	tcase_add_test(t, its_end_is_news_once_per_window);
	tcase_add_test(t, each_name_has_its_own);
	tcase_add_test(t, many_threads_stay_within_a_limit_together);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
