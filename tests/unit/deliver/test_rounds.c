/* Which provider gets what, in which order, and what a result does. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <base/clock.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static size_t recipients;
static size_t body_size;

static bool submit(void)
{
	rig_submit(CONFIG_MODE_HYBRID, recipients, body_size);
	return true;
}

static void run(void)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		NULL };

	rig_run(steps);
}

/* Until nothing is at work; a retry may be scheduled. */
static void run_one_round(void)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_waiting,
		NULL };

	rig_run(steps);
}

static void setup(void)
{
	rig_setup();
	recipients = 1;
	body_size = 100;
}

/* Not taken, as far as known: the next provider now. */
static const int not_taken[] = { 401, 429, 503, RIG_REFUSED, RIG_NO_SUBMIT };

START_TEST(next_provider_takes_over)
{
	bool is_called = not_taken[_i] != RIG_NO_SUBMIT;

	rig.script[0] = SCRIPT(not_taken[_i]);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_str_eq(rig.provider, "b");
	rig_assert_calls(is_called ? "ab" : "b");
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_uint_eq(rig_failovers(0, 1), 1);
	if (is_called)
		ck_assert_str_ne(rig.calls[0].key, rig.calls[1].key);
}
END_TEST

START_TEST(a_module_that_refuses_is_passed_over)
{
	rig_routes("  - {name: all, providers: [shy, b]}\n");
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("b");
	ck_assert_uint_eq(rig.rows, 2);
}
END_TEST

START_TEST(who_cannot_go_together_goes_alone)
{
	recipients = 3;
	rig_routes("  - {name: all, providers: [g]}\n");
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("ggg");
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 3);
	/* A refusal that only parts them is no attempt. */
	ck_assert_uint_eq(rig.rows, 3);
}
END_TEST

START_TEST(refused_by_every_module_is_rejected)
{
	rig_routes("  - {name: all, providers: [shy]}\n");
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_str_eq(rig.reason, "this provider is too shy");
	ck_assert_int_eq(rig.durable[0].state, STORE_FAILED);
}
END_TEST

START_TEST(waits_when_only_some_modules_refuse)
{
	rig_routes("  - {name: all, providers: [a, shy]}\n");
	rig.script[0] = SCRIPT(503, 200);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("aa");
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
}
END_TEST

START_TEST(unknown_outcome_stays_with_its_provider)
{
	rig.script[0] = SCRIPT(RIG_UNANSWERED, 503, RIG_UNANSWERED, 200);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("aaaa");
	/* The provider can recognise the repetition. */
	for (size_t i = 1; i < 4; i++)
		ck_assert_str_eq(rig.calls[i].key, rig.calls[0].key);
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
	ck_assert_uint_eq(counter_get(&rig.counters.unknown), 2);
	ck_assert_uint_eq(rig.durable[0].attempts, 4);
}
END_TEST

START_TEST(unknown_outcome_is_not_retried_at_once)
{
	rig.config->queue.unknown_delay_ms = 3600 * 1000;
	rig.script[0] = SCRIPT(RIG_UNANSWERED);
	int64_t before = clock_wall_ms();
	run_one_round();
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert(rig.durable[0].is_pinned);
	ck_assert_str_eq(rig.durable[0].provider, "a");
	ck_assert_int_ge(rig.durable[0].due_ms, before + 3600 * 1000);
	ck_assert_int_eq(rig.last_row, POSTERN_UNKNOWN);
}
END_TEST

static const struct {
	const char *policy;
	enum deliver_verdict verdict;
	enum store_state state;
} policies[] = {
	{ "hold", DELIVER_QUEUED, STORE_HELD },
	{ "fail", DELIVER_REJECTED, STORE_FAILED },
};

START_TEST(unknown_outcome_follows_the_route)
{
	char routes[128];

	(void)snprintf(routes, sizeof(routes),
	    "  - {name: all, providers: [a, b], on_unknown: %s}\n",
	    policies[_i].policy);
	rig_routes(routes);
	rig.script[0] = SCRIPT(RIG_UNANSWERED);
	run();
	rig_assert_calls("a");
	ck_assert_int_eq(rig.verdict, policies[_i].verdict);
	ck_assert_int_eq(rig.durable[0].state, policies[_i].state);
}
END_TEST

