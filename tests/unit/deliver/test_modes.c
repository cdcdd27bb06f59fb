/* What the client is told, and when. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static enum config_mode mode;
static size_t recipients;

static bool submit(void)
{
	rig_submit(mode, recipients, 100);
	return true;
}

static bool release_good(void)
{
	rig_release(200);
	return true;
}

static bool is_called(void)
{
	return rig.call_count > 0;
}

static void run(void)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		NULL };

	rig_run(steps);
}

static void setup(void)
{
	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	recipients = 1;
}

START_TEST(hybrid_passes_acceptance_on)
{
	recipients = 3;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_str_eq(rig.provider, "a");
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 3);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig.calls[0].recipients, 3);
	ck_assert_uint_eq(rig.rows, 3);
	ck_assert_str_eq(rig.last_row_id, "msg-1");
	ck_assert(!rig.is_volatile);
	ck_assert_uint_eq(counter_get(&rig.counters.sent_recipients), 3);
	ck_assert_uint_eq(counter_get(&rig.counters.inflight), 0);
	const struct counter_provider *p = &rig.counters.providers[0];
	ck_assert_uint_eq(counter_get(&p->attempts[POSTERN_ACCEPTED]), 1);
	ck_assert_uint_eq(counter_get(&p->inflight), 0);
	ck_assert_uint_gt(counter_get(&p->last_success_ms), 0);
}
END_TEST

START_TEST(hybrid_passes_refusal_on_and_keeps_nothing)
{
	rig.script[0] = SCRIPT(400);
	recipients = 2;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_int_eq(rig.result, POSTERN_REJECTED);
	ck_assert_str_eq(rig.reason, "a answered 400: said 400  bye");
	ck_assert_str_eq(rig.last_row_reason, rig.reason);
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 2);
	ck_assert_uint_eq(rig.call_count, 1); /* not offered elsewhere */
	ck_assert_uint_eq(counter_get(&rig.counters.failed_recipients), 2);
}
END_TEST

START_TEST(a_refusal_without_words_is_a_sentence)
{
	rig.script[0] = SCRIPT(413);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_str_eq(rig.reason, "a answered 413");
	ck_assert_int_eq(rig.refusal, POSTERN_REFUSED_SIZE);
	ck_assert_str_eq(rig.last_row_reason, rig.reason);
}
END_TEST

START_TEST(a_long_refusal_is_cut_between_characters)
{
	rig.script[0] = SCRIPT(414);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert(span_is_utf8(span_of(rig.reason)));
	ck_assert_ptr_nonnull(strstr(rig.reason, "a answered 414: \xc3\xbc"));
}
END_TEST

START_TEST(hybrid_refuses_when_each_alone_is_refused)
{
	rig.script[0] = SCRIPT(422);
	recipients = 3;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_int_eq(rig.refusal, POSTERN_REFUSED_RECIPIENT);
	ck_assert_uint_eq(rig.call_count, 4); /* one of one is the end of it */
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 3);
}
END_TEST

START_TEST(refusals_for_several_reasons_are_of_the_message)
{
	rig.script[0] = SCRIPT(422, 422, 413);
	recipients = 2;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_int_eq(rig.refusal, POSTERN_REFUSED_MESSAGE);
}
END_TEST

START_TEST(hybrid_says_queued_when_it_must_wait)
{
	rig.script[0] = SCRIPT(503, 200);
	rig.script[1] = SCRIPT(401);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
	ck_assert_uint_eq(rig.call_count, 3); /* a, b, then a again */
	ck_assert_uint_eq(counter_get(&rig.counters.deferred), 1);
}
END_TEST

START_TEST(hybrid_says_queued_when_recipients_differ)
{
	rig.script[0] = SCRIPT(RIG_MIXED);
	recipients = 3;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
	ck_assert_int_eq(rig.durable[1].state, STORE_FAILED);
}
END_TEST

static bool is_answered_without_end(void)
{
	return rig.is_answered && rig.open_calls == 1;
}

