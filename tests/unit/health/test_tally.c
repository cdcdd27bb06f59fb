/* Events are counted for a while, then forgotten. */
#include <support/unit.h>

#include <health/tally.h>

static struct tally t;

static void setup(void)
{
	tally_init(&t, 60 * 1000);
}

START_TEST(counts_each_kind)
{
	for (int i = 0; i < 5; i++)
		tally_add(&t, 0, 100000);
	tally_add(&t, 1, 100000);
	ck_assert_uint_eq(tally_sum(&t, 0, 100000), 5);
	ck_assert_uint_eq(tally_sum(&t, 1, 100000), 1);
}
END_TEST

START_TEST(forgets_slot_by_slot)
{
	for (uint64_t s = 0; s < 60; s++)
		tally_add(&t, 0, 100000 + s * 1000);
	ck_assert_uint_eq(tally_sum(&t, 0, 159000), 60);
	ck_assert_uint_eq(tally_sum(&t, 0, 160000), 59);
	ck_assert_uint_eq(tally_sum(&t, 0, 189000), 30);
	ck_assert_uint_eq(tally_sum(&t, 0, 219000), 0);
}
END_TEST

START_TEST(forgets_all_after_a_long_time)
{
	tally_add(&t, 0, 1000);
	ck_assert_uint_eq(tally_sum(&t, 0, 1000000000), 0);
	tally_add(&t, 0, 1000000000);
	ck_assert_uint_eq(tally_sum(&t, 0, 1000000000), 1);
}
END_TEST

START_TEST(tells_what_was_recent)
{
	for (uint64_t s = 0; s < 10; s++)
		tally_add(&t, 1, 100000 + s * 1000);
	ck_assert_uint_eq(tally_recent(&t, 1, 1, 109999), 1);
	ck_assert_uint_eq(tally_recent(&t, 1, 5, 109999), 5);
	ck_assert_uint_eq(tally_recent(&t, 1, 5, 112000), 2);
}
END_TEST

START_TEST(a_moment_of_before_counts_as_now)
{
	tally_add(&t, 0, 105000);
	tally_add(&t, 0, 104000);
	ck_assert_uint_eq(tally_sum(&t, 0, 105000), 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("health/tally");
	TCase *c = tcase_create("tally");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, counts_each_kind);
	tcase_add_test(c, forgets_slot_by_slot);
	tcase_add_test(c, forgets_all_after_a_long_time);
	tcase_add_test(c, tells_what_was_recent);
	tcase_add_test(c, a_moment_of_before_counts_as_now);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN(make_suite)
