/* Providers that may be handed only so many recipients per day. */
#include "rig.h"

#include <support/unit.h>

#include <string.h>

#include <base/clock.h>
#include <health/health.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static size_t recipients;
static int64_t per_day; /* of "a" */

static bool submit(void)
{
	rig.is_answered = false;
	rig.rows = 0;
	rig_submit(mode, recipients, 100);
	return true;
}

static bool is_paused(void)
{
	return rig_is_waiting() && counter_get(&rig.counters.scheduled) > 0;
}

static const rig_step once[] = { submit, rig_answered, rig_is_quiet, NULL };
static const rig_step twice[] = { submit, rig_answered, rig_is_quiet, submit,
	rig_answered, rig_is_waiting, NULL };

static uint64_t spent_today(void)
{
	const struct config_provider *p = rig.config->providers.items;

	return health_spent_today(p[0].account);
}

static void tune(struct config *c)
{
	struct config_provider *p = c->providers.items;

	for (size_t i = 0; i < c->providers.count; i++) {
		p[i].breaker.failures = 1000000;
		p[i].breaker.min_calls = 1000000;
		p[i].breaker.open_ms = 3600 * 1000;
		p[i].breaker.account_retry_ms = 3600 * 1000;
	}
	p[0].budget.per_day = per_day;
	c->queue.retry_budget = 1000000;
}

static void use(int64_t budget, const char *routes)
{
	per_day = budget;
	rig.tune = tune;
	rig_routes(routes);
	rig.config->queue.retry_base_ms = 3600 * 1000;
	rig.config->queue.retry_cap_ms = 3600 * 1000;
}

static const char a_and_b[] = "  - {name: all, providers: [a, b]}\n";
static const char only_a[] = "  - {name: all, providers: [a]}\n";

static void setup(void)
{
	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 1;
}

START_TEST(what_is_beyond_goes_to_the_next)
{
	recipients = 5;
	use(3, a_and_b);
	rig_run(once);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("ab");
	ck_assert_uint_eq(rig.calls[0].recipients, 3);
	ck_assert_uint_eq(rig.calls[1].recipients, 2);
	ck_assert_uint_eq(spent_today(), 3);
}
END_TEST

START_TEST(with_none_left_mail_waits)
{
	use(1, only_a);
	rig_run(twice);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("a");
	ck_assert_uint_eq(rig.rows, 0);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
}
END_TEST

START_TEST(direct_mode_says_so)
{
	mode = CONFIG_MODE_DIRECT;
	use(1, only_a);
	rig_run(twice);
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_ptr_eq(
	    strstr(rig.reason,
		"a: budget of 1 recipients per day is used up until 20"),
	    rig.reason);
	rig_assert_calls("a");
}
END_TEST

START_TEST(what_was_not_taken_costs_nothing)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		submit, rig_answered, rig_is_quiet, submit, rig_answered,
		rig_is_quiet, submit, rig_answered, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(503, RIG_REFUSED, 200);
	use(1, a_and_b);
	rig_run(steps);
	rig_assert_calls("ababab");
	ck_assert_uint_eq(spent_today(), 1);
}
END_TEST

START_TEST(a_refused_message_costs_nothing)
{
	rig.script[0] = SCRIPT(400, 200);
	use(1, only_a);
	rig_run(twice);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("aa");
}
END_TEST

START_TEST(a_recipient_refused_among_others_costs_nothing)
{
	recipients = 2;
	rig.script[0] = SCRIPT(RIG_MIXED);
	use(3, only_a);
	rig_run(once);
	ck_assert_uint_eq(spent_today(), 1);
}
END_TEST

START_TEST(an_unknown_outcome_counts_and_stays)
{
	static const rig_step steps[] = { submit, rig_answered, is_paused,
		submit, rig_answered, is_paused, NULL };

	rig.script[0] = SCRIPT(RIG_UNANSWERED, 200);
	use(1, a_and_b);
	rig.config->queue.unknown_delay_ms = 1;
	rig_run(steps);
	/* The first one waits for another day of "a", not for "b". */
	rig_assert_calls("ab");
	ck_assert_uint_eq(spent_today(), 1);
}
END_TEST

static bool fail_b(void)
{
	const struct config_provider *p = rig.config->providers.items;
	struct postern_outcome o = { .result = POSTERN_ACCOUNT };
	struct health_call c = { .recipients = 1 };

	ck_assert_int_eq(
	    health_enter(p[1].account, &c, clock_mono_ms()), HEALTH_GO);
	health_leave(&c, &o, clock_mono_ms());
	return true;
}

START_TEST(no_last_resort_is_over_budget)
{
	static const rig_step steps[] = { fail_b, submit, rig_answered,
		rig_is_quiet, submit, rig_answered, is_paused, NULL };

	use(1, a_and_b);
	rig_run(steps);
	rig_assert_calls("a");
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
}
END_TEST

START_TEST(least_used_takes_turns)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		submit, rig_answered, rig_is_quiet, submit, rig_answered,
		rig_is_quiet, submit, rig_answered, rig_is_quiet, submit,
		rig_answered, rig_is_quiet, submit, rig_answered, rig_is_quiet,
		NULL };

	use(0, "  - {name: all, providers: [a, b], strategy: least_used, "
	       "weights: [2, 1]}\n");
	rig_run(steps);
	rig_assert_calls("abaaba");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/spending");
	TCase *t = tcase_create("spending");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, what_is_beyond_goes_to_the_next);
	tcase_add_test(t, with_none_left_mail_waits);
	tcase_add_test(t, direct_mode_says_so);
	tcase_add_test(t, what_was_not_taken_costs_nothing);
	tcase_add_test(t, a_refused_message_costs_nothing);
	tcase_add_test(t, a_recipient_refused_among_others_costs_nothing);
	tcase_add_test(t, an_unknown_outcome_counts_and_stays);
	tcase_add_test(t, no_last_resort_is_over_budget);
	tcase_add_test(t, least_used_takes_turns);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