START_TEST(hybrid_waits_no_longer_than_the_budget)
{
	static const rig_step steps[] = { submit, is_answered_without_end,
		release_good, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	rig.config->queue.sync_budget_ms = 20;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	/* The call under way went on and was not repeated. */
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

START_TEST(queued_does_not_wait_for_the_provider)
{
	static const rig_step steps[] = { submit, is_answered_without_end,
		release_good, rig_is_quiet, NULL };

	mode = CONFIG_MODE_QUEUED;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.calls_at_answer, 0);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

/* --- more messages than the provider takes --- */

enum {
	FLOOD = 1400 /* more than may be at work: 1024 and 256 read back */
};

static struct deliver_submission flood[FLOOD];
static size_t flood_answers;

static void on_flood_answer(
    struct deliver_submission *s, const struct deliver_answer *a)
{
	(void)s;
	ck_assert_int_eq(a->verdict, DELIVER_QUEUED);
	flood_answers++;
}

static bool submit_flood(void)
{
	struct envelope e;

	envelope_init(&e);
	e.sender = SPAN("a@b.example");
	e.user = SPAN("app");
	ck_assert_int_eq(envelope_add_recipient(&e,
			     &(struct envelope_recipient){
				 .address = SPAN("rcpt0@x.example") }),
	    0);
	flood_answers = 0;
	for (size_t i = 0; i < FLOOD; i++) {
		flood[i] = (struct deliver_submission){ .id = id_make(),
			.envelope = &e,
			.message = rig_message(10),
			.mode = CONFIG_MODE_QUEUED,
			.on_answer = on_flood_answer };
		deliver_submit(rig.deliver, &flood[i]);
	}
	envelope_finish(&e);
	return true;
}

static bool is_flood_at_work(void)
{
	return flood_answers == FLOOD && rig.open_calls == 1024 + 256;
}

static bool is_flood_over(void)
{
	rig_release(200);
	return rig.call_count == FLOOD && rig_is_quiet();
}

START_TEST(a_flood_waits_in_the_store_not_in_memory)
{
	static const rig_step steps[] = { submit_flood, is_flood_at_work,
		is_flood_over, NULL };

	rig_routes("  - {name: all, providers: [a]}\n");
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_uint_eq(rig.most_open_calls, 1024 + 256);
	ck_assert_uint_eq(counter_get(&rig.counters.sent_recipients), FLOOD);
}
END_TEST

/* Direct mode: one round, one answer, nothing kept. */
static const struct {
	int a, b;
	const char *unknown;
	size_t recipients;
	enum deliver_verdict verdict;
	enum postern_class result;
	enum store_state state; /* of the first recipient */
	size_t calls;
} direct[] = {
	{ 200, 200, "retry", 2, DELIVER_SENT, 0, STORE_SENT, 1 },
	{ 503, 200, "retry", 2, DELIVER_SENT, 0, STORE_SENT, 2 },
	{ 400, 200, "retry", 2, DELIVER_REJECTED, POSTERN_REJECTED,
	    STORE_FAILED, 1 },
	{ 422, 200, "retry", 2, DELIVER_REJECTED, POSTERN_REJECTED,
	    STORE_FAILED, 3 },
	{ 503, 429, "retry", 2, DELIVER_DEFERRED, POSTERN_THROTTLED,
	    STORE_DROPPED, 2 },
	{ 401, 401, "retry", 1, DELIVER_DEFERRED, POSTERN_ACCOUNT,
	    STORE_DROPPED, 2 },
	{ RIG_UNANSWERED, 200, "retry", 1, DELIVER_DEFERRED, POSTERN_UNKNOWN,
	    STORE_DROPPED, 1 },
	{ RIG_UNANSWERED, 200, "hold", 1, DELIVER_REJECTED, POSTERN_UNKNOWN,
	    STORE_FAILED, 1 },
	{ RIG_UNANSWERED, 200, "fail", 1, DELIVER_REJECTED, POSTERN_UNKNOWN,
	    STORE_FAILED, 1 },
	/* Some sent, one refused for good: nothing to come back for. */
	{ RIG_MIXED, 200, "retry", 2, DELIVER_SENT, POSTERN_REJECTED,
	    STORE_SENT, 1 },
};

START_TEST(direct_answers_for_all_and_keeps_nothing)
{
	char routes[128];

	(void)snprintf(routes, sizeof(routes),
	    "  - {name: all, providers: [a, b], on_unknown: %s}\n",
	    direct[_i].unknown);
	rig_routes(routes);
	mode = CONFIG_MODE_DIRECT;
	recipients = direct[_i].recipients;
	rig.script[0] = SCRIPT(direct[_i].a);
	rig.script[1] = SCRIPT(direct[_i].b);
	run();
	ck_assert_int_eq(rig.verdict, direct[_i].verdict);
	if (direct[_i].result)
		ck_assert_int_eq(rig.result, direct[_i].result);
	ck_assert_int_eq(rig.durable[0].state, direct[_i].state);
	ck_assert_uint_eq(rig.call_count, direct[_i].calls);
	ck_assert(rig.is_volatile);
	struct store_stats stats;
	store_stats(rig.volatile_store, &stats);
	ck_assert_uint_eq(stats.messages, 0);
}
END_TEST

START_TEST(direct_defers_all_when_some_could_not_be_tried)
{
	/* Batches of 3: the first is sent, the second is not. */
	rig_routes("  - {name: all, providers: [c]}\n");
	mode = CONFIG_MODE_DIRECT;
	recipients = 5;
	rig.script[2] = SCRIPT(200, 503);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_DEFERRED);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 3);
	ck_assert_uint_eq(rig_count_state(STORE_DROPPED), 2);
}
END_TEST

