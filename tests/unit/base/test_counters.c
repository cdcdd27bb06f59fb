#include <base/counters.h>

#include <support/unit.h>

static const struct bucket_case {
	uint64_t us;
	size_t bucket;
} bucket_cases[] = {
	{ 0, 0 },
	{ 4999, 0 },
	{ 5000, 0 }, /* bounds are inclusive, as Prometheus's le is */
	{ 5001, 1 },
	{ 10000, 1 },
	{ 25001, 3 },
	{ 1000000, 9 },
	{ 60000000, 15 },
	{ 60000001, 16 },
	{ UINT64_MAX, 16 },
};

START_TEST(sorts_into_buckets)
{
	const struct bucket_case *c = &bucket_cases[_i];
	struct counter_histogram h = { 0 };

	counter_observe_us(&h, c->us);
	for (size_t i = 0; i <= COUNTER_LATENCY_BUCKETS; i++)
		ck_assert(counter_get(&h.buckets[i]) == (i == c->bucket));
	ck_assert(counter_get(&h.sum_us) == c->us);
}
END_TEST

START_TEST(sums_what_it_saw)
{
	struct counter_histogram h = { 0 };

	counter_observe_us(&h, 1000);
	counter_observe_us(&h, 2000);
	counter_observe_us(&h, 70000000);
	ck_assert(counter_get(&h.buckets[0]) == 2);
	ck_assert(counter_get(&h.buckets[COUNTER_LATENCY_BUCKETS]) == 1);
	ck_assert(counter_get(&h.sum_us) == 70003000);
}
END_TEST

START_TEST(bounds_rise)
{
	for (size_t i = 1; i < COUNTER_LATENCY_BUCKETS; i++)
		ck_assert(counter_latency_ms[i] > counter_latency_ms[i - 1]);
	ck_assert(counter_latency_ms[0] == 5);
	ck_assert(counter_latency_ms[COUNTER_LATENCY_BUCKETS - 1] == 60000);
}
END_TEST

START_TEST(adds_subtracts_and_sets)
{
	counter_value c = 0;

	counter_add(&c, 5);
	counter_sub(&c, 2);
	ck_assert(counter_get(&c) == 3);
	counter_set(&c, 10);
	ck_assert(counter_get(&c) == 10);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/counters");
	TCase *t = tcase_create("counters");

	tcase_add_loop_test(t, sorts_into_buckets, 0,
	    sizeof(bucket_cases) / sizeof(bucket_cases[0]));
	tcase_add_test(t, sums_what_it_saw);
	tcase_add_test(t, bounds_rise);
	tcase_add_test(t, adds_subtracts_and_sets);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