START_TEST(each_round_begins_with_the_first_provider)
{
	rig.script[0] = SCRIPT(503, 401, 200);
	rig.script[1] = SCRIPT(503, 503);
	run();
	rig_assert_calls("ababa");
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
}
END_TEST

START_TEST(retry_after_is_a_floor)
{
	rig.script[0] = SCRIPT(429);
	rig.script[1] = SCRIPT(503);
	int64_t before = clock_wall_ms();
	run_one_round();
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_int_ge(rig.durable[0].due_ms, before + 600000);
	ck_assert_int_le(rig.durable[0].due_ms, clock_wall_ms() + 660000);
	ck_assert(!rig.durable[0].is_pinned);
}
END_TEST

START_TEST(gives_up_after_max_age)
{
	rig.config->queue.max_age_ms = 1000; /* several rounds, however slow */
	rig.script[0] = SCRIPT(503);
	rig.script[1] = SCRIPT(401);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_int_eq(rig.durable[0].state, STORE_FAILED);
	ck_assert_uint_ge(rig.call_count, 4);
	ck_assert_uint_eq(counter_get(&rig.counters.failed_recipients), 1);
}
END_TEST

START_TEST(batches_keep_the_limits)
{
	recipients = 120;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("aaa"); /* 50 by the module */
	ck_assert_uint_eq(rig.calls[0].recipients, 50);
	ck_assert_uint_eq(rig.calls[2].recipients, 20);
	ck_assert_str_eq(rig.calls[1].first, "rcpt50@x.example");
	ck_assert_str_ne(rig.calls[0].key, rig.calls[1].key);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 120);
}
END_TEST

START_TEST(batches_keep_the_configured_limit)
{
	rig_routes("  - {name: all, providers: [c]}\n");
	recipients = 8;
	run();
	rig_assert_calls("ccc");
	ck_assert_uint_eq(rig.calls[2].recipients, 2);
}
END_TEST

START_TEST(one_batch_may_move_while_others_stay)
{
	rig_routes("  - {name: all, providers: [c, b]}\n");
	recipients = 5;
	rig.script[2] = SCRIPT(200, 503);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("ccb");
	ck_assert_uint_eq(rig.calls[2].recipients, 2);
}
END_TEST

START_TEST(routes_divide_the_recipients)
{
	rig_routes("  - {name: one, match: {recipient: [rcpt1@x.example]}, "
		   "providers: [b]}\n"
		   "  - {name: all, providers: [a]}\n");
	recipients = 3;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("ab");
	ck_assert_uint_eq(rig.calls[0].recipients, 2);
	ck_assert_str_eq(rig.calls[1].first, "rcpt1@x.example");
}
END_TEST

START_TEST(one_bad_recipient_costs_the_others_nothing)
{
	recipients = 3;
	rig.script[0] = SCRIPT(422, 200, 422, 200);
	run();
	rig_assert_calls("aaaa");
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED); /* they differ */
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
	ck_assert_int_eq(rig.durable[1].state, STORE_FAILED);
	ck_assert_uint_eq(rig.calls[0].recipients, 3);
	for (size_t i = 1; i < 4; i++)
		ck_assert_uint_eq(rig.calls[i].recipients, 1);
	ck_assert_uint_eq(rig.rows, 6);
}
END_TEST

START_TEST(what_went_alone_goes_alone_in_later_rounds)
{
	recipients = 3;
	rig.script[0] = SCRIPT(422, 503, RIG_UNANSWERED, 503, 200);
	rig.script[1] = SCRIPT(503);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 3);
	for (size_t i = 1; i < rig.call_count; i++)
		ck_assert_uint_eq(rig.calls[i].recipients, 1);
	/* a for all; a and b, a, a and b for one each; a for each again. */
	ck_assert_uint_eq(rig.call_count, 9);
	ck_assert(rig.durable[0].is_single);
}
END_TEST

