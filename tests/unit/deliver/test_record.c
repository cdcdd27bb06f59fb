/* A store that does not take what happened: nothing of it is forgotten. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static size_t recipients;

static void setup(void)
{
	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 1;
	rig.update_done_rc = -ENOSPC;
	rig.update_lasts = true;
}

static bool submit(void)
{
	rig_submit(mode, recipients, 100);
	return true;
}

static bool withdraw(void)
{
	ck_assert(deliver_withdraw(rig.deliver, &rig.submission));
	envelope_finish(&rig.envelope);
	return true;
}

static bool has_failed(void)
{
	return rig.faults >= 1;
}

static bool has_failed_again(void)
{
	return rig.faults >= 2;
}

static bool make_room(void)
{
	rig.update_lasts = false;
	rig.update_done_rc = 0;
	return true;
}

static const int refusals[] = { -ENOSPC, -EIO, -ENOMEM, -EBUSY };

START_TEST(what_was_sent_is_recorded_once_there_is_room)
{
	static const rig_step steps[] = { submit, rig_answered,
		has_failed_again, make_room, rig_is_quiet, NULL };

	rig.update_done_rc = refusals[_i];
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("a");
	ck_assert_uint_eq(rig.rows, 1);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

START_TEST(no_request_leaves_without_its_mark)
{
	static const rig_step steps[] = { submit, has_failed_again, make_room,
		rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(503);
	rig_run(steps);
	/* The rig looks at the mark of each call. */
	rig_assert_calls("ab");
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

START_TEST(the_next_batch_waits_for_the_record_of_the_last)
{
	static const rig_step steps[] = { submit, has_failed_again, make_room,
		rig_is_quiet, NULL };

	recipients = 120;
	rig_run(steps);
	rig_assert_calls("aaa");
	ck_assert_uint_eq(rig.rows, 120);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 120);
}
END_TEST

/* The client is told what is true: the store still means to deliver it. */
START_TEST(a_refusal_is_passed_on_only_when_it_is_recorded)
{
	static const rig_step steps[] = { submit, rig_answered, make_room,
		rig_is_quiet, NULL };

	rig.config->queue.sync_budget_ms = 20;
	rig.script[0] = SCRIPT(400);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	rig_assert_calls("a");
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
}
END_TEST

START_TEST(what_was_withdrawn_is_dropped_in_the_end)
{
	static const rig_step steps[] = { submit, withdraw, has_failed,
		make_room, rig_is_quiet, NULL };

	rig_run(steps);
	rig_assert_calls("");
	ck_assert_uint_eq(rig_count_state(STORE_DROPPED), 1);
}
END_TEST

START_TEST(a_drain_tries_a_last_time)
{
	static const rig_step steps[] = { submit, has_failed, NULL };
	static const rig_step with_room[] = { submit, has_failed, make_room,
		NULL };
	bool has_room = _i == 1;

	rig.script[0] = SCRIPT(503);
	rig_run(has_room ? with_room : steps);
	rig_assert_calls("a");
	ck_assert_uint_eq(rig.faults, has_room ? 1 : 2);
	ck_assert_uint_eq(rig.rows, has_room ? 1 : 0);
	ck_assert_uint_eq(
	    rig_count_state(has_room ? STORE_PENDING : STORE_STARTED), 1);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
}
END_TEST

/* Without a store there is nothing to wait for, but a client that does. */
START_TEST(direct_mode_does_not_wait)
{
	static const rig_step steps[] = { submit, rig_is_quiet, NULL };

	mode = CONFIG_MODE_DIRECT;
	rig.script[0] = SCRIPT(503);
	rig_run(steps);
	rig_assert_calls("a");
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_uint_eq(rig.faults, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/record");
	TCase *t = tcase_create("record");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_loop_test(
	    t, what_was_sent_is_recorded_once_there_is_room, 0, 4);
	tcase_add_test(t, no_request_leaves_without_its_mark);
	tcase_add_test(t, the_next_batch_waits_for_the_record_of_the_last);
	tcase_add_test(t, a_refusal_is_passed_on_only_when_it_is_recorded);
	tcase_add_test(t, what_was_withdrawn_is_dropped_in_the_end);
	tcase_add_loop_test(t, a_drain_tries_a_last_time, 0, 2);
	tcase_add_test(t, direct_mode_does_not_wait);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