START_TEST(direct_says_sent_when_only_some_are_refused_alone)
{
	mode = CONFIG_MODE_DIRECT;
	recipients = 3;
	rig.script[0] = SCRIPT(422, 200, 422, 200);
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
	ck_assert_int_eq(rig.durable[1].state, STORE_FAILED);
}
END_TEST

/* What no module can carry: hybrid says so, queued has it in the ledger. */
static const struct {
	enum config_mode mode;
	enum deliver_verdict verdict;
} uncarried[] = {
	{ CONFIG_MODE_HYBRID, DELIVER_REJECTED },
	{ CONFIG_MODE_QUEUED, DELIVER_QUEUED },
	{ CONFIG_MODE_DIRECT, DELIVER_REJECTED },
};

START_TEST(what_no_module_carries_fails_with_its_reason)
{
	rig_routes("  - {name: all, providers: [shy]}\n");
	mode = uncarried[_i].mode;
	recipients = 2;
	run();
	ck_assert_int_eq(rig.verdict, uncarried[_i].verdict);
	if (rig.verdict == DELIVER_REJECTED)
		ck_assert_str_eq(rig.reason, "this provider is too shy");
	ck_assert_uint_eq(rig_count_state(STORE_FAILED), 2);
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_str_eq(rig.last_row_reason, "this provider is too shy");
}
END_TEST

static bool goes_on; /* what abandoning said */

static bool abandon(void)
{
	goes_on = deliver_abandon(rig.deliver, &rig.submission);
	envelope_finish(&rig.envelope);
	return true;
}

static bool release_bad(void)
{
	rig_release(503);
	return true;
}

START_TEST(direct_stops_when_the_client_is_gone)
{
	static const rig_step steps[] = { submit, is_called, abandon,
		release_bad, rig_is_quiet, NULL };

	mode = CONFIG_MODE_DIRECT;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert(!rig.is_answered);
	ck_assert(!goes_on);
	ck_assert_uint_eq(rig.call_count, 1); /* b was not tried */
	ck_assert_int_eq(rig.durable[0].state, STORE_DROPPED);
}
END_TEST

START_TEST(hybrid_goes_on_when_the_client_is_gone)
{
	static const rig_step steps[] = { submit, is_called, abandon,
		release_bad, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert(!rig.is_answered);
	ck_assert(goes_on);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
}
END_TEST

START_TEST(abandoned_at_once_leaves_no_answer)
{
	static const rig_step steps[] = { submit, abandon, rig_is_quiet, NULL };

	if (_i == 1)
		rig_routes("  - {name: none, match: {user: [app], sender: "
			   "[z@z.example]}, providers: [a]}\n");
	rig_run(steps);
	ck_assert(!rig.is_answered);
	ck_assert_int_eq(goes_on, _i == 0); /* no route: refused */
}
END_TEST

/* --- given back: no verdict in time --- */

static bool is_given_back;

static bool withdraw(void)
{
	is_given_back = deliver_withdraw(rig.deliver, &rig.submission);
	envelope_finish(&rig.envelope);
	return true;
}

static bool is_durable(void)
{
	return rig.durable_count > 0;
}

/* The store had not answered; when it does, nothing may come of it. */
START_TEST(withdraws_what_is_not_stored_yet)
{
	static const rig_step steps[] = { submit, withdraw, is_durable,
		rig_is_quiet, NULL };
	static const enum config_mode modes[] = { CONFIG_MODE_HYBRID,
		CONFIG_MODE_QUEUED, CONFIG_MODE_DIRECT };

	mode = modes[_i];
	recipients = 3;
	rig_run(steps);
	ck_assert(is_given_back);
	ck_assert(!rig.is_answered);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_DROPPED), 3);
}
END_TEST

