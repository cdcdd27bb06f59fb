/* Stopping: what is under way ends, what is not begins no more. */
#include "rig.h"

#include <support/unit.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static size_t recipients;

static bool submit(void)
{
	rig_submit(mode, recipients, 100);
	return true;
}

static bool is_called(void)
{
	return rig.open_calls == 1;
}

static struct loop_timer release_timer;
static int release_answer;

static void on_release(struct loop_timer *t)
{
	(void)t;
	ck_assert(!rig.is_idle); /* the drain waits for the call */
	rig_release(release_answer);
}

/* The rig drains right after the last step; the answer comes later. */
static bool release_soon(void)
{
	loop_timer_init(&release_timer, on_release);
	loop_timer_start(rig.loop, &release_timer, 20);
	return true;
}

static void setup(void)
{
	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 1;
	release_answer = 200;
}

START_TEST(idle_at_once_when_nothing_runs)
{
	static const rig_step steps[] = { NULL };

	rig_run(steps);
}
END_TEST

START_TEST(call_under_way_is_recorded)
{
	static const rig_step steps[] = { submit, is_called, release_soon,
		NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
}
END_TEST

START_TEST(no_other_provider_is_tried)
{
	static const rig_step steps[] = { submit, is_called, release_soon,
		NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	release_answer = 503;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_uint_eq(rig.rows, 1);
}
END_TEST

START_TEST(no_further_batch_begins)
{
	static const rig_step steps[] = { submit, is_called, release_soon,
		NULL };

	recipients = 60;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 50);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 10);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
}
END_TEST

START_TEST(nobody_is_tried_alone)
{
	static const rig_step steps[] = { submit, is_called, release_soon,
		NULL };

	recipients = 2;
	rig.script[0] = SCRIPT(RIG_STUCK);
	release_answer = 422;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 2);
	ck_assert(rig.durable[0].is_single);
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_int_eq(rig.last_row, POSTERN_REJECTED);
}
END_TEST

START_TEST(direct_is_sent_back)
{
	static const rig_step steps[] = { submit, is_called, release_soon,
		NULL };

	mode = CONFIG_MODE_DIRECT;
	rig.script[0] = SCRIPT(RIG_STUCK);
	release_answer = 503;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_int_eq(rig.durable[0].state, STORE_DROPPED);
}
END_TEST

/* The mark travels with the accept; the drain begins before it is durable. */
START_TEST(a_mark_without_a_request_is_taken_back)
{
	static const rig_step steps[] = { submit, NULL };

	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert_uint_eq(rig.rows, 0);
}
END_TEST

static void nothing(void *ctx)
{
	(void)ctx;
}

static bool drain_early(void)
{
	deliver_drain(rig.deliver, nothing, NULL);
	return true;
}

static const struct {
	enum config_mode mode;
	enum deliver_verdict verdict;
	size_t stored;
} late[] = {
	{ CONFIG_MODE_HYBRID, DELIVER_QUEUED, 1 },
	{ CONFIG_MODE_QUEUED, DELIVER_QUEUED, 1 },
	{ CONFIG_MODE_DIRECT, DELIVER_DEFERRED, 0 },
};

START_TEST(late_messages_are_only_stored)
{
	static const rig_step steps[] = { drain_early, submit, rig_answered,
		NULL };

	mode = late[_i].mode;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, late[_i].verdict);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), late[_i].stored);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/drain");
	TCase *t = tcase_create("drain");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, idle_at_once_when_nothing_runs);
	tcase_add_test(t, call_under_way_is_recorded);
	tcase_add_test(t, no_other_provider_is_tried);
	tcase_add_test(t, no_further_batch_begins);
	tcase_add_test(t, nobody_is_tried_alone);
	tcase_add_test(t, direct_is_sent_back);
	tcase_add_test(t, a_mark_without_a_request_is_taken_back);
	tcase_add_loop_test(t, late_messages_are_only_stored, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
