/* What the webhook is told, by events of our own. */
#include "rig.h"

#include <support/unit.h>

#include <base/clock.h>
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })
#define HOOK "webhook: {mark: g}\n"
#define DSN "dsn: {providers: [b], from: mailer-daemon@b.example}\n"
#define ROUTE "  - {name: all, providers: [a]}\n"

enum {
	HOUR_MS = 3600 * 1000
};

static enum config_mode mode;
static size_t recipients;

static void setup(const char *more)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml), ROUTE "%s", more);
	rig_setup();
	rig_routes(yaml);
	mode = CONFIG_MODE_QUEUED;
	recipients = 1;
}

static bool submit(void)
{
	rig_submit(mode, recipients, 100);
	return true;
}

static const rig_step to_the_end[] = { submit, rig_answered, rig_is_quiet,
	NULL };

static void has(size_t event, const char *what)
{
	ck_assert_msg(strstr(rig.events[event], what), "no \"%s\" in:\n%s",
	    what, rig.events[event]);
}

static uint64_t counted(
    enum counter_event event, enum counter_event_result result)
{
	return counter_get(&rig.counters.webhook_events[event][result]);
}

/* Calls of the webhook. */
static size_t hooks(void)
{
	size_t n = 0;

	for (size_t i = 0; i < rig.call_count; i++)
		n += strcmp(rig.calls[i].provider, "g") == 0;
	return n;
}

/* --- what is told --- */

START_TEST(tells_that_it_was_sent)
{
	setup(HOOK);
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.event_count, 1);
	has(0, "{\"type\":\"message.sent\",");
	has(0, "\"address\":\"rcpt0@x.example\",\"state\":\"sent\","
	       "\"attempts\":1,\"provider\":\"a\","
	       "\"provider_id\":\"msg-1\",\"class\":\"accepted\","
	       "\"status\":200,\"enhanced_status\":\"2.0.0\"");
	ck_assert_uint_eq(hooks(), 1);
	ck_assert_str_eq(rig.calls[1].first, "message.sent");
	ck_assert(!rig.durable[0].owes_event);
	ck_assert_uint_eq(counted(COUNTER_EVENT_SENT, COUNTER_EVENT_QUEUED), 1);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DELIVERED), 1);
	/* It is no mail. */
	ck_assert_uint_eq(counter_get(&rig.counters.sent_recipients), 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_of_a_failure_and_so_does_the_report)
{
	setup(HOOK DSN);
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig_count_state(STORE_BOUNCED), 1);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig.event_count, 1);
	has(0, "{\"type\":\"message.failed\",");
	has(0, "\"state\":\"bounced\"");
	has(0, "\"class\":\"rejected\",\"status\":400,"
	       "\"enhanced_status\":\"5.6.0\","
	       "\"reason\":\"a answered 400: said 400  bye\"");
	/* The report is not told of. */
	ck_assert_uint_eq(hooks(), 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_also_what_the_client_heard_itself)
{
	setup(HOOK);
	mode = CONFIG_MODE_HYBRID;
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	ck_assert_uint_eq(rig.event_count, 1);
	has(0, "{\"type\":\"message.failed\",");
	rig_teardown();
}
END_TEST

START_TEST(tells_of_what_nothing_is_kept)
{
	setup(HOOK);
	mode = CONFIG_MODE_DIRECT;
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_uint_eq(rig.event_count, 1);
	ck_assert_uint_eq(hooks(), 1);
	/* The event is. */
	ck_assert(!rig.is_volatile);
	rig_teardown();
}
END_TEST

START_TEST(one_event_for_those_with_the_same_fate)
{
	setup(HOOK);
	recipients = 3;
	rig.script[0] = SCRIPT(RIG_MIXED);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 2);
	has(0, "{\"type\":\"message.failed\",");
	has(0, "rcpt1@x.example");
	ck_assert_ptr_null(strstr(rig.events[0], "rcpt0"));
	has(1, "{\"type\":\"message.sent\",");
	has(1, "rcpt0@x.example");
	has(1, "rcpt2@x.example");
	has(1, "\"recipient_count\":3");
	ck_assert_ptr_null(strstr(rig.events[1], "rcpt1"));
	rig_teardown();
}
END_TEST

