/* What senders are told, by messages of our own. */
#include "rig.h"

#include <support/unit.h>

#include <base/clock.h>
#include <health/health.h>
#include <mail/report.h>

#include <errno.h>
#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })
#define DSN                                                                    \
	"dsn: {providers: [b], from: mailer-daemon@b.example, "                \
	"delay_after: 1h, rate: 2/hour}\n"

enum {
	HOUR_MS = 3600 * 1000
};

static enum config_mode mode;
static size_t recipients;

static void setup(void)
{
	rig_setup();
	rig_routes("  - {name: all, providers: [a]}\n" DSN);
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

static void has(const char *what)
{
	ck_assert_msg(
	    strstr(rig.report, what), "no \"%s\" in:\n%s", what, rig.report);
}

START_TEST(tells_of_a_failure_after_the_250)
{
	setup();
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_BOUNCED), 1);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_str_eq(rig.report_to, "a@b.example");
	has("Final-Recipient: rfc822; rcpt0@x.example\r\n"
	    "Action: failed\r\nStatus: 5.6.0\r\n"
	    "Remote-MTA: x-provider; a\r\n"
	    "Diagnostic-Code: x-http; 400 a answered 400: said 400");
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_str_eq(rig.calls[1].provider, "b");
	ck_assert_str_eq(rig.calls[1].first, "a@b.example");
	ck_assert_uint_eq(
	    counter_get(&rig.counters.dsn_sent[REPORT_FAILED]), 1);
	rig_teardown();
}
END_TEST

START_TEST(says_nothing_to_a_client_that_hears_it)
{
	setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 2;
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 2);
	ck_assert_uint_eq(rig.report_count, 0);
	rig_teardown();
}
END_TEST

START_TEST(says_nothing_where_nothing_is_kept)
{
	setup();
	mode = CONFIG_MODE_DIRECT;
	recipients = 2;
	rig.script[0] = SCRIPT(RIG_MIXED);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_which_of_several_failed)
{
	setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 3;
	rig.script[0] = SCRIPT(RIG_MIXED);
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
	ck_assert_int_eq(rig.durable[1].state, STORE_BOUNCED);
	ck_assert_uint_eq(rig.report_count, 1);
	has("Final-Recipient: rfc822; rcpt1@x.example\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n");
	ck_assert_ptr_null(strstr(rig.report, "rcpt0"));
	rig_teardown();
}
END_TEST

START_TEST(obeys_never)
{
	setup();
	rig.notify = ENVELOPE_NOTIFY_NEVER;
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_who_asked_that_it_was_handed_over)
{
	setup();
	rig.notify = ENVELOPE_NOTIFY_SUCCESS;
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
	has("Action: relayed\r\nStatus: 2.0.0\r\n");
	rig_teardown();
}
END_TEST

START_TEST(asked_for_success_alone_a_failure_is_silent)
{
	setup();
	rig.notify = ENVELOPE_NOTIFY_SUCCESS;
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 0);
	rig_teardown();
}
END_TEST

START_TEST(tells_nobody_when_there_is_no_sender)
{
	setup();
	rig.sender = "";
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

START_TEST(tells_nobody_when_it_is_not_configured)
{
	setup();
	rig_routes("  - {name: all, providers: [a]}\n");
	rig.script[0] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

START_TEST(a_report_that_fails_has_no_report)
{
	setup();
	rig.script[0] = SCRIPT(400);
	rig.script[1] = SCRIPT(400);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(counter_get(&rig.counters.double_bounces), 1);
	rig_teardown();
}
END_TEST

START_TEST(a_report_is_tried_again)
{
	setup();
	rig.script[0] = SCRIPT(400);
	rig.script[1] = SCRIPT(503, 503, 200);
	rig_run(to_the_end);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig.call_count, 4);
	ck_assert_uint_eq(counter_get(&rig.counters.double_bounces), 0);
	rig_teardown();
}
END_TEST

/* --- what waits --- */

static const struct store_recipient waiting[] = {
	{ .address = { "rcpt0@x.example", 15 },
	    .notify = ENVELOPE_NOTIFY_DELAY,
	    .state = STORE_PENDING },
	{ .address = { "rcpt1@x.example", 15 }, .state = STORE_PENDING },
};
static int64_t created_ms;

static bool store_waiting(void)
{
	rig_store(waiting, 2, created_ms);
	return true;
}

static bool are_sent(void)
{
	return rig_count_state(STORE_SENT) == 2 && rig_is_quiet();
}

START_TEST(tells_once_that_it_takes_long)
{
	static const rig_step steps[] = { store_waiting, are_sent, NULL };

	setup();
	created_ms = clock_wall_ms() - 2 * HOUR_MS;
	rig.script[0] = SCRIPT(503, 503, 503, 200);
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 1);
	has("Action: delayed\r\nStatus: 4.4.7\r\n");
	has("Will-Retry-Until: ");
	ck_assert_ptr_null(strstr(rig.report, "rcpt1"));
	ck_assert(rig.durable[0].is_told);
	rig_teardown();
}
END_TEST

static void shut_briefly(struct config *c)
{
	struct config_provider *p = c->providers.items;

	p->breaker.account_retry_ms = 300;
}

START_TEST(tells_also_while_the_provider_may_not_be_called)
{
	static const rig_step steps[] = { store_waiting, are_sent, NULL };
	struct postern_outcome refused = { .result = POSTERN_ACCOUNT };
	struct health_call c = { .is_retry = false };

	setup();
	rig.tune = shut_briefly;
	rig_routes("  - {name: all, providers: [a]}\n" DSN);
	const struct config_provider *p =
	    CONFIG_AT(rig.config->providers, struct config_provider, 0);
	ck_assert_int_eq(
	    health_enter(p->account, &c, clock_mono_ms()), HEALTH_GO);
	health_leave(&c, &refused, clock_mono_ms());
	created_ms = clock_wall_ms() - 2 * HOUR_MS;
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 1);
	has("Action: delayed\r\nStatus: 4.4.7\r\n");
	ck_assert_uint_eq(rig.durable[0].attempts, 1);
	rig_teardown();
}
END_TEST

