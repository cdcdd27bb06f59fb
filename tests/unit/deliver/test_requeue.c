/* What failed, sent after all: to whom, as what, and for how long. */
#include "../store/fixture.h"
#include "rig.h"

#include <deliver/deliver_internal.h>
#include <deliver/operate.h>

#include <errno.h>
#include <string.h>

#include <base/clock.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

enum {
	HOUR_MS = 3600 * 1000
};

static struct fix fix;
static struct deliver_operation op;
static bool is_done;

static void setup(void)
{
	fix_init(&fix, STORE_SQLITE);
	fix.settings.dead_ms = HOUR_MS;
	fix.settings.dead_bytes = 1 << 30;
	fix_open(&fix, NULL);
	rig_setup();
	rig_routes("  - {name: all, providers: [a]}\n");
	store_close(rig.store);
	rig.store = rig.deliver->services.store = fix.store;
	fix.store = NULL; /* the rig closes it */
	op = (struct deliver_operation){ .action = DELIVER_REQUEUE,
		.note = "operator: requeue" };
	is_done = false;
}

static void teardown(void)
{
	rig_teardown();
	fix_finish(&fix);
}

static bool submit(void)
{
	rig_submit(CONFIG_MODE_QUEUED, 3, 100);
	return true;
}

static bool submit_hybrid(void)
{
	rig_submit(CONFIG_MODE_HYBRID, 1, 100);
	return true;
}

static void on_done(struct deliver_operation *o)
{
	ck_assert_ptr_eq(o, &op);
	is_done = true;
}

static bool operate(void)
{
	op.id = rig.id;
	op.done = on_done;
	deliver_operate(rig.deliver, &op);
	return true;
}

static bool done(void)
{
	return is_done;
}

START_TEST(only_who_did_not_get_it_does_now)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		operate, done, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(RIG_MIXED, 200);
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(op.changed, 1);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(rig.calls[0].recipients, 3);
	ck_assert_uint_eq(rig.calls[1].recipients, 1);
	ck_assert_str_eq(rig.calls[1].first, "rcpt1@x.example");
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 3);
	ck_assert_uint_eq(rig.durable[1].attempts, 1);
	ck_assert_uint_eq(rig.durable[1].key_turn, 1);
}
END_TEST

/* Far too old, had it not been let go anew. */
static bool put_old(void)
{
	struct store_recipient to = { .address = SPAN("rcpt0@x.example") };

	rig_store(&to, 1, clock_wall_ms() - 1000 * (int64_t)HOUR_MS);
	return true;
}

static bool has_failed(void)
{
	return rig.durable_count > 0 && rig_is_quiet() &&
	       rig_count_state(STORE_FAILED) == 1;
}

START_TEST(its_age_counts_anew)
{
	static const rig_step steps[] = { put_old, has_failed, operate, done,
		rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(503, 503, 503, 200);
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_uint_eq(rig.call_count, 4);
	ck_assert_str_ne(rig.calls[0].key, rig.calls[1].key);
	ck_assert_str_eq(rig.calls[1].key, rig.calls[3].key);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
	ck_assert_uint_eq(rig.durable[0].attempts, 3);
}
END_TEST

static bool put_owing(void)
{
	struct store_recipient to = { .address = SPAN("rcpt0@x.example"),
		.state = STORE_FAILED,
		.attempts = 1,
		.owes_event = true };

	rig_store(&to, 1, 0);
	/* The event cannot be stored for now. */
	rig.accept_done_rc = -EIO;
	return true;
}

static bool is_postponed(void)
{
	return rig.faults == 1 && rig_is_waiting();
}

static bool operate_again(void)
{
	ck_assert_int_eq(op.result, -EBUSY);
	ck_assert_uint_eq(op.changed, 0);
	is_done = false;
	deliver_schedule(rig.deliver, rig.id, 0, 0);
	return true;
}

static bool is_told(void)
{
	return rig.event_count == 1 && rig_is_quiet();
}

START_TEST(who_is_still_to_be_told_of_the_failure_is_told_first)
{
	static const rig_step steps[] = { put_owing, is_postponed, operate,
		done, operate_again, is_told, operate, done, rig_is_quiet,
		NULL };

	rig_routes("  - {name: all, providers: [a]}\nwebhook: {mark: g}\n");
	rig_run(steps);
	ck_assert_int_eq(op.result, 0);
	ck_assert_ptr_nonnull(strstr(rig.events[0], "message.failed"));
	ck_assert_ptr_nonnull(strstr(rig.events[1], "message.sent"));
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 1);
}
END_TEST

/* More often than a byte counts. */
static unsigned times;

static bool operate_often(void)
{
	if (times > 0 && (!is_done || !rig_is_quiet()))
		return false;
	is_done = false;
	return times++ == 257 || !operate();
}

START_TEST(no_key_comes_back)
{
	static const rig_step steps[] = { put_old, has_failed, operate_often,
		NULL };

	times = 0;
	rig.script[0] = SCRIPT(400);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 258);
	for (size_t i = 1; i < rig.call_count; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(rig.calls[i].key, rig.calls[k].key);
}
END_TEST

START_TEST(what_is_not_kept_is_refused)
{
	static const rig_step steps[] = { submit_hybrid, rig_answered,
		rig_is_quiet, operate, done, rig_is_quiet, NULL };

	rig.script[0] = SCRIPT(400);
	rig_run(steps);
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_int_eq(op.result, -ENODATA);
	ck_assert_uint_eq(rig.call_count, 1);
}
END_TEST

START_TEST(what_was_sent_is_refused)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		operate, done, rig_is_quiet, NULL };

	rig_run(steps);
	ck_assert_int_eq(op.result, -EALREADY);
	ck_assert_uint_eq(rig.call_count, 1);
}
END_TEST

static bool nothing(void)
{
	rig.id = id_make();
	return true;
}

START_TEST(what_is_unknown_is_refused)
{
	static const rig_step steps[] = { nothing, operate, done, NULL };

	rig_run(steps);
	ck_assert_int_eq(op.result, -ENOENT);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { only_who_did_not_get_it_does_now,
		its_age_counts_anew,
		who_is_still_to_be_told_of_the_failure_is_told_first,
		no_key_comes_back, what_is_not_kept_is_refused,
		what_was_sent_is_refused, what_is_unknown_is_refused };
	Suite *s = suite_create("deliver.requeue");
	TCase *tc = tcase_create("requeue");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