START_TEST(many_recipients_make_several_events)
{
	setup(HOOK);
	recipients = 2 * EVENT_RECIPIENTS_MAX + 10;
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 3);
	ck_assert_uint_eq(hooks(), 3);
	ck_assert(!id_eq(rig.event_ids[0], rig.event_ids[1]));
	ck_assert(!id_eq(rig.event_ids[1], rig.event_ids[2]));
	for (size_t i = 0; i < recipients; i++)
		ck_assert(!rig.durable[i].owes_event);
	rig_teardown();
}
END_TEST

START_TEST(says_once_that_it_waits)
{
	setup(HOOK);
	rig.script[0] = SCRIPT(503, 503, 503, 200);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 2);
	has(0, "{\"type\":\"message.deferred\",");
	has(0, "\"state\":\"pending\"");
	has(0, "\"enhanced_status\":\"4.4.7\"");
	ck_assert_ptr_null(strstr(rig.events[0], "\"next_attempt\":null"));
	has(1, "{\"type\":\"message.sent\",");
	has(1, "\"attempts\":4");
	ck_assert(rig.durable[0].was_deferred);
	rig_teardown();
}
END_TEST

/* --- what is not --- */

START_TEST(tells_only_what_is_wanted)
{
	setup("webhook: {mark: g, events: [failed]}\n");
	rig.script[0] = SCRIPT(503, 200);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 0);
	rig_teardown();
}
END_TEST

START_TEST(tells_only_of_users_that_are_named)
{
	setup(HOOK);
	rig_routes(ROUTE "webhook: {mark: g, users: [APP]}\n");
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_nobody_when_it_is_not_configured)
{
	setup("");
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 0);
	ck_assert_uint_eq(rig.call_count, 1);
	rig_teardown();
}
END_TEST

/* --- how events fare --- */

START_TEST(an_event_is_sent_until_it_is_taken)
{
	setup(HOOK);
	rig.script[6] = SCRIPT(503, RIG_REFUSED, 401, 200);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.event_count, 1);
	ck_assert_uint_eq(hooks(), 4);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DELIVERED), 1);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DROPPED), 0);
	rig_teardown();
}
END_TEST

START_TEST(nobody_minds_that_one_may_come_twice)
{
	setup("webhook: {mark: g}\n");
	rig.config->queue.unknown_delay_ms = HOUR_MS;
	rig.script[6] = SCRIPT(RIG_UNANSWERED, 200);
	rig_run(to_the_end);
	ck_assert_uint_eq(hooks(), 2);
	ck_assert_str_eq(rig.calls[1].key, rig.calls[2].key);
	ck_assert_uint_eq(counter_get(&rig.counters.unknown), 0);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DELIVERED), 1);
	rig_teardown();
}
END_TEST

static bool age(void)
{
	rig.config->queue.max_age_ms = 1;
	return true;
}

START_TEST(one_that_is_too_old_is_dropped_in_silence)
{
	static const rig_step steps[] = { submit, rig_answered, age,
		rig_is_quiet, NULL };

	setup(HOOK DSN);
	rig.script[6] = SCRIPT(503);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 1);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DROPPED), 1);
	ck_assert_uint_eq(counter_get(&rig.counters.failed_recipients), 0);
	rig_teardown();
}
END_TEST

static bool is_refused_once(void)
{
	return hooks() > 0 && rig_is_waiting();
}

static bool take_away(void)
{
	rig_routes(ROUTE);
	return true;
}

START_TEST(without_a_webhook_those_that_wait_are_dropped)
{
	static const rig_step steps[] = { submit, rig_answered, is_refused_once,
		take_away, rig_is_quiet, NULL };

	setup(HOOK);
	rig.script[6] = SCRIPT(503);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 1);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DROPPED), 1);
	rig_teardown();
}
END_TEST

/* Mail goes on while the webhook hangs with all that it can hold. */
static size_t submitted;

