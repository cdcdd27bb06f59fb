#include <support/unit.h>

#include <route/retry.h>

enum {
	HOUR_MS = 60 * 60 * 1000
};

static const struct {
	uint64_t base, cap;
	uint32_t attempts;
	uint64_t floor, random, delay;
} delays[] = {
	/* The window grows from base by doubling. */
	{ 5000, 900000, 1, 0, 5000, 5000 },
	{ 5000, 900000, 1, 0, 5001, 0 },
	{ 5000, 900000, 1, 0, 0, 0 },
	{ 5000, 900000, 2, 0, 10000, 10000 },
	{ 5000, 900000, 3, 0, 20001, 0 },
	/* Up to the cap, and no further. */
	{ 5000, 900000, 9, 0, 900000, 900000 },
	{ 5000, 900000, 1000, 0, 900001, 0 },
	{ 5000, 900000, UINT32_MAX, 0, 900000, 900000 },
	{ 5000, 1000, 1, 0, 1000, 1000 },
	/* Nothing behind it counts like one attempt. */
	{ 5000, 900000, 0, 0, 5000, 5000 },
	/* Degenerate settings. */
	{ 0, 0, 5, 0, 12345, 0 },
	{ 0, 900000, UINT32_MAX, 0, 12345, 0 },
	{ UINT64_MAX, UINT64_MAX, 7, 0, 42, 42 },
	/* Retry-After is a floor, with a tenth on top at most. */
	{ 5000, 900000, 1, 30000, 1000, 30000 },
	{ 5000, 900000, 1, 30000, UINT64_C(3000) << 32, 33000 },
	{ 5000, 900000, 1, 30000, UINT64_C(3001) << 32, 30000 },
	{ 5000, 900000, 9, 100, 900000, 900000 },
	/* And counts up to an hour. */
	{ 5000, 900000, 1, UINT64_MAX, 0, HOUR_MS },
	{ 5000, 900000, 1, 2 * (uint64_t)HOUR_MS, 0, HOUR_MS },
};

START_TEST(delay_is_the_table_s)
{
	ck_assert_uint_eq(
	    retry_delay_ms(delays[_i].base, delays[_i].cap, delays[_i].attempts,
		delays[_i].floor, delays[_i].random),
	    delays[_i].delay);
}
END_TEST

START_TEST(first_retry_comes_within_five_seconds)
{
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15), sum = 0;

	for (int i = 0; i < 10000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		uint64_t delay = retry_delay_ms(5000, 900000, 1, 0, random);

		ck_assert_uint_le(delay, 5000);
		sum += delay;
	}
	/* Full jitter: spread over the whole window. */
	ck_assert_uint_ge(sum / 10000, 2300);
	ck_assert_uint_le(sum / 10000, 2700);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("route/retry");
	TCase *t = tcase_create("retry");

	tcase_add_loop_test(
	    t, delay_is_the_table_s, 0, sizeof(delays) / sizeof(delays[0]));
	tcase_add_test(t, first_retry_comes_within_five_seconds);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