START_TEST(does_not_tell_before_its_time)
{
	static const rig_step steps[] = { store_waiting, are_sent, NULL };

	setup();
	created_ms = clock_wall_ms() - HOUR_MS / 2;
	rig.script[0] = SCRIPT(503, 200);
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 0);
	rig_teardown();
}
END_TEST

static bool is_bounced(void)
{
	return rig_count_state(STORE_BOUNCED) == 1 && rig_is_quiet();
}

START_TEST(says_that_it_has_expired)
{
	static const rig_step steps[] = { store_waiting, is_bounced, NULL };

	setup();
	created_ms = clock_wall_ms() - 72 * (int64_t)HOUR_MS;
	rig.script[0] = SCRIPT(503);
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 1);
	has("Final-Recipient: rfc822; rcpt1@x.example\r\n"
	    "Action: failed\r\nStatus: 4.4.7\r\n");
	/* This one wanted to hear of delays only. */
	ck_assert_ptr_null(strstr(rig.report, "rcpt0"));
	ck_assert_int_eq(rig.durable[0].state, STORE_FAILED);
	ck_assert_int_eq(rig.durable[1].state, STORE_BOUNCED);
	rig_teardown();
}
END_TEST

/* --- crashes and faults --- */

static const struct store_recipient owed[] = {
	{ .address = { "rcpt0@x.example", 15 }, .state = STORE_FAILED_OWED },
};

static bool store_owed(void)
{
	rig_store(owed, 1, 0);
	return true;
}

START_TEST(what_a_crash_left_owed_is_told)
{
	static const rig_step steps[] = { store_owed, is_bounced, NULL };

	setup();
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig.call_count, 1);
	has("Action: failed\r\n");
	rig_teardown();
}
END_TEST

static bool is_at_work(void)
{
	rig.accept_done_rc = -EEXIST; /* the report's */
	return true;
}

START_TEST(a_report_that_is_known_is_not_sent_twice)
{
	static const rig_step steps[] = { store_owed, is_at_work, is_bounced,
		NULL };

	setup();
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 0);
	ck_assert_uint_eq(rig.call_count, 0);
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

START_TEST(a_report_that_cannot_be_stored_stays_owed)
{
	static const rig_step steps[] = { store_owed, is_full, is_postponed,
		NULL };

	setup();
	rig_run(steps);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED_OWED), 1);
	ck_assert_uint_eq(counter_get(&rig.counters.scheduled), 1);
	rig_teardown();
}
END_TEST

static bool submit_and_break(void)
{
	rig.update_done_rc = -ENOSPC;
	rig.update_lasts = true;
	return submit();
}

static bool is_failing(void)
{
	if (rig.faults == 0)
		return false;
	deliver_answer_durable(rig.deliver);
	return true;
}

static bool mend(void)
{
	rig.update_done_rc = 0;
	rig.update_lasts = false;
	return true;
}

/* The refusal cannot be recorded, so the client hears 250, and a report goes
 * out when it can. */
START_TEST(who_was_told_queued_is_told_the_end)
{
	static const rig_step steps[] = { submit_and_break, is_failing,
		rig_answered, mend, is_bounced, NULL };

	setup();
	mode = CONFIG_MODE_HYBRID;
	rig.script[0] = SCRIPT(400);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.report_count, 1);
	rig_teardown();
}
END_TEST

static bool answered_again(void)
{
	if (!rig.is_answered || !rig_is_quiet())
		return false;
	rig.is_answered = false;
	return true;
}

START_TEST(one_address_gets_so_many_and_no_more)
{
	static const rig_step steps[] = { submit, answered_again, submit,
		answered_again, submit, answered_again, NULL };

	setup();
	rig.script[0] = SCRIPT(400);
	rig_run(steps);
	ck_assert_uint_eq(rig.report_count, 2);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("deliver/notice");
	TCase *t = tcase_create("notice");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, tells_of_a_failure_after_the_250);
	tcase_add_test(t, says_nothing_to_a_client_that_hears_it);
	tcase_add_test(t, says_nothing_where_nothing_is_kept);
	tcase_add_test(t, tells_which_of_several_failed);
	tcase_add_test(t, obeys_never);
	tcase_add_test(t, tells_who_asked_that_it_was_handed_over);
	tcase_add_test(t, asked_for_success_alone_a_failure_is_silent);
	tcase_add_test(t, tells_nobody_when_there_is_no_sender);
	tcase_add_test(t, tells_nobody_when_it_is_not_configured);
	tcase_add_test(t, a_report_that_fails_has_no_report);
	tcase_add_test(t, a_report_is_tried_again);
	tcase_add_test(t, tells_once_that_it_takes_long);
	tcase_add_test(t, tells_also_while_the_provider_may_not_be_called);
	tcase_add_test(t, does_not_tell_before_its_time);
	tcase_add_test(t, says_that_it_has_expired);
	tcase_add_test(t, what_a_crash_left_owed_is_told);
	tcase_add_test(t, a_report_that_is_known_is_not_sent_twice);
	tcase_add_test(t, a_report_that_cannot_be_stored_stays_owed);
	tcase_add_test(t, who_was_told_queued_is_told_the_end);
	tcase_add_test(t, one_address_gets_so_many_and_no_more);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