static bool submit_many(void)
{
	if (submitted > 0 && !rig.is_answered)
		return false;
	rig.is_answered = false;
	if (submitted++ < 100)
		rig_submit(CONFIG_MODE_QUEUED, 1, 100);
	return submitted > 100;
}

static size_t mails(void)
{
	return rig.call_count - hooks();
}

static bool are_mails_sent(void)
{
	return mails() == 100 && hooks() > 0 &&
	       counter_get(&rig.counters.inflight) == hooks();
}

static bool release(void)
{
	static const int taken[] = { 200, 0 };

	ck_assert_uint_le(hooks(), 64);
	rig.script[6] = taken;
	rig.script_at[6] = 0;
	rig_release(200);
	return true;
}

static bool are_all_told(void)
{
	return counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DELIVERED) == 100 &&
	       rig_is_quiet();
}

START_TEST(a_webhook_that_hangs_holds_up_no_mail)
{
	static const rig_step steps[] = { submit_many, are_mails_sent, release,
		are_all_told, NULL };

	submitted = 0;
	setup(HOOK);
	rig.script[6] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 100);
	rig_teardown();
}
END_TEST

/* As with a backlog of large messages that are being read. */
static void crowd(struct deliver_line *line)
{
	line->loading += DELIVER_LOADING_MAX;
	line->bytes += DELIVER_LOADED_BYTES_MAX;
}

static void uncrowd(struct deliver_line *line)
{
	line->loading -= DELIVER_LOADING_MAX;
	line->bytes -= DELIVER_LOADED_BYTES_MAX;
}

START_TEST(a_backlog_of_mail_holds_up_no_event)
{
	setup(HOOK);
	crowd(&rig.deliver->mail);
	rig_run(to_the_end);
	uncrowd(&rig.deliver->mail);
	ck_assert_uint_eq(
	    counted(COUNTER_EVENT_SENT, COUNTER_EVENT_DELIVERED), 1);
	rig_teardown();
}
END_TEST

static bool store_mail(void)
{
	static const struct store_recipient to = {
		.address = { "rcpt0@x.example", 15 }, .state = STORE_PENDING
	};

	rig_store(&to, 1, 0);
	return true;
}

static bool is_mail_sent(void)
{
	return rig_count_state(STORE_SENT) == 1 && rig_is_waiting();
}

START_TEST(a_backlog_of_events_holds_up_no_mail)
{
	static const rig_step steps[] = { store_mail, is_mail_sent, NULL };

	setup(HOOK);
	crowd(&rig.deliver->events);
	rig_run(steps);
	uncrowd(&rig.deliver->events);
	ck_assert_uint_eq(mails(), 1);
	ck_assert_uint_eq(hooks(), 0);
	rig_teardown();
}
END_TEST

/* --- crashes and faults --- */

static const struct store_recipient owed[] = {
	{ .address = { "rcpt0@x.example", 15 },
	    .state = STORE_SENT,
	    .attempts = 1,
	    .owes_event = true },
	{ .address = { "rcpt1@x.example", 15 },
	    .state = STORE_FAILED,
	    .attempts = 2,
	    .owes_event = true },
};

static bool store_owed(void)
{
	rig_store(owed, 2, 0);
	return true;
}

static bool is_told(void)
{
	return rig.durable_count == 2 && !rig.durable[0].owes_event &&
	       !rig.durable[1].owes_event && rig_is_quiet();
}

START_TEST(what_a_crash_left_owed_is_told)
{
	static const rig_step steps[] = { store_owed, is_told, NULL };

	setup(HOOK);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 2);
	ck_assert_uint_eq(hooks(), 2);
	rig_teardown();
}
END_TEST

static bool is_known(void)
{
	rig.accept_done_rc = -EEXIST; /* the first event's */
	return true;
}

START_TEST(an_event_that_is_known_is_not_made_twice)
{
	static const rig_step steps[] = { store_owed, is_known, is_told, NULL };

	setup(HOOK);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 1);
	ck_assert_uint_eq(hooks(), 1);
	rig_teardown();
}
END_TEST

