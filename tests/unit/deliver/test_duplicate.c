/* A client sends again what we have: what it is told, and what becomes of it.
 */
#include "rig.h"

#include <support/unit.h>

#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })
#define DSN "dsn: {providers: [b], from: mailer-daemon@b.example}\n"

static enum config_mode mode;
static struct id first_id;
static char first_text[ID_TEXT_SIZE];

/* A second client, beside that of the rig. */
static struct {
	struct deliver_submission submission;
	struct envelope envelope;
	bool is_answered;
	enum deliver_verdict verdict;
	char first[ID_TEXT_SIZE], provider[64];
} other;

static void on_other(
    struct deliver_submission *s, const struct deliver_answer *a)
{
	(void)s;
	other.is_answered = true;
	other.verdict = a->verdict;
	(void)snprintf(
	    other.first, sizeof(other.first), "%s", a->first ? a->first : "");
	(void)snprintf(
	    other.provider, sizeof(other.provider), "%s", a->provider);
	envelope_finish(&other.envelope);
}

/* The recipients in another order than the rig's. */
static void add_recipients(size_t count)
{
	for (size_t i = count; i-- > 0;) {
		char address[64];

		(void)snprintf(
		    address, sizeof(address), "rcpt%zu@x.example", i);
		ck_assert_int_eq(envelope_add_recipient(&other.envelope,
				     &(struct envelope_recipient){
					 .address = span_of(address) }),
		    0);
	}
}

static void submit_other(size_t recipients)
{
	memset(&other, 0, sizeof(other));
	envelope_init(&other.envelope);
	other.envelope.sender = SPAN("a@b.example");
	other.envelope.user = SPAN("app");
	add_recipients(recipients);
	other.submission = (struct deliver_submission){ .id = id_make(),
		.envelope = &other.envelope,
		.message = rig_message(100),
		.mode = mode,
		.has_message_id = true,
		.on_answer = on_other };
	/* The rig watches one message: the first until it is over. */
	if (rig_is_waiting())
		rig.id = other.submission.id;
	deliver_submit(rig.deliver, &other.submission);
}

static bool again(void)
{
	submit_other(2);
	return true;
}

static bool to_others(void)
{
	submit_other(1);
	return true;
}

static bool other_answered(void)
{
	return other.is_answered;
}

static bool submit(void)
{
	rig_submit(mode, 2, 100);
	first_id = rig.id;
	id_format(first_id, first_text);
	return true;
}

static bool is_called(void)
{
	return rig.call_count > 0;
}

static bool is_called_twice(void)
{
	return rig.call_count > 1;
}

static bool release_good(void)
{
	rig_release(200);
	return true;
}

static bool refuse(void)
{
	rig_release(400);
	return true;
}

static void prepare(int policy)
{
	rig_routes("  - {name: all, providers: [a]}\n" DSN);
	rig.config->duplicates.policy = policy;
	rig.message_id = "<1@b.example>";
	mode = CONFIG_MODE_HYBRID;
}

static uint64_t counted(enum counter_duplicate action)
{
	return counter_get(&rig.counters.duplicates[action]);
}

static const rig_step one_then_another[] = { submit, rig_answered, rig_is_quiet,
	again, other_answered, rig_is_quiet, NULL };

START_TEST(is_sent_and_counted)
{
	prepare(CONFIG_DUPLICATES_LOG);
	rig_run(one_then_another);
	ck_assert_int_eq(other.verdict, DELIVER_SENT);
	ck_assert_str_eq(other.first, "");
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(counted(COUNTER_DUPLICATE_LOGGED), 1);
	ck_assert_uint_eq(counted(COUNTER_DUPLICATE_DROPPED), 0);
}
END_TEST

START_TEST(is_not_looked_for)
{
	prepare(CONFIG_DUPLICATES_OFF);
	rig_run(one_then_another);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(counted(COUNTER_DUPLICATE_LOGGED), 0);
}
END_TEST

START_TEST(is_answered_as_the_first_one)
{
	prepare(CONFIG_DUPLICATES_DROP);
	rig_run(one_then_another);
	ck_assert_int_eq(other.verdict, DELIVER_SENT);
	ck_assert_str_eq(other.first, first_text);
	ck_assert_str_eq(other.provider, "a");
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(counted(COUNTER_DUPLICATE_DROPPED), 1);
}
END_TEST

