/* Messages that come from the store: after a crash, or when due again. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <string.h>

#include <base/clock.h>
#include <base/jumps.h>

enum {
	HOUR_MS = 3600 * 1000
};

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static struct store_recipient stored[2];
static size_t stored_count;
static int64_t created_ms;

static bool put(void)
{
	rig_store(stored, stored_count, created_ms);
	return true;
}

static bool has_run(void)
{
	return rig.rows > 0 && rig_is_waiting();
}

static bool is_held(void)
{
	return rig_count_state(STORE_HELD) > 0 && rig_is_quiet();
}

static void setup(void)
{
	rig_setup();
	created_ms = 0;
	stored_count = 1;
	for (size_t i = 0; i < 2; i++)
		stored[i] = (struct store_recipient){
			.address = i ? SPAN("rcpt1@x.example")
				     : SPAN("rcpt0@x.example"),
			.state = STORE_PENDING,
			.provider = "a",
		};
}

static bool is_sent(void)
{
	return rig_count_state(STORE_SENT) == stored_count && rig_is_quiet();
}

START_TEST(what_waited_is_delivered)
{
	static const rig_step steps[] = { put, is_sent, NULL };

	stored_count = 2;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig.calls[0].recipients, 2);
}
END_TEST

START_TEST(what_went_alone_goes_alone_after_a_restart)
{
	static const rig_step steps[] = { put, is_sent, NULL };

	stored_count = 2;
	stored[0].is_single = stored[1].is_single = true;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(rig.calls[0].recipients, 1);
	ck_assert_uint_eq(rig.calls[1].recipients, 1);
}
END_TEST

START_TEST(only_what_is_due_is_tried)
{
	static const rig_step steps[] = { put, has_run, NULL };

	stored_count = 2;
	stored[1].due_ms = clock_wall_ms() + 3600 * 1000;
	rig_run(steps);
	ck_assert_uint_eq(rig.calls[0].recipients, 1);
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
	ck_assert_int_eq(rig.durable[1].state, STORE_PENDING);
	ck_assert_uint_eq(counter_get(&rig.counters.scheduled), 1);
}
END_TEST

START_TEST(interrupted_attempt_is_unknown_first)
{
	static const rig_step steps[] = { put, has_run, NULL };

	stored[0].state = STORE_STARTED;
	(void)snprintf(stored[0].provider, STORE_NAME_SIZE, "%s", "b");
	rig.config->queue.unknown_delay_ms = 3600 * 1000;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
	ck_assert(rig.durable[0].is_pinned);
	ck_assert_str_eq(rig.durable[0].provider, "b");
	ck_assert_int_eq(rig.last_row, POSTERN_UNKNOWN);
	ck_assert_uint_eq(counter_get(&rig.counters.unknown), 1);
}
END_TEST

/* A provider that never says anything else gets few copies. */
START_TEST(unknown_outcomes_are_asked_about_less_and_less)
{
	static const rig_step steps[] = { put, has_run, NULL };

	rig.script[0] = SCRIPT(RIG_UNANSWERED);
	stored[0].attempts = 60;
	rig.config->queue.unknown_delay_ms = 1000;
	rig.config->queue.retry_cap_ms = 100000 * (uint64_t)HOUR_MS;
	rig_run(steps);
	ck_assert(rig.durable[0].is_pinned);
	/* Missed by chance once in a hundred million times. */
	ck_assert_int_gt(rig.durable[0].due_ms, clock_wall_ms() + 3000);
}
END_TEST

START_TEST(interrupted_attempt_waits_also_after_the_clock_was_set_back)
{
	static const rig_step steps[] = { put, has_run, NULL };

	jumps_forget();
	jumps_saw(clock_wall_ms() + 24 * (int64_t)HOUR_MS);
	stored[0].state = STORE_STARTED;
	rig.config->queue.unknown_delay_ms = HOUR_MS;
	rig_run(steps);
	jumps_forget();
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_int_gt(rig.durable[0].due_ms, clock_wall_ms());
}
END_TEST

static bool is_put(void)
{
	return rig.loads > 0 && rig_is_waiting();
}

