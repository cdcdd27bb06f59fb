/* Providers that may not be called now: passed over, waited for, given up. */
#include "rig.h"

#include <support/unit.h>

#include <string.h>

#include <base/clock.h>
#include <health/health.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static struct health_call held; /* the test's own */

static struct config_provider *provider(size_t i)
{
	struct config_provider *all = rig.config->providers.items;

	return &all[i];
}

static bool submit(void)
{
	rig.is_answered = false;
	rig.rows = 0;
	rig_submit(mode, 1, 100);
	return true;
}

static bool is_sent(void)
{
	return rig.durable_count == 1 && rig.durable[0].state == STORE_SENT;
}

/* A breaker that opens with the first failure, and briefly. */
static void tune(struct config *c)
{
	struct config_provider *p = c->providers.items;

	for (size_t i = 0; i < c->providers.count; i++) {
		p[i].breaker.failures = 1;
		p[i].breaker.open_ms = 100;
		p[i].breaker.open_max_ms = 100;
		p[i].breaker.account_retry_ms = 3600 * 1000;
	}
	p[2].concurrency = 1;
	p[3].concurrency = 1;
}

static void setup(void)
{
	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	memset(&held, 0, sizeof(held));
	rig.tune = tune;
	rig_routes("  - {name: all, providers: [a, b]}\n");
}

START_TEST(one_that_is_open_is_passed_over_without_a_row)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		submit, rig_answered, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(401);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("abb");
	ck_assert_uint_eq(rig.rows, 1);
	ck_assert_uint_eq(rig.durable[0].attempts, 1);
	ck_assert_uint_eq(rig_failovers(0, 1), 2);
}
END_TEST

static bool is_paused(void)
{
	return rig_is_waiting() && counter_get(&rig.counters.scheduled) > 0;
}

START_TEST(with_none_left_mail_waits_and_nothing_is_written)
{
	static const rig_step steps[] = { submit, rig_answered, is_paused,
		submit, rig_answered, is_paused, NULL };

	rig_routes("  - {name: all, providers: [a]}\n");
	rig.config->queue.retry_base_ms = 3600 * 1000;
	rig.config->queue.retry_cap_ms = 3600 * 1000;
	rig.script[0] = SCRIPT(401);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("a");
	ck_assert_uint_eq(rig.rows, 0);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_uint_eq(rig.durable[0].attempts, 0);
}
END_TEST

/* A call of the test's own to a provider. */
static void call(size_t i, enum postern_class result)
{
	struct postern_outcome o = { .result = result };
	struct health_call c = { .is_retry = false };
	struct health_account *a = provider(i)->account;

	ck_assert_int_eq(health_enter(a, &c, clock_mono_ms()), HEALTH_GO);
	health_leave(&c, &o, clock_mono_ms());
}

START_TEST(what_waited_goes_when_its_provider_is_back)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent,
		rig_is_quiet, NULL };

	rig_routes("  - {name: all, providers: [a]}\n");
	call(0, POSTERN_TRANSIENT);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.rows, 1);
	rig_assert_calls("a");
}
END_TEST

START_TEST(direct_mode_says_who_is_shut)
{
	static const rig_step steps[] = { submit, rig_answered, submit,
		rig_answered, rig_is_quiet, NULL };

	mode = CONFIG_MODE_DIRECT;
	rig_routes("  - {name: all, providers: [a]}\n");
	rig.script[0] = SCRIPT(401);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_ptr_eq(
	    strstr(rig.reason, "a: paused as the account"), rig.reason);
	rig_assert_calls("a");
}
END_TEST

START_TEST(an_unknown_outcome_waits_for_its_own_provider)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent,
		rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(RIG_UNANSWERED, 503, RIG_UNANSWERED, 200);
	rig_run(steps);
	rig_assert_calls("aaaa");
}
END_TEST

/* --- places --- */

/* Of c, which has one. */
static bool take_the_place(void)
{
	ck_assert_int_eq(
	    health_enter(provider(2)->account, &held, clock_mono_ms()),
	    HEALTH_GO);
	return true;
}

static bool is_queued(void)
{
	struct health_view v;

	health_look(provider(2)->account, clock_mono_ms(), &v);
	return v.queued == 1;
}

static bool free_the_place(void)
{
	ck_assert_uint_eq(rig.call_count, 0);
	health_cancel(&held, clock_mono_ms());
	return true;
}

START_TEST(a_place_is_waited_for_in_memory)
{
	static const rig_step steps[] = { take_the_place, submit, is_queued,
		free_the_place, rig_answered, rig_is_quiet, NULL };

	rig_routes("  - {name: all, providers: [c]}\n");
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_uint_eq(rig.rows, 1);
}
END_TEST

START_TEST(not_for_long_when_there_is_another_provider)
{
	static const rig_step steps[] = { take_the_place, submit, is_queued,
		rig_answered, rig_is_quiet, NULL };

	rig_routes("  - {name: all, providers: [c, b]}\n");
	rig_run(steps);
	health_cancel(&held, clock_mono_ms());
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("b");
}
END_TEST

