/* Sums over workers, percentiles, rates. */
#include <string.h>

#include <admin/rates.h>
#include <admin/totals.h>
#include <support/unit.h>

START_TEST(sums_workers_and_keeps_the_latest_event)
{
	struct counters *a = calloc(1, sizeof(*a));
	struct counters *b = calloc(1, sizeof(*b));
	struct counters *sum = calloc(1, sizeof(*sum));
	const struct counters *all[] = { a, b };
	const struct admin_services s = { .counters = all, .worker_count = 2 };

	counter_add(&a->accepted, 3);
	counter_add(&b->accepted, 4);
	counter_add(&b->listeners[COUNTER_LISTENERS_MAX - 1].rejected, 5);
	/* A gauge may be taken down by another worker than the one that
	 * raised it. */
	counter_add(&a->inflight, 2);
	counter_sub(&b->inflight, 1);
	counter_set(&a->providers[1].last_success_ms, 100);
	counter_set(&b->providers[1].last_success_ms, 90);
	counter_set(&a->providers[1].last_error_ms, 70);
	counter_set(&a->providers[1].last_error_class, POSTERN_ACCOUNT);
	counter_set(&b->providers[1].last_error_ms, 80);
	counter_set(&b->providers[1].last_error_class, POSTERN_TRANSIENT);
	totals_read(&s, sum);
	ck_assert_uint_eq(counter_get(&sum->accepted), 7);
	ck_assert_uint_eq(
	    counter_get(&sum->listeners[COUNTER_LISTENERS_MAX - 1].rejected),
	    5);
	ck_assert_uint_eq(counter_get(&sum->inflight), 1);
	ck_assert_uint_eq(counter_get(&sum->providers[1].last_success_ms), 100);
	ck_assert_uint_eq(counter_get(&sum->providers[1].last_error_ms), 80);
	ck_assert_uint_eq(counter_get(&sum->providers[1].last_error_class),
	    POSTERN_TRANSIENT);
	free(a);
	free(b);
	free(sum);
}
END_TEST

START_TEST(quantiles_lie_inside_their_bucket)
{
	struct counter_histogram h = { .sum_us = 0 };

	ck_assert_double_eq(totals_quantile_ms(&h, 0.5), 0);
	for (int i = 0; i < 100; i++)
		counter_observe_us(&h, i < 90 ? 20000 : 400000);
	/* 90 of 100 between 10 and 25 ms, 10 between 250 and 500 ms */
	ck_assert_double_eq_tol(
	    totals_quantile_ms(&h, 0.45), 10 + 15 * 0.5, 1e-9);
	ck_assert_double_eq_tol(totals_quantile_ms(&h, 0.90), 25, 1e-9);
	ck_assert_double_eq_tol(
	    totals_quantile_ms(&h, 0.95), 250 + 250 * 0.5, 1e-9);
	counter_observe_us(&h, 3600000000);
	ck_assert_double_eq_tol(totals_quantile_ms(&h, 1), 60000, 1e-9);
	ck_assert_uint_eq(totals_count(&h), 101);
}
END_TEST

START_TEST(rates_cover_their_window)
{
	struct rates r = { .count = 0 };
	uint64_t totals[RATES_KINDS] = { 0 };

	ck_assert_double_eq(rates_per_second(&r, RATES_SENT, 1), 0);
	rates_add(&r, totals);
	ck_assert_double_eq(rates_per_second(&r, RATES_SENT, 1), 0);
	/* 20 minutes at 2/s, then one minute at 10/s */
	for (int i = 0; i < 120; i++) {
		totals[RATES_SENT] += 20;
		rates_add(&r, totals);
	}
	ck_assert_double_eq_tol(rates_per_second(&r, RATES_SENT, 15), 2, 1e-9);
	for (int i = 0; i < 6; i++) {
		totals[RATES_SENT] += 100;
		rates_add(&r, totals);
	}
	ck_assert_double_eq_tol(rates_per_second(&r, RATES_SENT, 1), 10, 1e-9);
	ck_assert_double_eq_tol(
	    rates_per_second(&r, RATES_SENT, 5), (4 * 2 + 10) / 5.0, 1e-9);
	ck_assert_double_eq_tol(
	    rates_per_second(&r, RATES_SENT, 15), (14 * 2 + 10) / 15.0, 1e-9);
	ck_assert_double_eq(rates_per_second(&r, RATES_FAILED, 15), 0);
}
END_TEST

START_TEST(a_young_server_counts_what_it_has)
{
	struct rates r = { .count = 0 };
	uint64_t totals[RATES_KINDS] = { 0 };

	rates_add(&r, totals);
	totals[RATES_ACCEPTED] = 50;
	rates_add(&r, totals);
	ck_assert_double_eq_tol(
	    rates_per_second(&r, RATES_ACCEPTED, 15), 5, 1e-9);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("admin/totals");
	TCase *t = tcase_create("totals");

	tcase_add_test(t, sums_workers_and_keeps_the_latest_event);
	tcase_add_test(t, quantiles_lie_inside_their_bucket);
	tcase_add_test(t, rates_cover_their_window);
	tcase_add_test(t, a_young_server_counts_what_it_has);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
