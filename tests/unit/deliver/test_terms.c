/* What MAIL asked for beyond the sender: kept, and obeyed. */
#include "rig.h"

#include <support/unit.h>

#include <base/clock.h>
#include <postern/provider.h>

#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

enum {
	HOUR_MS = 3600 * 1000
};

static enum config_mode mode;

static bool submit(void)
{
	rig_submit(mode, 1, 100);
	return true;
}

static bool is_sent(void)
{
	return rig_count_state(STORE_SENT) == rig.durable_count &&
	       rig_is_quiet();
}

/* --- FUTURERELEASE --- */

START_TEST(later_is_queued_in_any_mode)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_waiting,
		NULL };
	static const enum config_mode modes[] = { CONFIG_MODE_HYBRID,
		CONFIG_MODE_QUEUED, CONFIG_MODE_DIRECT };

	rig_setup();
	mode = modes[_i];
	rig.terms.release_ms = clock_wall_ms() + HOUR_MS;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert(!rig.is_volatile);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 1);
	ck_assert_int_eq(rig.durable[0].due_ms, rig.terms.release_ms);
	rig_teardown();
}
END_TEST

START_TEST(leaves_when_its_time_has_come)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent, NULL };

	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	rig.terms.release_ms = clock_wall_ms() + 50;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_int_ge(clock_wall_ms(), rig.terms.release_ms);
	rig_teardown();
}
END_TEST

START_TEST(a_time_that_is_over_changes_nothing)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent, NULL };

	rig_setup();
	mode = CONFIG_MODE_HYBRID;
	rig.terms.release_ms = clock_wall_ms() - 1;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_teardown();
}
END_TEST

static const struct store_recipient waiting = { .address = {
						    "r@x.example", 11 } };
static int64_t created_ms;

static bool put(void)
{
	rig_store(&waiting, 1, created_ms);
	return true;
}

static bool is_tried(void)
{
	return rig.rows > 0 && rig_is_waiting();
}

START_TEST(its_age_counts_from_the_release)
{
	static const rig_step steps[] = { put, is_tried, NULL };

	rig_setup();
	rig.script[0] = rig.script[1] = SCRIPT(503);
	rig.config->queue.retry_base_ms = rig.config->queue.retry_cap_ms =
	    HOUR_MS;
	rig.config->queue.max_age_ms = 10 * HOUR_MS;
	created_ms = clock_wall_ms() - 1000 * INT64_C(3600000);
	rig.terms.release_ms = _i ? clock_wall_ms() - HOUR_MS : 0;
	rig_run(steps);
	ck_assert_uint_eq(
	    rig_count_state(_i ? STORE_PENDING : STORE_FAILED), 1);
	rig_teardown();
}
END_TEST

/* --- SMTPUTF8 --- */

#define UTF8_SENDER "\xc3\xa9@b.example"

static const struct {
	const char *sender; /* NULL: an ASCII one */
	bool is_utf8;
	const char *routes;
	enum deliver_verdict verdict;
	const char *by;
} unicode[] = {
	{ UTF8_SENDER, true, "  - {name: all, providers: [a, d, b]}\n",
	    DELIVER_SENT, "d" },
	{ NULL, true, "  - {name: all, providers: [a, d]}\n", DELIVER_SENT,
	    "a" },
	{ UTF8_SENDER, false, "  - {name: all, providers: [a, d]}\n",
	    DELIVER_SENT, "a" },
	{ UTF8_SENDER, true, "  - {name: all, providers: [a, b]}\n",
	    DELIVER_NO_UTF8, "" },
};

START_TEST(utf8_goes_by_who_can_carry_it)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		NULL };

	rig_setup();
	rig_routes(unicode[_i].routes);
	mode = CONFIG_MODE_HYBRID;
	rig.sender = unicode[_i].sender;
	rig.terms.is_utf8 = unicode[_i].is_utf8;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, unicode[_i].verdict);
	ck_assert_str_eq(rig.provider, unicode[_i].by);
	rig_teardown();
}
END_TEST

START_TEST(utf8_fails_over_to_none_that_cannot)
{
	static const rig_step steps[] = { submit, rig_answered, is_tried,
		NULL };

	rig_setup();
	rig_routes("  - {name: all, providers: [a, d, c]}\n");
	rig.script[3] = SCRIPT(503);
	rig.config->queue.retry_base_ms = rig.config->queue.retry_cap_ms =
	    HOUR_MS;
	mode = CONFIG_MODE_HYBRID;
	rig.sender = UTF8_SENDER;
	rig.terms.is_utf8 = true;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_str_eq(rig.calls[0].provider, "d");
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 1);
	rig_teardown();
}
END_TEST

static bool put_utf8(void)
{
	static const struct store_recipient to = {
		.address = { "\xc3\xa9@x.example", 12 }
	};

	rig_store(&to, 1, 0);
	return true;
}

static bool is_postponed(void)
{
	return rig.durable_count > 0 && rig_is_waiting() &&
	       counter_get(&rig.counters.scheduled) > 0;
}

/* A reload may take away who could carry it: the mail waits for another. */
START_TEST(utf8_waits_when_nobody_carries_it_any_more)
{
	static const rig_step steps[] = { put_utf8, is_postponed, NULL };

	rig_setup();
	rig.config->queue.retry_cap_ms = HOUR_MS;
	rig.terms.is_utf8 = true;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 1);
	rig_teardown();
}
END_TEST