START_TEST(a_drain_waits_for_no_place)
{
	static const rig_step steps[] = { take_the_place, submit, is_queued,
		NULL };

	rig_routes("  - {name: all, providers: [c]}\n");
	rig_run(steps);
	health_cancel(&held, clock_mono_ms());
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

static bool open_its_breaker(void)
{
	struct postern_outcome o = { .result = POSTERN_ACCOUNT };

	health_leave(&held, &o, clock_mono_ms());
	return true;
}

START_TEST(who_waits_for_a_place_goes_elsewhere_when_it_opens)
{
	static const rig_step steps[] = { take_the_place, submit, is_queued,
		open_its_breaker, rig_answered, rig_is_quiet, NULL };

	rig_routes("  - {name: all, providers: [c, b]}\n");
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("b");
}
END_TEST

enum {
	BACKLOG = 200000
};

/* It waits for others, until tomorrow. */
static bool fill(void)
{
	for (unsigned i = 0; i < BACKLOG; i++)
		deliver_schedule(rig.deliver, id_make(),
		    clock_wall_ms() + 24 * 3600 * 1000, 0);
	return true;
}

static bool is_put_off(void)
{
	return rig.is_answered && rig_is_waiting();
}

static bool is_sent_at_last(void)
{
	return rig_count_state(STORE_SENT) == 1 && rig_is_waiting();
}

static bool leave_the_place(void)
{
	health_cancel(&held, clock_mono_ms());
	return true;
}

/* In the queue's numbers it would be minutes: a millisecond for each. */
START_TEST(what_waits_for_others_puts_off_nothing)
{
	static const rig_step steps[] = { fill, take_the_place, submit,
		is_put_off, leave_the_place, is_sent_at_last, NULL };

	mode = CONFIG_MODE_QUEUED;
	rig_routes("  - {name: all, providers: [c, b]}\n");
	rig.config->queue.retry_cap_ms = 3600 * 1000;
	call(1, POSTERN_ACCOUNT);
	rig_run(steps);
	rig_assert_calls("c");
}
END_TEST

/* --- turns --- */

static void tune_rate(struct config *c)
{
	struct config_provider *p = c->providers.items;

	tune(c);
	p[2].concurrency = 10;
	p[2].rate = (struct postern_rate){ .count = 5, .per_ms = 1000 };
}

static bool is_marked(void)
{
	return rig.durable_count == 1 && rig.durable[0].state == STORE_STARTED;
}

START_TEST(a_turn_is_waited_for)
{
	static const rig_step steps[] = { take_the_place, submit, is_marked,
		rig_answered, rig_is_quiet, NULL };

	rig.tune = tune_rate;
	rig_routes("  - {name: all, providers: [c]}\n");
	uint64_t before = clock_mono_ms();
	rig_run(steps);
	health_cancel(&held, clock_mono_ms());
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_uint_ge(clock_mono_ms() - before, 90);
}
END_TEST

START_TEST(a_mark_is_taken_back_when_the_breaker_opens_before_the_turn)
{
	static const rig_step steps[] = { take_the_place, submit, is_marked,
		open_its_breaker, rig_answered, rig_is_quiet, NULL };

	rig.tune = tune_rate;
	rig_routes("  - {name: all, providers: [c, b]}\n");
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("b");
	ck_assert_uint_eq(rig.rows, 1);
}
END_TEST

START_TEST(a_drain_waits_for_no_turn)
{
	static const rig_step steps[] = { take_the_place, submit, is_marked,
		NULL };

	rig.tune = tune_rate;
	rig_routes("  - {name: all, providers: [c]}\n");
	rig_run(steps);
	health_cancel(&held, clock_mono_ms());
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

/* --- what waits in the store --- */

static size_t put;

static bool put_one(void)
{
	static const struct store_recipient r = {
		.address = { "rcpt0@x.example", 15 }, .state = STORE_PENDING
	};

	if (put++ < 40)
		rig_store(&r, 1, 0);
	return put > 40;
}

START_TEST(while_all_are_shut_next_to_nothing_is_read)
{
	static const rig_step steps[] = { put_one, rig_is_waiting, NULL };

	put = 0;
	rig_routes("  - {name: all, providers: [a]}\n");
	rig.config->queue.retry_base_ms = 3600 * 1000;
	rig.config->queue.retry_cap_ms = 3600 * 1000;
	for (size_t i = 0; i < rig.config->providers.count; i++)
		call(i, POSTERN_ACCOUNT);
	rig_run(steps);
	ck_assert_uint_le(rig.loads, 4);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/gate");
	TCase *t = tcase_create("gate");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, one_that_is_open_is_passed_over_without_a_row);
	tcase_add_test(t, with_none_left_mail_waits_and_nothing_is_written);
	tcase_add_test(t, what_waited_goes_when_its_provider_is_back);
	tcase_add_test(t, direct_mode_says_who_is_shut);
	tcase_add_test(t, an_unknown_outcome_waits_for_its_own_provider);
	tcase_add_test(t, a_place_is_waited_for_in_memory);
	tcase_add_test(t, not_for_long_when_there_is_another_provider);
	tcase_add_test(t, a_drain_waits_for_no_place);
	tcase_add_test(t, who_waits_for_a_place_goes_elsewhere_when_it_opens);
	tcase_add_test(t, what_waits_for_others_puts_off_nothing);
	tcase_add_test(t, a_turn_is_waited_for);
	tcase_add_test(
	    t, a_mark_is_taken_back_when_the_breaker_opens_before_the_turn);
	tcase_add_test(t, a_drain_waits_for_no_turn);
	tcase_add_test(t, while_all_are_shut_next_to_nothing_is_read);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