START_TEST(a_recipient_tried_alone_may_move_on)
{
	recipients = 2;
	rig.script[0] = SCRIPT(422, 503);
	run();
	rig_assert_calls("aabab");
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
}
END_TEST

START_TEST(same_recipients_meet_again_in_one_batch)
{
	recipients = 7;
	rig.script[0] = SCRIPT(503, 200);
	rig.script[1] = SCRIPT(503);
	run();
	rig_assert_calls("aba");
	ck_assert_uint_eq(rig.calls[2].recipients, 7);
	ck_assert_str_eq(rig.calls[2].key, rig.calls[0].key);
}
END_TEST

START_TEST(heavy_messages_are_built_in_the_pool)
{
	body_size = 1024 * 1024;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("a");
}
END_TEST

static pthread_mutex_t jam = PTHREAD_MUTEX_INITIALIZER;
static struct blocking_job jobs[3];

static void wait_for_jam(struct blocking_job *job)
{
	(void)job;
	pthread_mutex_lock(&jam);
	pthread_mutex_unlock(&jam);
}

static void ignore(struct blocking_job *job)
{
	(void)job;
}

static bool fill_pool(void)
{
	static unsigned filled;

	/* One runs, two wait: the pool is full. */
	if (filled == 0)
		pthread_mutex_lock(&jam);
	jobs[filled] = (struct blocking_job){
		.loop = rig.loop, .work = wait_for_jam, .done = ignore
	};
	if (blocking_submit(rig.pool, &jobs[filled]) == 0)
		filled++;
	return filled == 3;
}

static bool free_pool(void)
{
	pthread_mutex_unlock(&jam);
	return true;
}

START_TEST(a_full_pool_only_delays)
{
	static const rig_step steps[] = { fill_pool, submit, rig_answered,
		rig_is_waiting, free_pool, rig_is_quiet, NULL };

	body_size = 1024 * 1024;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("a");
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
	ck_assert_uint_eq(rig.durable[0].attempts, 1);
}
END_TEST

START_TEST(message_dropped_meanwhile_is_forgotten)
{
	rig.script[0] = SCRIPT(503);
	rig.update_done_rc = -ENOENT;
	run();
	rig_assert_calls("a");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/rounds");
	TCase *t = tcase_create("rounds");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_loop_test(t, next_provider_takes_over, 0,
	    sizeof(not_taken) / sizeof(not_taken[0]));
	tcase_add_test(t, a_module_that_refuses_is_passed_over);
	tcase_add_test(t, who_cannot_go_together_goes_alone);
	tcase_add_test(t, refused_by_every_module_is_rejected);
	tcase_add_test(t, waits_when_only_some_modules_refuse);
	tcase_add_test(t, unknown_outcome_stays_with_its_provider);
	tcase_add_test(t, unknown_outcome_is_not_retried_at_once);
	tcase_add_loop_test(t, unknown_outcome_follows_the_route, 0, 2);
	tcase_add_test(t, each_round_begins_with_the_first_provider);
	tcase_add_test(t, retry_after_is_a_floor);
	tcase_add_test(t, gives_up_after_max_age);
	tcase_add_test(t, batches_keep_the_limits);
	tcase_add_test(t, batches_keep_the_configured_limit);
	tcase_add_test(t, one_batch_may_move_while_others_stay);
	tcase_add_test(t, routes_divide_the_recipients);
	tcase_add_test(t, one_bad_recipient_costs_the_others_nothing);
	tcase_add_test(t, what_went_alone_goes_alone_in_later_rounds);
	tcase_add_test(t, a_recipient_tried_alone_may_move_on);
	tcase_add_test(t, same_recipients_meet_again_in_one_batch);
	tcase_add_test(t, heavy_messages_are_built_in_the_pool);
	tcase_add_test(t, a_full_pool_only_delays);
	tcase_add_test(t, message_dropped_meanwhile_is_forgotten);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