static bool forget(void)
{
	/* That it was told is not recorded. */
	rig.update_done_rc = -ENOENT;
	rig.is_update_of_watched = true;
	return true;
}

static bool schedule_again(void)
{
	if (rig.faults == 0 || !rig_is_quiet())
		return false;
	ck_assert(rig.durable[0].owes_event);
	deliver_schedule(rig.deliver, rig.id, 0, 0);
	return true;
}

START_TEST(told_twice_it_is_the_same_event)
{
	static const rig_step steps[] = { store_owed, forget, schedule_again,
		is_told, NULL };

	setup(HOOK);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 2);
	ck_assert_uint_eq(hooks(), 2);
	rig_teardown();
}
END_TEST

static bool is_full(void)
{
	rig.accept_done_rc = -ENOSPC;
	return true;
}

static bool is_postponed(void)
{
	return rig.faults == 1 && rig_is_waiting();
}

START_TEST(an_event_that_cannot_be_stored_stays_owed)
{
	static const rig_step steps[] = { store_owed, is_full, is_postponed,
		NULL };

	setup(HOOK);
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 0);
	ck_assert(rig.durable[0].owes_event);
	ck_assert(rig.durable[1].owes_event);
	ck_assert_uint_eq(counter_get(&rig.counters.scheduled), 1);
	rig_teardown();
}
END_TEST

static bool submit_and_fill(void)
{
	(void)submit();
	return is_full(); /* for the event */
}

static bool is_forgotten(void)
{
	struct store_stats stats;

	store_stats(rig.volatile_store, &stats);
	return rig_is_quiet() && stats.messages == 0;
}

START_TEST(of_direct_mode_it_is_lost_and_leaves_nothing_in_memory)
{
	static const rig_step steps[] = { submit_and_fill, rig_answered,
		is_forgotten, NULL };

	setup(HOOK);
	mode = CONFIG_MODE_DIRECT;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_uint_eq(rig.faults, 1);
	ck_assert_uint_eq(rig.event_count, 0);
	rig_teardown();
}
END_TEST

START_TEST(what_is_owed_to_nobody_is_forgotten)
{
	static const rig_step steps[] = { store_owed, is_told, NULL };

	setup("");
	rig_run(steps);
	ck_assert_uint_eq(rig.event_count, 0);
	rig_teardown();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("deliver/event");
	TCase *t = tcase_create("event");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, tells_that_it_was_sent);
	tcase_add_test(t, tells_of_a_failure_and_so_does_the_report);
	tcase_add_test(t, tells_also_what_the_client_heard_itself);
	tcase_add_test(t, tells_of_what_nothing_is_kept);
	tcase_add_test(t, one_event_for_those_with_the_same_fate);
	tcase_add_test(t, many_recipients_make_several_events);
	tcase_add_test(t, says_once_that_it_waits);
	tcase_add_test(t, tells_only_what_is_wanted);
	tcase_add_test(t, tells_only_of_users_that_are_named);
	tcase_add_test(t, tells_nobody_when_it_is_not_configured);
	tcase_add_test(t, an_event_is_sent_until_it_is_taken);
	tcase_add_test(t, nobody_minds_that_one_may_come_twice);
	tcase_add_test(t, one_that_is_too_old_is_dropped_in_silence);
	tcase_add_test(t, without_a_webhook_those_that_wait_are_dropped);
	tcase_add_test(t, a_webhook_that_hangs_holds_up_no_mail);
	tcase_add_test(t, a_backlog_of_mail_holds_up_no_event);
	tcase_add_test(t, a_backlog_of_events_holds_up_no_mail);
	tcase_add_test(t, what_a_crash_left_owed_is_told);
	tcase_add_test(t, an_event_that_is_known_is_not_made_twice);
	tcase_add_test(t, told_twice_it_is_the_same_event);
	tcase_add_test(t, an_event_that_cannot_be_stored_stays_owed);
	tcase_add_test(
	    t, of_direct_mode_it_is_lost_and_leaves_nothing_in_memory);
	tcase_add_test(t, what_is_owed_to_nobody_is_forgotten);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
