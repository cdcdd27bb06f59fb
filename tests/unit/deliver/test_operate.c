/* What a person does to messages: to whom it happens, and what it leaves. */
#include "rig.h"

#include <support/unit.h>

#include <deliver/operate.h>

#include <errno.h>
#include <string.h>

#include <base/clock.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static struct deliver_operation op;
static bool is_done;
static struct store_recipient stored[3];
static size_t stored_count;

/* Waits for an hour, is held with an unknown outcome, was sent. */
static void setup(void)
{
	rig_setup();
	is_done = false;
	stored_count = 3;
	stored[0] = (struct store_recipient){
		.address = SPAN("rcpt0@x.example"),
		.due_ms = clock_wall_ms() + 3600 * 1000,
		.attempts = 2,
		.provider = "b",
	};
	stored[1] = (struct store_recipient){
		.address = SPAN("rcpt1@x.example"),
		.state = STORE_HELD,
		.attempts = 1,
		.provider = "a",
		.is_pinned = true,
	};
	stored[2] = (struct store_recipient){
		.address = SPAN("rcpt2@x.example"),
		.state = STORE_SENT,
		.attempts = 1,
		.provider = "a",
	};
	op = (struct deliver_operation){ .note = "operator: test" };
}

static bool put(void)
{
	rig_store(stored, stored_count, 0);
	return true;
}

/* It has been looked at, and waits. */
static bool is_put(void)
{
	return rig.durable_count > 0 && rig_is_waiting() &&
	       counter_get(&rig.counters.scheduled) > 0;
}

static bool is_put_held(void)
{
	return rig.durable_count > 0 && rig_is_quiet();
}

static void on_done(struct deliver_operation *o)
{
	ck_assert_ptr_eq(o, &op);
	ck_assert(!is_done);
	is_done = true;
}

static bool operate(void)
{
	op.id = rig.id;
	op.done = on_done;
	deliver_operate(rig.deliver, &op);
	return true;
}

static bool has_operated(void)
{
	return is_done && rig_is_waiting();
}

static bool is_sent_twice(void)
{
	return rig_count_state(STORE_SENT) == 2 && rig_is_waiting();
}

static void check_row(size_t rows)
{
	ck_assert_uint_eq(rig.rows, rows);
	ck_assert_str_eq(rig.last_row_reason, "operator: test");
}

START_TEST(retry_makes_what_waits_due)
{
	static const rig_step steps[] = { put, is_put, operate, is_sent_twice,
		NULL };

	op.action = DELIVER_RETRY;
	rig_run(steps);
	ck_assert(is_done);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(op.changed, 1);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_str_eq(rig.calls[0].first, "rcpt0@x.example");
	/* Attempts are kept, and counted on. */
	ck_assert_uint_eq(rig.durable[0].attempts, 3);
	ck_assert_int_eq(rig.durable[1].state, STORE_HELD);
	ck_assert_uint_eq(rig.rows, 2);
}
END_TEST

START_TEST(hold_keeps_what_waits)
{
	static const rig_step steps[] = { put, is_put, operate, has_operated,
		NULL };

	op.action = DELIVER_HOLD;
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(op.changed, 1);
	ck_assert_uint_eq(rig_count_state(STORE_HELD), 2);
	check_row(1);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(release_asks_the_provider_that_may_have_it)
{
	static const rig_step steps[] = { put, is_put, operate, is_sent_twice,
		NULL };

	rig.script[0] = SCRIPT(503, 503, 200);
	op.action = DELIVER_RELEASE;
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(rig.call_count, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(rig.calls[i].provider, "a");
		ck_assert_str_eq(rig.calls[i].key, rig.calls[0].key);
	}
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
}
END_TEST

static bool is_sent_thrice(void)
{
	return rig_count_state(STORE_SENT) == 3 && rig_is_waiting();
}

START_TEST(a_forced_retry_is_a_new_message_for_anyone)
{
	static const rig_step steps[] = { put, is_put, operate, is_sent_thrice,
		NULL };
	static char key[160];

	/* What the key was: that of a release. */
	rig.script[0] = SCRIPT(503, 200);
	op.action = DELIVER_RETRY;
	op.is_forced = true;
	rig_run(steps);
	ck_assert_uint_eq(op.changed, 2);
	ck_assert_uint_eq(rig.durable[1].key_turn, 1);
	ck_assert(!rig.durable[1].is_pinned);
	/* Both at once: first a, then b. */
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_str_eq(rig.calls[1].provider, "b");
	memcpy(key, rig.calls[0].key, sizeof(key));
	rig_teardown();

	setup();
	stored[1].state = STORE_PENDING;
	stored[1].due_ms = stored[0].due_ms;
	stored[1].is_pinned = false;
	op.action = DELIVER_RETRY;
	rig_run(steps);
	/* The same recipients, with the key they had. */
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig.calls[0].recipients, 2);
	ck_assert(strcmp(strchr(rig.calls[0].key, '-'), strchr(key, '-')) != 0);
}
END_TEST