START_TEST(withdraws_what_the_store_then_fails_to_take)
{
	static const rig_step steps[] = { submit, withdraw, rig_is_quiet,
		NULL };

	rig.accept_done_rc = -EIO;
	rig_run(steps);
	ck_assert(is_given_back);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(keeps_what_is_stored)
{
	static const rig_step steps[] = { submit, is_called, withdraw,
		release_good, rig_is_quiet, NULL };

	mode = CONFIG_MODE_HYBRID;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert(!is_given_back);
	ck_assert(!rig.is_answered);
	ck_assert_int_eq(rig.durable[0].state, STORE_SENT);
}
END_TEST

START_TEST(direct_makes_its_last_call_when_withdrawn)
{
	static const rig_step steps[] = { submit, is_called, withdraw,
		release_bad, rig_is_quiet, NULL };

	mode = CONFIG_MODE_DIRECT;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert(is_given_back);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_int_eq(rig.durable[0].state, STORE_DROPPED);
}
END_TEST

START_TEST(holds_what_is_to_be_held)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		NULL };

	mode = _i ? CONFIG_MODE_QUEUED : CONFIG_MODE_HYBRID;
	recipients = 2;
	rig.hold_reason = "daily quota reached";
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_HELD), 2);
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_str_eq(rig.last_row_reason, "daily quota reached");
	ck_assert_uint_eq(rig.durable[0].attempts, 0);
}
END_TEST

/* Before anything is durable. */
static const struct {
	int rc, done_rc;
	enum deliver_verdict verdict;
} refusals[] = {
	{ -EBUSY, 0, DELIVER_FULL },
	{ -EIO, 0, DELIVER_STORE_ERROR },
	{ 0, -ENOSPC, DELIVER_FULL },
	{ 0, -EIO, DELIVER_STORE_ERROR },
	{ 0, -ECANCELED, DELIVER_STORE_ERROR },
};

START_TEST(nothing_leaves_that_is_not_stored)
{
	rig.accept_rc = refusals[_i].rc;
	rig.accept_done_rc = refusals[_i].done_rc;
	run();
	ck_assert_int_eq(rig.verdict, refusals[_i].verdict);
	ck_assert_uint_eq(rig.call_count, 0);
}
END_TEST

START_TEST(without_a_route_nothing_is_accepted)
{
	rig_routes("  - {name: r, match: {recipient: [rcpt0@x.example]}, "
		   "providers: [a]}\n");
	recipients = 2;
	run();
	ck_assert_int_eq(rig.verdict, DELIVER_NO_ROUTE);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig.durable_count, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/modes");
	TCase *t = tcase_create("modes");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, hybrid_passes_acceptance_on);
	tcase_add_test(t, hybrid_passes_refusal_on_and_keeps_nothing);
	tcase_add_test(t, a_refusal_without_words_is_a_sentence);
	tcase_add_test(t, a_long_refusal_is_cut_between_characters);
	tcase_add_test(t, hybrid_refuses_when_each_alone_is_refused);
	tcase_add_test(t, refusals_for_several_reasons_are_of_the_message);
	tcase_add_test(t, hybrid_says_queued_when_it_must_wait);
	tcase_add_test(t, hybrid_says_queued_when_recipients_differ);
	tcase_add_test(t, hybrid_waits_no_longer_than_the_budget);
	tcase_add_test(t, queued_does_not_wait_for_the_provider);
	tcase_add_test(t, a_flood_waits_in_the_store_not_in_memory);
	tcase_add_loop_test(t, direct_answers_for_all_and_keeps_nothing, 0,
	    sizeof(direct) / sizeof(direct[0]));
	tcase_add_test(t, direct_defers_all_when_some_could_not_be_tried);
	tcase_add_test(t, direct_says_sent_when_only_some_are_refused_alone);
	tcase_add_loop_test(t, what_no_module_carries_fails_with_its_reason, 0,
	    sizeof(uncarried) / sizeof(uncarried[0]));
	tcase_add_test(t, direct_stops_when_the_client_is_gone);
	tcase_add_test(t, hybrid_goes_on_when_the_client_is_gone);
	tcase_add_loop_test(t, abandoned_at_once_leaves_no_answer, 0, 2);
	tcase_add_loop_test(t, withdraws_what_is_not_stored_yet, 0, 3);
	tcase_add_test(t, withdraws_what_the_store_then_fails_to_take);
	tcase_add_test(t, keeps_what_is_stored);
	tcase_add_test(t, direct_makes_its_last_call_when_withdrawn);
	tcase_add_loop_test(t, holds_what_is_to_be_held, 0, 2);
	tcase_add_loop_test(t, nothing_leaves_that_is_not_stored, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(t, without_a_route_nothing_is_accepted);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
