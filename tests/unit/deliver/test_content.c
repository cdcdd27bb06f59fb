/* How much may be taken apart at a time. */
#include "rig.h"

#include <support/unit.h>

#include <deliver/deliver_internal.h>
#include <mail/mime.h>

enum {
	COUNT = 3,
	MANY = 40, /* more than go on in one turn of the loop, twice */
	MAX = 1000 * 1000,
	LARGE = 700 * 1000, /* two are too much */
	SMALL = 1000
};

static struct deliver_submission submissions[MANY];
static struct envelope envelopes[MANY];
static size_t answers, sent;
static size_t count, body_size;

static void on_answer(
    struct deliver_submission *s, const struct deliver_answer *a)
{
	(void)s;
	answers++;
	sent += a->verdict == DELIVER_SENT;
}

static void submit(size_t i, size_t size)
{
	struct envelope *e = &envelopes[i];

	envelope_init(e);
	e->sender = SPAN("a@b.example");
	e->user = SPAN("app");
	ck_assert_int_eq(
	    envelope_add_recipient(e,
		&(struct envelope_recipient){ .address = SPAN("c@d.example") }),
	    0);
	submissions[i] = (struct deliver_submission){ .id = id_make(),
		.envelope = e,
		.message = rig_message(size),
		.mode = CONFIG_MODE_DIRECT,
		.on_answer = on_answer };
	deliver_submit(rig.deliver, &submissions[i]);
}

static bool submit_all(void)
{
	for (size_t i = 0; i < count; i++)
		submit(i, body_size);
	return true;
}

static bool submit_small_behind_large(void)
{
	for (size_t i = 0; i < count; i++)
		submit(i, i == 0 ? LARGE : SMALL);
	return true;
}

static bool is_one_called(void)
{
	return rig.open_calls == 1;
}

static bool are_all_called(void)
{
	return rig.open_calls == count;
}

static bool release_until_answered(void)
{
	rig_release(200);
	return answers == count;
}

/* Those that wait have no mark to lose: the client comes again. */
static bool abandon_all(void)
{
	for (size_t i = 0; i < COUNT; i++)
		ck_assert(!deliver_abandon(rig.deliver, &submissions[i]));
	return true;
}

static bool release(void)
{
	rig_release(200);
	return true;
}

static void setup(void)
{
	static const int stuck[] = { RIG_STUCK, 0 };

	mime_library_init();
	rig_setup();
	rig_routes("  - {name: all, providers: [e]}\n");
	rig.script[4] = stuck;
	rig.deliver->content_max = MAX;
	answers = sent = 0;
	count = COUNT;
	body_size = LARGE;
}

static void teardown(void)
{
	for (size_t i = 0; i < count; i++)
		envelope_finish(&envelopes[i]);
	rig_teardown();
}

START_TEST(large_messages_are_taken_apart_in_turn)
{
	static const rig_step steps[] = { submit_all, is_one_called,
		release_until_answered, NULL };

	rig_run(steps);
	ck_assert_uint_eq(rig.most_open_calls, 1);
	ck_assert_uint_eq(rig.call_count, COUNT);
	ck_assert_uint_eq(sent, COUNT);
}
END_TEST

static bool do_others_wait(void)
{
	return !list_is_empty(&rig.deliver->content_queue);
}

/* All three fit, but for what may become of them. */
START_TEST(what_a_text_may_become_counts)
{
	static const rig_step steps[] = { submit_all, is_one_called,
		do_others_wait, release_until_answered, NULL };

	body_size = MAX / 7;
	rig_run(steps);
	ck_assert_uint_eq(rig.most_open_calls, 1);
	ck_assert_uint_eq(sent, COUNT);
}
END_TEST

static bool make_room(void)
{
	rig.deliver->content_max = UINT64_MAX;
	attempt_wake(rig.deliver);
	ck_assert_uint_gt(rig.open_calls, 1);
	ck_assert_uint_lt(rig.open_calls, MANY / 2);
	return true;
}

START_TEST(those_who_waited_go_on_some_at_a_time)
{
	static const rig_step steps[] = { submit_small_behind_large,
		is_one_called, make_room, are_all_called,
		release_until_answered, NULL };

	count = MANY;
	rig.deliver->content_max = 0;
	rig_run(steps);
	ck_assert_uint_eq(sent, MANY);
}
END_TEST

/* A file stays where it is: once it is counted, the next may come. */
START_TEST(what_is_attached_keeps_nobody_waiting)
{
	static const rig_step steps[] = { submit_all, are_all_called,
		release_until_answered, NULL };

	rig.content_type = "application/octet-stream";
	rig.deliver->content_max = (uint64_t)10 * LARGE;
	rig_run(steps);
	ck_assert_uint_eq(sent, COUNT);
	ck_assert_uint_eq(rig.deliver->content_bytes, 0);
}
END_TEST

START_TEST(small_ones_all_at_once)
{
	static const rig_step steps[] = { submit_all, are_all_called,
		release_until_answered, NULL };

	body_size = SMALL;
	rig_run(steps);
	ck_assert_uint_eq(sent, COUNT);
}
END_TEST

START_TEST(whose_client_left_while_it_waited_is_not_sent)
{
	static const rig_step steps[] = { submit_all, is_one_called,
		abandon_all, release, rig_is_waiting, NULL };

	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
}
END_TEST

static struct loop_timer release_timer;

static void on_release(struct loop_timer *t)
{
	(void)t;
	ck_assert_uint_eq(answers, COUNT - 1);
	rig_release(200);
}

static bool release_soon(void)
{
	loop_timer_init(&release_timer, on_release);
	loop_timer_start(rig.loop, &release_timer, 50);
	return true;
}

START_TEST(a_drain_sends_back_what_waits)
{
	static const rig_step steps[] = { submit_all, is_one_called,
		release_soon, NULL };

	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(answers, COUNT);
	ck_assert_uint_eq(sent, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/content");
	TCase *t = tcase_create("content");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, large_messages_are_taken_apart_in_turn);
	tcase_add_test(t, what_a_text_may_become_counts);
	tcase_add_test(t, those_who_waited_go_on_some_at_a_time);
	tcase_add_test(t, what_is_attached_keeps_nobody_waiting);
	tcase_add_test(t, small_ones_all_at_once);
	tcase_add_test(t, whose_client_left_while_it_waited_is_not_sent);
	tcase_add_test(t, a_drain_sends_back_what_waits);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
