/* Retries are a share of first attempts, and a few in any case. */
#include <support/unit.h>

#include <health/budget.h>

static struct budget b;
static uint64_t at;

static void setup(void)
{
	budget_init(&b, 20);
}

static unsigned retries_at(uint64_t now_ms, unsigned wanted)
{
	unsigned n = 0;

	while (n < wanted && budget_may_retry(&b, now_ms, &at)) {
		budget_note(&b, true, now_ms);
		n++;
	}
	return n;
}

START_TEST(three_per_second_always_fit)
{
	for (uint64_t s = 0; s < 10; s++)
		ck_assert_uint_eq(retries_at(100000 + s * 1000, 50), 3);
}
END_TEST

START_TEST(says_when_the_next_fits)
{
	ck_assert_uint_eq(retries_at(100400, 3), 3);
	ck_assert(!budget_may_retry(&b, 100400, &at));
	ck_assert_uint_eq(at, 101000);
	ck_assert(budget_may_retry(&b, at, &at));
}
END_TEST

START_TEST(a_fifth_of_the_first_attempts_fits)
{
	for (int i = 0; i < 1000; i++)
		budget_note(&b, false, 100000);
	ck_assert_uint_eq(retries_at(100000, 1000), 200);
	/* Over a minute, not for each second. */
	ck_assert_uint_eq(retries_at(130000, 1000), 3);
	/* Then the first attempts are forgotten as well. */
	ck_assert_uint_eq(retries_at(161000, 1000), 3);
}
END_TEST

START_TEST(no_share_leaves_the_floor)
{
	budget_init(&b, 0);
	for (int i = 0; i < 1000; i++)
		budget_note(&b, false, 100000);
	ck_assert_uint_eq(retries_at(100000, 1000), 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("health/budget");
	TCase *c = tcase_create("budget");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, three_per_second_always_fit);
	tcase_add_test(c, says_when_the_next_fits);
	tcase_add_test(c, a_fifth_of_the_first_attempts_fits);
	tcase_add_test(c, no_share_leaves_the_floor);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN(make_suite)