START_TEST(a_user_decides_for_itself)
{
	prepare(CONFIG_DUPLICATES_DROP);
	((struct config_user *)rig.config->users.items)->duplicates =
	    CONFIG_DUPLICATES_LOG;
	rig_run(one_then_another);
	ck_assert_uint_eq(rig.call_count, 2);
	ck_assert_uint_eq(counted(COUNTER_DUPLICATE_LOGGED), 1);
}
END_TEST

START_TEST(other_recipients_make_another_message)
{
	static const rig_step steps[] = { submit, rig_answered, rig_is_quiet,
		to_others, other_answered, rig_is_quiet, NULL };

	prepare(CONFIG_DUPLICATES_DROP);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 2);
}
END_TEST

START_TEST(what_the_client_was_refused_it_may_send_again)
{
	prepare(CONFIG_DUPLICATES_DROP);
	rig.script[0] = SCRIPT(400, 200);
	rig_run(one_then_another);
	ck_assert_int_eq(rig.verdict, DELIVER_REJECTED);
	ck_assert_int_eq(other.verdict, DELIVER_SENT);
	ck_assert_uint_eq(rig.call_count, 2);
}
END_TEST

/*
 * The second client was told 250 for the first one's sake: it is not refused
 * any more, and who sent it hears of the failure.
 */
START_TEST(the_first_one_is_not_refused_behind_its_back)
{
	static const rig_step steps[] = { submit, is_called, again,
		other_answered, refuse, rig_answered, rig_is_quiet, NULL };

	prepare(CONFIG_DUPLICATES_DROP);
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_int_eq(other.verdict, DELIVER_QUEUED);
	ck_assert_str_eq(other.first, first_text);
	ck_assert_int_eq(rig.verdict, DELIVER_QUEUED);
	ck_assert_uint_eq(rig.report_count, 1);
	ck_assert_uint_eq(rig_count_state(STORE_BOUNCED), 2);
}
END_TEST

static bool give_up_first(void)
{
	submit();
	submit_other(2);
	ck_assert(deliver_withdraw(rig.deliver, &rig.submission));
	envelope_finish(&rig.envelope);
	return true;
}

START_TEST(the_first_one_is_not_given_back_either)
{
	static const rig_step steps[] = { give_up_first, other_answered,
		rig_is_quiet, NULL };

	prepare(CONFIG_DUPLICATES_DROP);
	rig_run(steps);
	ck_assert_int_eq(other.verdict, DELIVER_QUEUED);
	ck_assert_str_eq(other.first, first_text);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
}
END_TEST

START_TEST(direct_waits_for_the_verdict_of_the_first)
{
	static const rig_step steps[] = { submit, is_called, again,
		is_called_twice, release_good, rig_answered, other_answered,
		rig_is_quiet, NULL };

	prepare(CONFIG_DUPLICATES_DROP);
	mode = CONFIG_MODE_DIRECT;
	rig.script[0] = SCRIPT(RIG_STUCK);
	rig_run(steps);
	ck_assert_str_eq(other.first, "");
}
END_TEST

START_TEST(direct_drops_what_was_sent)
{
	prepare(CONFIG_DUPLICATES_DROP);
	mode = CONFIG_MODE_DIRECT;
	rig_run(one_then_another);
	ck_assert_int_eq(other.verdict, DELIVER_SENT);
	ck_assert_str_eq(other.first, first_text);
	ck_assert_uint_eq(rig.call_count, 1);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { is_sent_and_counted, is_not_looked_for,
		is_answered_as_the_first_one, a_user_decides_for_itself,
		other_recipients_make_another_message,
		what_the_client_was_refused_it_may_send_again,
		the_first_one_is_not_refused_behind_its_back,
		the_first_one_is_not_given_back_either,
		direct_waits_for_the_verdict_of_the_first,
		direct_drops_what_was_sent };
	Suite *s = suite_create("deliver.duplicate");
	TCase *tc = tcase_create("duplicate");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