/* Its release is then where its age begins; see DELIVER_REQUEUE. */
START_TEST(what_was_requeued_goes_also_after_the_clock_was_set_back)
{
	static const rig_step to_sent[] = { put, is_sent, NULL };
	static const rig_step to_put[] = { put, is_put, NULL };
	bool is_requeued = _i == 1;

	jumps_forget();
	jumps_saw(clock_wall_ms() + 24 * (int64_t)HOUR_MS);
	rig.terms.release_ms = clock_wall_ms() + HOUR_MS;
	stored[0].due_ms = rig.terms.release_ms;
	stored[0].key_turn = is_requeued;
	rig_run(is_requeued ? to_sent : to_put);
	jumps_forget();
	ck_assert_uint_eq(rig.call_count, is_requeued);
}
END_TEST

START_TEST(interrupted_attempt_is_repeated_where_it_was)
{
	static const rig_step steps[] = { put, is_sent, NULL };

	stored[0].state = STORE_STARTED;
	(void)snprintf(stored[0].provider, STORE_NAME_SIZE, "%s", "b");
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_str_eq(rig.calls[0].provider, "b");
	ck_assert_uint_eq(rig.durable[0].attempts, 2);
}
END_TEST

START_TEST(interrupted_attempt_follows_the_route)
{
	static const rig_step steps[] = { put, is_held, NULL };

	rig_routes("  - {name: all, providers: [a], on_unknown: hold}\n");
	stored[0].state = STORE_STARTED;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(pinned_to_a_provider_that_is_gone_is_held)
{
	static const rig_step steps[] = { put, is_held, NULL };

	stored[0].is_pinned = true;
	(void)snprintf(stored[0].provider, STORE_NAME_SIZE, "%s", "former");
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(pinned_to_a_provider_outside_its_route_goes_there)
{
	static const rig_step steps[] = { put, is_sent, NULL };

	stored[0].is_pinned = true;
	(void)snprintf(stored[0].provider, STORE_NAME_SIZE, "%s", "c");
	rig_run(steps);
	ck_assert_str_eq(rig.calls[0].provider, "c");
}
END_TEST

static bool is_put_off(void)
{
	return rig.durable_count == 1 && rig.durable[0].due_ms > 0 &&
	       rig_is_waiting();
}

START_TEST(waits_while_no_route_matches)
{
	static const rig_step steps[] = { put, is_put_off, NULL };

	rig_routes("  - {name: r, match: {user: [app], recipient: "
		   "[z@z.example]}, providers: [a]}\n");
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_int_eq(rig.durable[0].state, STORE_PENDING);
}
END_TEST

/* It is the file that is wrong, not the mail: that is no reason to fail. */
START_TEST(is_held_when_no_route_matches_to_the_end)
{
	static const rig_step steps[] = { put, is_held, NULL };

	created_ms = clock_wall_ms() - 49 * 3600 * 1000;
	rig_routes("  - {name: r, match: {user: [app], recipient: "
		   "[z@z.example]}, providers: [a]}\n");
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

static bool is_failed(void)
{
	return rig_count_state(STORE_FAILED) == 1 && rig_is_quiet();
}

START_TEST(too_old_gets_one_more_round_and_fails)
{
	static const rig_step steps[] = { put, is_failed, NULL };

	created_ms = clock_wall_ms() - 49 * 3600 * 1000;
	rig.script[0] = SCRIPT(503);
	rig.script[1] = SCRIPT(503);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 2);
}
END_TEST

START_TEST(damaged_message_is_held)
{
	static const rig_step steps[] = { put, is_held, NULL };

	rig.load_done_rc = -EBADMSG;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

static bool has_failed_to_load(void)
{
	return rig.load_done_rc == 0 && rig_is_waiting();
}

START_TEST(unreadable_message_waits)
{
	static const rig_step steps[] = { put, has_failed_to_load, NULL };

	rig.load_done_rc = -EIO;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(counter_get(&rig.counters.scheduled), 1);
}
END_TEST

static bool schedule_nobody(void)
{
	deliver_schedule(rig.deliver, id_make(), 0, 0);
	deliver_schedule(rig.deliver, id_make(), INT64_MAX, 0);
	return true;
}

START_TEST(unknown_ids_are_forgotten)
{
	static const rig_step steps[] = { schedule_nobody, rig_is_quiet, NULL };

	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

static bool is_called(void)
{
	return rig.open_calls == 1;
}

static bool schedule_again(void)
{
	deliver_schedule(rig.deliver, rig.id, 0, 0);
	deliver_schedule(rig.deliver, rig.id, 0, 0);
	return true;
}

static bool release_good(void)
{
	rig_release(200);
	return true;
}

START_TEST(a_message_at_work_is_not_started_twice)
{
	static const rig_step steps[] = { put, is_called, schedule_again,
		release_good, is_sent, NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
}
END_TEST

/* --- a backlog --- */

enum {
	BACKLOG = 700
};

static struct store_accept accepts[BACKLOG];
static struct store_entry entries[BACKLOG];
static struct store_recipient backlog_recipient;
static struct message *backlog_message;

static void on_backlog_stored(struct store_request *r)
{
	const struct store_accept *a = (const struct store_accept *)(void *)r;

	ck_assert_int_eq(r->result, 0);
	deliver_schedule(rig.deliver, a->entry->id, 0, 0);
}

static bool put_backlog(void)
{
	struct buf header, body;

	buf_init(&header, 100);
	buf_init(&body, 100);
	ck_assert_int_eq(buf_add_str(&header, "A: b\r\n\r\n"), 0);
	ck_assert_int_eq(buf_add_str(&body, "x\r\n"), 0);
	backlog_message = message_new(&header, &body, 0);
	backlog_recipient = stored[0];
	for (size_t i = 0; i < BACKLOG; i++) {
		entries[i] = (struct store_entry){ .id = id_make(),
			.created_ms = clock_wall_ms(),
			.user = SPAN("app"),
			.sender = SPAN("a@b.example"),
			.recipients = &backlog_recipient,
			.recipient_count = 1,
			.message = backlog_message };
		accepts[i] = (struct store_accept){ .entry = &entries[i] };
		accepts[i].request.loop = rig.loop;
		accepts[i].request.done = on_backlog_stored;
		ck_assert_int_eq(store_accept(rig.store, &accepts[i]), 0);
	}
	return true;
}

static bool is_at_the_limit(void)
{
	return rig.open_calls == 256;
}

static bool is_backlog_done(void)
{
	rig_release(200);
	return rig.call_count == BACKLOG && rig_is_quiet();
}

START_TEST(a_backlog_is_worked_off_in_bounds)
{
	static const rig_step steps[] = { put_backlog, is_at_the_limit,
		is_backlog_done, NULL };

	rig_routes("  - {name: all, providers: [a]}\n");
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	message_unref(backlog_message);
	ck_assert_uint_eq(rig.most_open_calls, 256);
	ck_assert_uint_eq(counter_get(&rig.counters.sent_recipients), BACKLOG);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/resume");
	TCase *t = tcase_create("resume");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, what_waited_is_delivered);
	tcase_add_test(t, what_went_alone_goes_alone_after_a_restart);
	tcase_add_test(t, only_what_is_due_is_tried);
	tcase_add_test(t, interrupted_attempt_is_unknown_first);
	tcase_add_test(t, unknown_outcomes_are_asked_about_less_and_less);
	tcase_add_test(
	    t, interrupted_attempt_waits_also_after_the_clock_was_set_back);
	tcase_add_loop_test(
	    t, what_was_requeued_goes_also_after_the_clock_was_set_back, 0, 2);
	tcase_add_test(t, interrupted_attempt_is_repeated_where_it_was);
	tcase_add_test(t, interrupted_attempt_follows_the_route);
	tcase_add_test(t, pinned_to_a_provider_that_is_gone_is_held);
	tcase_add_test(t, pinned_to_a_provider_outside_its_route_goes_there);
	tcase_add_test(t, waits_while_no_route_matches);
	tcase_add_test(t, is_held_when_no_route_matches_to_the_end);
	tcase_add_test(t, too_old_gets_one_more_round_and_fails);
	tcase_add_test(t, damaged_message_is_held);
	tcase_add_test(t, unreadable_message_waits);
	tcase_add_test(t, unknown_ids_are_forgotten);
	tcase_add_test(t, a_message_at_work_is_not_started_twice);
	tcase_add_test(t, a_backlog_is_worked_off_in_bounds);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
