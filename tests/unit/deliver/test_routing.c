/* Rules that look at the message, and the order of providers it gets. */
#include "rig.h"

#include <support/unit.h>

#include <string.h>

#define SCRIPT(...) ((const int[]){ __VA_ARGS__, 0 })

static size_t recipients;
static size_t body_size;

static bool submit(void)
{
	rig_submit(CONFIG_MODE_HYBRID, recipients, body_size);
	return true;
}

static const rig_step to_the_end[] = { submit, rig_answered, rig_is_quiet,
	NULL };

static void setup(void)
{
	rig_setup();
	recipients = 1;
	body_size = 100;
}

static const char by_size[] =
    "  - {name: large, match: {min_size: 5000}, providers: [b]}\n"
    "  - {name: small, match: {max_size: 4999}, providers: [a]}\n";

START_TEST(a_small_message_goes_by_its_size)
{
	rig_routes(by_size);
	rig_run(to_the_end);
	rig_assert_calls("a");
}
END_TEST

START_TEST(a_large_message_goes_by_its_size)
{
	body_size = 6000;
	rig_routes(by_size);
	rig_run(to_the_end);
	rig_assert_calls("b");
}
END_TEST

START_TEST(a_header_field_decides)
{
	rig_routes("  - {name: no, match: {header: \"Bcc\"}, providers: [a]}\n"
		   "  - {name: yes, match: {header: \"from: *@b.*\"}, "
		   "providers: [b]}\n"
		   "  - {name: rest, providers: [c]}\n");
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_SENT);
	rig_assert_calls("b");
}
END_TEST

START_TEST(what_no_rule_of_the_message_fits_has_no_route)
{
	rig_routes("  - {name: large, match: {min_size: 5000}, "
		   "providers: [a]}\n");
	rig_run(to_the_end);
	ck_assert_int_eq(rig.verdict, DELIVER_NO_ROUTE);
}
END_TEST

static bool put(void)
{
	static const struct store_recipient r = {
		.address = { "rcpt0@x.example", 15 }, .state = STORE_PENDING
	};

	rig_store(&r, 1, 0);
	return true;
}

static bool is_sent(void)
{
	return rig.durable_count == 1 && rig.durable[0].state == STORE_SENT;
}

START_TEST(one_from_the_store_is_looked_at_again)
{
	static const rig_step steps[] = { put, is_sent, rig_is_quiet, NULL };

	rig_routes(
	    "  - {name: large, match: {min_size: 5000}, providers: [a]}\n"
	    "  - {name: yes, match: {header: From}, providers: [b]}\n");
	rig_run(steps);
	rig_assert_calls("b");
}
END_TEST

START_TEST(all_weight_on_one_makes_it_the_first)
{
	rig.script[1] = SCRIPT(503, 200);
	rig_routes("  - {name: all, strategy: weighted, weights: [0, 1], "
		   "providers: [a, b]}\n");
	rig_run(to_the_end);
	/* And the one without is there when the first fails. */
	rig_assert_calls("ba");
}
END_TEST

static const char weighted[] =
    "  - {name: all, strategy: weighted, providers: [a, b, c]}\n";

START_TEST(all_recipients_have_the_same_order)
{
	recipients = 120; /* several calls, whoever is drawn */
	rig.script[0] = rig.script[1] = rig.script[2] = SCRIPT(200);
	rig_routes(weighted);
	rig_run(to_the_end);
	ck_assert_uint_ge(rig.call_count, 3);
	for (size_t i = 1; i < rig.call_count; i++)
		ck_assert_str_eq(rig.calls[i].provider, rig.calls[0].provider);
}
END_TEST

START_TEST(a_retry_keeps_the_order)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent,
		rig_is_quiet, NULL };

	rig.script[0] = rig.script[1] = rig.script[2] = SCRIPT(503, 503, 200);
	rig_routes(weighted);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 7);
	for (size_t i = 3; i < 7; i++)
		ck_assert_str_eq(
		    rig.calls[i].provider, rig.calls[i - 3].provider);
}
END_TEST

START_TEST(an_unknown_outcome_stays_where_it_was)
{
	static const rig_step steps[] = { submit, rig_answered, is_sent,
		rig_is_quiet, NULL };

	rig.script[0] = rig.script[1] = rig.script[2] =
	    SCRIPT(RIG_UNANSWERED, 503, 200);
	rig_routes(weighted);
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 3);
	for (size_t i = 1; i < 3; i++)
		ck_assert_str_eq(rig.calls[i].provider, rig.calls[0].provider);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/routing");
	TCase *t = tcase_create("routing");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, a_small_message_goes_by_its_size);
	tcase_add_test(t, a_large_message_goes_by_its_size);
	tcase_add_test(t, a_header_field_decides);
	tcase_add_test(t, what_no_rule_of_the_message_fits_has_no_route);
	tcase_add_test(t, one_from_the_store_is_looked_at_again);
	tcase_add_test(t, all_weight_on_one_makes_it_the_first);
	tcase_add_test(t, all_recipients_have_the_same_order);
	tcase_add_test(t, a_retry_keeps_the_order);
	tcase_add_test(t, an_unknown_outcome_stays_where_it_was);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