/* --- what the message holds --- */

#define SIGNED POSTERN_CARRIES_SIGNED
#define DKIM POSTERN_CARRIES_DKIM

static const struct {
	unsigned traits;
	const char *routes;
	size_t recipients;
	enum deliver_verdict verdict;
	const char *by;
	unsigned missing;
	size_t lacking;
} contents[] = {
	{ SIGNED, "  - {name: all, providers: [a, d, b]}\n", 1, DELIVER_SENT,
	    "d", 0, 0 },
	{ 0, "  - {name: all, providers: [a, d]}\n", 1, DELIVER_SENT, "a", 0,
	    0 },
	{ SIGNED, "  - {name: all, providers: [a, b]}\n", 2, DELIVER_NO_CARRIER,
	    "", SIGNED, 0 },
	{ SIGNED | DKIM, "  - {name: all, providers: [a, d]}\n", 1,
	    DELIVER_NO_CARRIER, "", DKIM, 0 },
	/* One of two can be served: there is one reply for both. */
	{ SIGNED,
	    "  - {name: one, match: {recipient: rcpt0@x.example},"
	    " providers: [d]}\n"
	    "  - {name: two, providers: [a]}\n",
	    2, DELIVER_NO_CARRIER, "", SIGNED, 1 },
};

static size_t content;

static bool submit_content(void)
{
	rig_submit(mode, contents[content].recipients, 100);
	return true;
}

START_TEST(content_goes_by_who_can_carry_it)
{
	static const rig_step steps[] = { submit_content, rig_answered,
		rig_is_quiet, NULL };
	static const enum config_mode modes[] = { CONFIG_MODE_HYBRID,
		CONFIG_MODE_QUEUED, CONFIG_MODE_DIRECT };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool is_taken;

		rig_setup();
		rig_routes(contents[_i].routes);
		content = (size_t)_i;
		mode = modes[i];
		rig.traits = contents[_i].traits;
		rig_run(steps);
		is_taken = contents[_i].verdict == DELIVER_SENT;
		if (is_taken && mode == CONFIG_MODE_QUEUED)
			ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
		else
			ck_assert_int_eq(rig.verdict, contents[_i].verdict);
		ck_assert_uint_eq(rig.missing, contents[_i].missing);
		ck_assert_uint_eq(rig.lacking, contents[_i].lacking);
		ck_assert_uint_eq(rig.call_count, is_taken ? 1 : 0);
		if (is_taken)
			ck_assert_str_eq(
			    rig.calls[0].provider, contents[_i].by);
		else /* nothing of it is kept */
			ck_assert_uint_eq(rig.durable_count, 0);
		rig_teardown();
	}
}
END_TEST

/* allow_altering: the operator prefers damage. */
START_TEST(goes_by_who_may_damage_it)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		NULL };
	struct config_provider *providers;

	rig_setup();
	providers = rig.config->providers.items;
	providers[1].carries |= SIGNED;
	mode = CONFIG_MODE_HYBRID;
	rig.traits = SIGNED;
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	ck_assert_str_eq(rig.provider, "b");
	rig_teardown();
}
END_TEST

static bool put_signed(void)
{
	rig.traits = SIGNED;
	rig_store(&waiting, 1, 0);
	return true;
}

/* As with SMTPUTF8: a reload took away who could carry it. */
START_TEST(waits_when_nobody_carries_it_any_more)
{
	static const rig_step steps[] = { put_signed, is_postponed, NULL };

	rig_setup();
	rig.config->queue.retry_cap_ms = HOUR_MS;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	ck_assert_uint_eq(rig_count_state(STORE_PENDING), 1);
	rig_teardown();
}
END_TEST

static bool put_old_signed(void)
{
	rig.traits = SIGNED;
	rig_store(&waiting, 1, clock_wall_ms() - 1000 * INT64_C(3600000));
	return true;
}

static bool is_held(void)
{
	return rig_count_state(STORE_HELD) == 1;
}

START_TEST(is_held_when_nobody_carried_it_in_time)
{
	static const rig_step steps[] = { put_old_signed, is_held, NULL };

	rig_setup();
	rig.config->queue.max_age_ms = HOUR_MS;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 0);
	rig_teardown();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/terms");
	TCase *t = tcase_create("release");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, later_is_queued_in_any_mode, 0, 3);
	tcase_add_test(t, leaves_when_its_time_has_come);
	tcase_add_test(t, a_time_that_is_over_changes_nothing);
	tcase_add_loop_test(t, its_age_counts_from_the_release, 0, 2);
	tcase_add_loop_test(t, utf8_goes_by_who_can_carry_it, 0,
	    sizeof(unicode) / sizeof(unicode[0]));
	tcase_add_test(t, utf8_fails_over_to_none_that_cannot);
	tcase_add_test(t, utf8_waits_when_nobody_carries_it_any_more);
	tcase_add_loop_test(t, content_goes_by_who_can_carry_it, 0,
	    sizeof(contents) / sizeof(contents[0]));
	tcase_add_test(t, goes_by_who_may_damage_it);
	tcase_add_test(t, waits_when_nobody_carries_it_any_more);
	tcase_add_test(t, is_held_when_nobody_carried_it_in_time);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
