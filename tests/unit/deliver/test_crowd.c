/* Those who wait for the same gate come back one after the other. */
#include <support/unit.h>

#include <deliver/crowd.h>

enum {
	BASE_MS = 5000,
	CAP_MS = 900000
};

static struct crowd crowd;
static uint64_t now, seed;

static void setup(void)
{
	crowd = (struct crowd){ 0 };
	now = 1000000;
	seed = 1;
}

static uint64_t chance(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 16;
}

static uint64_t join(uint64_t opens_ms, uint64_t each_ms)
{
	const struct crowd_gate g = { .opens_ms = opens_ms,
		.each_ms = each_ms,
		.base_ms = BASE_MS,
		.cap_ms = CAP_MS };

	return crowd_join(&crowd, &g, now, chance());
}

START_TEST(one_alone_comes_back_soon)
{
	ck_assert_uint_le(join(now + 30000, 1), BASE_MS);
}
END_TEST

START_TEST(many_come_back_one_after_the_other)
{
	static unsigned per_second[CAP_MS / 1000 + 1];

	for (unsigned i = 0; i < 100000; i++)
		per_second[join(now + 30000, 1) / 1000]++;
	for (unsigned s = 0; s < 100; s++)
		ck_assert_uint_le(per_second[s], 1200);
	for (unsigned s = 110; s <= CAP_MS / 1000; s++)
		ck_assert_uint_eq(per_second[s], 0);
}
END_TEST

START_TEST(not_faster_than_they_can_leave)
{
	for (unsigned i = 0; i < 999; i++)
		(void)join(now, 36);
	ck_assert_uint_ge(join(now, 36), 999 * 36);
}
END_TEST

START_TEST(nobody_waits_longer_than_the_cap)
{
	unsigned early = 0;

	for (unsigned i = 0; i < 1000000; i++)
		ck_assert_uint_le(join(now, 1), CAP_MS);
	/* And then not all at its end. */
	for (unsigned i = 0; i < 1000; i++)
		early += join(now, 1) < CAP_MS / 2;
	ck_assert_uint_gt(early, 400);
	ck_assert_uint_lt(early, 600);
}
END_TEST

START_TEST(who_has_come_back_takes_no_room)
{
	for (unsigned i = 0; i < 100000; i++)
		(void)join(now + 30000, 1);
	now += 20000; /* none of it yet */
	ck_assert_uint_ge(join(now + 10000, 1), 100000);
	now += 10000 + 50000;
	ck_assert_uint_ge(join(now, 1), 50000);
	ck_assert_uint_le(join(now, 1), 50010 + BASE_MS);
	now += 60000;
	ck_assert_uint_le(join(now, 1), BASE_MS);
}
END_TEST

/* A provider that says "in a moment" all the time. */
START_TEST(soon_is_not_put_off_for_ever)
{
	for (unsigned i = 0; i < 10000; i++) {
		now += 10;
		ck_assert_uint_le(join(now + 250, 5), BASE_MS + 130);
	}
}
END_TEST

START_TEST(a_gate_that_opens_sooner_is_believed)
{
	for (unsigned i = 0; i < 1000; i++)
		(void)join(now + 3600000, 1);
	(void)join(now + 1000, 1);
	now += 3000;
	ck_assert_uint_le(join(now, 1), BASE_MS);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { one_alone_comes_back_soon,
		many_come_back_one_after_the_other,
		not_faster_than_they_can_leave,
		nobody_waits_longer_than_the_cap,
		who_has_come_back_takes_no_room, soon_is_not_put_off_for_ever,
		a_gate_that_opens_sooner_is_believed };
	Suite *s = suite_create("deliver/crowd");
	TCase *t = tcase_create("crowd");

	tcase_add_checked_fixture(t, setup, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
