/* Events as receivers see them. */
#include <deliver/event_text.h>

#include <support/unit.h>

#include <stdio.h>
#include <string.h>

static const struct event_recipient recipients[] = {
	{ .address = { "ann@dest.example", 16 },
	    .state = "bounced",
	    .attempts = 2,
	    .provider = { "ses", 3 },
	    .provider_id = { "", 0 },
	    .result = "rejected",
	    .status = 400,
	    .enhanced_status = "5.6.0",
	    .reason = { "ses answered 400: \"no\"\\ \xff", 25 },
	    .at_ms = INT64_C(1800000001000) },
	{ .address = { "bob@dest.example", 16 },
	    .state = "failed",
	    .provider = { "", 0 },
	    .provider_id = { "", 0 },
	    .enhanced_status = "4.4.7",
	    .reason = { "", 0 },
	    .next_ms = INT64_C(1800000002000) },
};

static struct event make(size_t count)
{
	return (struct event){ .type = EVENT_FAILED,
		.id = "06f0000000000000000000000e",
		.queue_id = "06f0000000000000000000000m",
		.message_id = SPAN("1@shop.example"),
		.user = SPAN("\xc3\xa4pp"),
		.sender = SPAN("orders@shop.example"),
		.created_ms = INT64_C(1800000000000),
		.now_ms = INT64_C(1800000001234),
		.recipient_total = 5,
		.recipients = recipients,
		.recipient_count = count };
}

static void check(const struct event *e, const char *wanted)
{
	struct message *m = NULL;
	char text[2048];

	ck_assert_int_eq(event_compose(e, &m), 0);
	ck_assert(span_eq(
	    message_header(m), SPAN("Content-Type: application/json\r\n\r\n")));
	(void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(message_body(m)));
	ck_assert_str_eq(text, wanted);
	message_unref(m);
}

START_TEST(has_the_names_of_the_ledger)
{
	struct event e = make(2);

	check(&e,
	    "{\"type\":\"message.failed\","
	    "\"timestamp\":\"2027-01-15T08:00:01.234Z\","
	    "\"schema_version\":1,\"id\":\"06f0000000000000000000000e\","
	    "\"data\":{\"queue_id\":\"06f0000000000000000000000m\","
	    "\"message_id\":\"1@shop.example\",\"user\":\"\xc3\xa4pp\","
	    "\"sender\":\"orders@shop.example\","
	    "\"created\":\"2027-01-15T08:00:00.000Z\","
	    "\"recipient_count\":5,\"recipients\":["
	    "{\"address\":\"ann@dest.example\",\"state\":\"bounced\","
	    "\"attempts\":2,\"provider\":\"ses\",\"provider_id\":null,"
	    "\"class\":\"rejected\",\"status\":400,"
	    "\"enhanced_status\":\"5.6.0\","
	    "\"reason\":\"ses answered 400: \\\"no\\\"\\\\ \xef\xbf\xbd\","
	    "\"at\":\"2027-01-15T08:00:01.000Z\",\"next_attempt\":null},"
	    "{\"address\":\"bob@dest.example\",\"state\":\"failed\","
	    "\"attempts\":0,\"provider\":null,\"provider_id\":null,"
	    "\"class\":null,\"status\":0,\"enhanced_status\":\"4.4.7\","
	    "\"reason\":\"\",\"at\":null,"
	    "\"next_attempt\":\"2027-01-15T08:00:02.000Z\"}]}}");
}
END_TEST

START_TEST(says_null_for_what_there_is_not)
{
	struct event e = make(0);

	e.type = EVENT_DEFERRED;
	e.message_id = SPAN("");
	e.sender = SPAN("");
	check(&e, "{\"type\":\"message.deferred\","
		  "\"timestamp\":\"2027-01-15T08:00:01.234Z\","
		  "\"schema_version\":1,\"id\":\"06f0000000000000000000000e\","
		  "\"data\":{\"queue_id\":\"06f0000000000000000000000m\","
		  "\"message_id\":null,\"user\":\"\xc3\xa4pp\",\"sender\":\"\","
		  "\"created\":\"2027-01-15T08:00:00.000Z\","
		  "\"recipient_count\":5,\"recipients\":[]}}");
}
END_TEST

START_TEST(the_largest_fits)
{
	static struct event_recipient many[EVENT_RECIPIENTS_MAX];
	static char controls[512];
	struct event e = make(0);
	struct message *m = NULL;

	memset(controls, 1, sizeof(controls)); /* six bytes each, escaped */
	for (size_t i = 0; i < EVENT_RECIPIENTS_MAX; i++) {
		many[i] = recipients[0];
		many[i].reason = span_make(controls, sizeof(controls));
		many[i].provider_id = span_make(controls, 256);
		many[i].address = span_make(controls, 320);
	}
	e.recipients = many;
	e.recipient_count = EVENT_RECIPIENTS_MAX;
	ck_assert_int_eq(event_compose(&e, &m), 0);
	message_unref(m);
}
END_TEST

START_TEST(names_lead_back_to_types)
{
	for (int i = EVENT_SENT; i <= EVENT_FAILED; i++)
		ck_assert_int_eq(event_type_parse(span_of(
				     event_type_name((enum event_type)i))),
		    i);
	ck_assert_int_eq(event_type_parse(SPAN("a@b.example")), EVENT_SENT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("deliver/event_text");
	TCase *t = tcase_create("event_text");

	tcase_add_test(t, has_the_names_of_the_ledger);
	tcase_add_test(t, says_null_for_what_there_is_not);
	tcase_add_test(t, the_largest_fits);
	tcase_add_test(t, names_lead_back_to_types);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
