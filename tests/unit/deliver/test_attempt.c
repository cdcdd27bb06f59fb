/* One call to a provider whose module must have a grant before. */
#include "rig.h"

#include <support/unit.h>

#include <stdio.h>
#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static size_t body_size;

static bool submit(void)
{
	rig_submit(mode, 2, body_size);
	return true;
}

static void run(void)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_waiting,
		NULL };

	rig_run(steps);
}

static void setup(void)
{
	rig_setup();
	rig.grant_refusal = 0;
	rig.grants = 0;
	rig_routes("  - {name: all, providers: [f, b]}\n");
	mode = CONFIG_MODE_HYBRID;
	body_size = 100;
}

/* Each call as its provider and the last character of its grant. */
static void assert_calls(const char *expected)
{
	char seen[64] = "";

	for (size_t i = 0; i < rig.call_count && i < 16; i++) {
		const struct rig_call *c = &rig.calls[i];
		size_t len = strlen(c->grant);

		(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen),
		    "%s%c", c->provider, len > 0 ? c->grant[len - 1] : '-');
	}
	ck_assert_str_eq(seen, expected);
}

/* Small ones are built on the loop, large ones in the pool. */
START_TEST(build_has_its_grant)
{
	body_size = _i == 0 ? 100 : 200 * 1024;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_str_eq(rig.provider, "f");
	assert_calls("f0");
	ck_assert_uint_eq(rig.rows, 2);
}
END_TEST

START_TEST(stale_grant_is_replaced_within_the_attempt)
{
	rig.script[5] = SCRIPT(498, 200);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	assert_calls("f0f1");
	/* It was not taken: the same attempt, recorded once. */
	ck_assert_str_eq(rig.calls[0].key, rig.calls[1].key);
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_uint_eq(rig.durable[0].attempts, 1);
	ck_assert_uint_eq(counter_get(&rig.counters.providers[6].inflight), 0);
}
END_TEST

START_TEST(stale_again_is_an_account_fault)
{
	rig.script[5] = SCRIPT(498);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_str_eq(rig.provider, "b");
	assert_calls("f0f1b-");
	ck_assert_uint_eq(rig.rows, 4);
	ck_assert_uint_eq(rig.durable[0].attempts, 2);
}
END_TEST

static const enum postern_class refusals[] = { POSTERN_ACCOUNT,
	POSTERN_THROTTLED, POSTERN_TRANSIENT };

START_TEST(without_a_grant_the_next_provider_takes_over)
{
	rig.grant_refusal = (int)refusals[_i];
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	assert_calls("b-");
	ck_assert_uint_eq(rig.rows, 4);
	ck_assert_uint_eq(rig_failovers(6, 1), 1);
	ck_assert_uint_eq(
	    counter_get(&rig.counters.providers[6].attempts[refusals[_i]]), 1);
}
END_TEST

START_TEST(without_a_grant_and_another_provider_it_waits)
{
	rig_routes("  - {name: all, providers: [f]}\n");
	rig.grant_refusal = POSTERN_ACCOUNT;
	mode = CONFIG_MODE_DIRECT;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_int_eq(rig.result, POSTERN_ACCOUNT);
	ck_assert_str_eq(rig.reason, "no credentials: the safe is shut");
	assert_calls("");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/attempt");
	TCase *t = tcase_create("attempt");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_loop_test(t, build_has_its_grant, 0, 2);
	tcase_add_test(t, stale_grant_is_replaced_within_the_attempt);
	tcase_add_test(t, stale_again_is_an_account_fault);
	tcase_add_loop_test(t, without_a_grant_the_next_provider_takes_over, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(t, without_a_grant_and_another_provider_it_waits);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
