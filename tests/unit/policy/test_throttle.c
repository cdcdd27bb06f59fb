#include <support/unit.h>

#include <policy/throttle.h>

enum {
	HOUR_MS = 3600 * 1000
};

static const struct postern_rate two_an_hour = { 2, HOUR_MS };

START_TEST(gives_each_key_its_share)
{
	struct throttle *t = throttle_new();

	for (int i = 0; i < 2; i++) {
		ck_assert(throttle_take(t, SPAN("a"), &two_an_hour, HOUR_MS));
		ck_assert(throttle_take(t, SPAN("b"), &two_an_hour, HOUR_MS));
	}
	ck_assert(!throttle_take(t, SPAN("a"), &two_an_hour, HOUR_MS));
	ck_assert(!throttle_take(t, SPAN("b"), &two_an_hour, HOUR_MS));
	throttle_free(t);
}
END_TEST

START_TEST(what_was_refused_does_not_count)
{
	struct throttle *t = throttle_new();

	for (int i = 0; i < 100; i++)
		(void)throttle_take(t, SPAN("a"), &two_an_hour, HOUR_MS);
	/* Two hours later nothing of it matters. */
	ck_assert(throttle_take(t, SPAN("a"), &two_an_hour, 3 * HOUR_MS));
	throttle_free(t);
}
END_TEST

START_TEST(without_a_rate_everything_goes)
{
	static const struct postern_rate any = { 0, HOUR_MS };
	struct throttle *t = throttle_new();

	for (int i = 0; i < 1000; i++)
		ck_assert(throttle_take(t, SPAN("a"), &any, 0));
	throttle_free(t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy/throttle");
	TCase *t = tcase_create("throttle");

	tcase_add_test(t, gives_each_key_its_share);
	tcase_add_test(t, what_was_refused_does_not_count);
	tcase_add_test(t, without_a_rate_everything_goes);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