START_TEST(expire_fails_and_drop_forgets)
{
	static const rig_step steps[] = { put, is_put, operate, has_operated,
		NULL };
	bool is_drop = _i == 1;

	op.action = is_drop ? DELIVER_DROP : DELIVER_EXPIRE;
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(op.changed, 2);
	ck_assert_uint_eq(
	    rig_count_state(is_drop ? STORE_DROPPED : STORE_FAILED), 2);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
	check_row(2);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(a_held_message_that_waits_nowhere_is_found)
{
	static const rig_step steps[] = { put, is_put_held, operate,
		is_sent_twice, NULL };

	stored[0].state = STORE_SENT;
	stored[1].is_pinned = false;
	stored_count = 2;
	op.action = DELIVER_RELEASE;
	rig_run(steps);
	ck_assert_uint_eq(op.changed, 1);
}
END_TEST

/* --- what is refused --- */

static bool submit(void)
{
	rig_submit(CONFIG_MODE_QUEUED, 1, 100);
	return true;
}

static bool is_called(void)
{
	return rig.call_count == 1;
}

static bool is_refused(void)
{
	ck_assert(deliver_has(rig.deliver, rig.id));
	return is_done;
}

static bool release_call(void)
{
	rig_release(200);
	return true;
}

START_TEST(what_is_at_work_is_left_alone)
{
	static const rig_step steps[] = { submit, is_called, operate,
		is_refused, release_call, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	op.action = (enum deliver_action)_i;
	rig_run(steps);
	ck_assert_int_eq(op.result, -EBUSY);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

static bool operate_unknown(void)
{
	rig.id = id_make();
	return operate();
}

START_TEST(an_unknown_message_is_told_so)
{
	static const rig_step steps[] = { operate_unknown, has_operated,
		rig_is_quiet, NULL };

	op.action = (enum deliver_action)_i;
	rig_run(steps);
	ck_assert_int_eq(op.result, -ENOENT);
}
END_TEST

START_TEST(nothing_to_do_is_told_so)
{
	static const rig_step steps[] = { put, is_put, operate, has_operated,
		NULL };

	stored_count = 1;
	op.action = DELIVER_RELEASE;
	rig_run(steps);
	ck_assert_int_eq(op.result, -EALREADY);
	ck_assert_uint_eq(rig.rows, 0);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
}
END_TEST

static bool break_load(void)
{
	rig.load_done_rc = -EIO;
	return true;
}

START_TEST(a_store_that_cannot_read_refuses_and_it_waits_on)
{
	static const rig_step steps[] = { put, is_put, break_load, operate,
		has_operated, NULL };

	op.action = DELIVER_HOLD;
	rig_run(steps);
	ck_assert_int_eq(op.result, -EIO);
	ck_assert(deliver_has(rig.deliver, rig.id));
	ck_assert_uint_eq(rig_count_state(STORE_HELD), 1);
}
END_TEST

static bool damage_load(void)
{
	rig.load_done_rc = -EBADMSG;
	return true;
}

START_TEST(a_damaged_message_can_be_held_or_dropped_only)
{
	static const rig_step steps[] = { put, is_put, damage_load, operate,
		has_operated, NULL };

	op.action = (enum deliver_action)_i;
	rig_run(steps);
	ck_assert_int_eq(
	    op.result, _i == DELIVER_HOLD || _i == DELIVER_DROP ? 0 : -EBADMSG);
}
END_TEST

static bool fill_disk(void)
{
	rig.update_done_rc = -ENOSPC;
	rig.update_lasts = true;
	return true;
}

static bool make_room(void)
{
	rig.update_lasts = false;
	rig.update_done_rc = 0;
	return true;
}

static bool is_answered_early(void)
{
	return is_done;
}

static bool is_held_at_last(void)
{
	return rig_count_state(STORE_HELD) == 2 && rig_is_waiting();
}

START_TEST(what_the_store_does_not_take_yet_is_said_and_done_later)
{
	static const rig_step steps[] = { put, is_put, fill_disk, operate,
		is_answered_early, make_room, is_held_at_last, NULL };

	op.action = DELIVER_HOLD;
	rig_run(steps);
	ck_assert_int_eq(op.result, -EINPROGRESS);
	check_row(1);
}
END_TEST

static bool drain(void)
{
	deliver_drain(rig.deliver, NULL, NULL);
	return true;
}

START_TEST(a_stop_refuses)
{
	static const rig_step steps[] = { put, is_put, drain, operate,
		has_operated, NULL };

	op.action = DELIVER_HOLD;
	rig_run(steps);
	ck_assert_int_eq(op.result, -ECANCELED);
	ck_assert(deliver_has(rig.deliver, id_make()));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/operate");
	TCase *t = tcase_create("operate");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, retry_makes_what_waits_due);
	tcase_add_test(t, hold_keeps_what_waits);
	tcase_add_test(t, release_asks_the_provider_that_may_have_it);
	tcase_add_test(t, a_forced_retry_is_a_new_message_for_anyone);
	tcase_add_loop_test(t, expire_fails_and_drop_forgets, 0, 2);
	tcase_add_test(t, a_held_message_that_waits_nowhere_is_found);
	tcase_add_loop_test(
	    t, what_is_at_work_is_left_alone, 0, DELIVER_DROP + 1);
	tcase_add_loop_test(
	    t, an_unknown_message_is_told_so, 0, DELIVER_DROP + 1);
	tcase_add_test(t, nothing_to_do_is_told_so);
	tcase_add_test(t, a_store_that_cannot_read_refuses_and_it_waits_on);
	tcase_add_loop_test(t, a_damaged_message_can_be_held_or_dropped_only, 0,
	    DELIVER_DROP + 1);
	tcase_add_test(
	    t, what_the_store_does_not_take_yet_is_said_and_done_later);
	tcase_add_test(t, a_stop_refuses);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
