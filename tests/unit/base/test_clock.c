#include <base/clock.h>

#include <support/unit.h>

static uint64_t fixed_mono(void)
{
	return 12345678901;
}

static int64_t fixed_wall(void)
{
	return -42;
}

static void teardown(void)
{
	clock_override(NULL, NULL);
}

START_TEST(never_goes_backwards)
{
	uint64_t last = clock_mono_ns();

	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_ns();
		ck_assert(now >= last);
		last = now;
	}
	uint64_t ms = clock_mono_ms();
	ck_assert(ms >= last / 1000000);
	ck_assert(ms <= clock_mono_ns() / 1000000);
}
END_TEST

START_TEST(shows_a_plausible_wall_time)
{
	ck_assert(clock_wall_ms() > INT64_C(1700000000000));
	ck_assert(clock_wall_ms() < INT64_C(10000000000000));
}
END_TEST

START_TEST(can_be_replaced_and_restored)
{
	clock_override(fixed_mono, fixed_wall);
	ck_assert(clock_mono_ns() == 12345678901);
	ck_assert(clock_mono_ms() == 12345);
	ck_assert(clock_wall_ms() == -42);
	clock_override(NULL, NULL);
	ck_assert(clock_wall_ms() > 0);
}
END_TEST

START_TEST(can_be_replaced_one_by_one)
{
	clock_override(NULL, fixed_wall);
	ck_assert(clock_wall_ms() == -42);
	ck_assert(clock_mono_ns() != 12345678901);
	clock_override(fixed_mono, NULL);
	ck_assert(clock_wall_ms() > 0);
	ck_assert(clock_mono_ns() == 12345678901);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/clock");
	TCase *t = tcase_create("clock");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, never_goes_backwards);
	tcase_add_test(t, shows_a_plausible_wall_time);
	tcase_add_test(t, can_be_replaced_and_restored);
	tcase_add_test(t, can_be_replaced_one_by_one);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
