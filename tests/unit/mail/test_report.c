#include <support/unit.h>

#include <mail/report.h>

static struct message *make_message(const char *header, const char *body)
{
	struct buf h, b;

	buf_init(&h, 1 << 20);
	buf_init(&b, 1 << 20);
	ck_assert_int_eq(buf_add_str(&h, header), 0);
	ck_assert_int_eq(buf_add_str(&b, body), 0);
	struct message *m = message_new(&h, &b, 0);
	ck_assert_ptr_nonnull(m);
	return m;
}

static char text[256 * 1024];
static struct envelope_terms terms;
static struct report_recipient recipients[200];
static struct report report;

static void begin(void)
{
	terms = (struct envelope_terms){ .envid = SPAN("") };
	memset(recipients, 0, sizeof(recipients));
	recipients[0] =
	    (struct report_recipient){ .address = SPAN("bob@example.com"),
		    .orcpt = SPAN(""),
		    .status = "5.1.1",
		    .provider = SPAN("ses"),
		    .http_status = 400,
		    .reason = SPAN("ses answered 400: no such mailbox"),
		    .last_attempt_ms = 1767225600000 };
	report = (struct report){ .action = REPORT_FAILED,
		.hostname = "mx.example.org",
		.from = "mailer-daemon@example.org",
		.id = "01reportreportreportreport",
		.subject_id = "01subjectsubjectsubjectsub",
		.to = SPAN("alice@example.org"),
		.terms = &terms,
		.now_ms = 1767225601000,
		.arrival_ms = 1767139200000,
		.until_ms = 1767312000000,
		.original = make_message(
		    "From: alice@example.org\r\nSubject: Hi\r\n\r\n",
		    "Body\r\n"),
		.recipients = recipients,
		.recipient_count = 1 };
}

/* Into text. */
static void compose(void)
{
	struct message *m = NULL;

	ck_assert_int_eq(report_compose(&report, &m), 0);
	ssize_t got = message_read(m, 0, text, sizeof(text) - 1);
	ck_assert_uint_eq((uint64_t)got, message_size(m));
	text[got] = '\0';
	message_unref(m);
	message_unref((struct message *)(uintptr_t)report.original);
}

static void has(const char *what)
{
	ck_assert_msg(strstr(text, what), "no \"%s\" in:\n%s", what, text);
}

static void has_not(const char *what)
{
	ck_assert_msg(!strstr(text, what), "\"%s\" in:\n%s", what, text);
}

START_TEST(says_who_failed_and_why)
{
	begin();
	compose();
	has("From: Mail Delivery System <mailer-daemon@example.org>\r\n"
	    "To: <alice@example.org>\r\n");
	has("Auto-Submitted: auto-replied\r\n");
	has("Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"01reportreportreportreport\"\r\n\r\n");
	has("Content-Type: message/delivery-status\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "Reporting-MTA: dns; mx.example.org\r\n"
	    "Arrival-Date: Wed, 31 Dec 2025 00:00:00 +0000\r\n\r\n"
	    "Final-Recipient: rfc822; bob@example.com\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: x-provider; ses\r\n"
	    "Diagnostic-Code: x-http; 400 ses answered 400: no such mailbox\r\n"
	    "Last-Attempt-Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n");
	has_not("Will-Retry-Until");
	has_not("Original-");
	has("\r\n--01reportreportreportreport--\r\n");
}
END_TEST

START_TEST(brings_a_small_message_back_whole)
{
	begin();
	compose();
	has("Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "From: alice@example.org\r\nSubject: Hi\r\n\r\nBody\r\n");
}
END_TEST

START_TEST(brings_only_the_header_back_when_asked)
{
	begin();
	terms.ret = ENVELOPE_RET_HDRS;
	compose();
	has("Content-Type: text/rfc822-headers\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "From: alice@example.org\r\nSubject: Hi\r\n\r\n--01r");
	has_not("Body");
}
END_TEST

START_TEST(brings_only_the_header_of_a_large_message_back)
{
	static char body[REPORT_FULL_MAX + 1];

	begin();
	memset(body, 'x', sizeof(body) - 1);
	message_unref((struct message *)(uintptr_t)report.original);
	report.original = make_message("Subject: Large\r\n\r\n", body);
	terms.ret = ENVELOPE_RET_FULL;
	compose();
	has("Subject: Large\r\n\r\n--01r");
	has_not("xxxx");
}
END_TEST

START_TEST(decodes_what_the_client_named)
{
	begin();
	terms.envid = SPAN("order+2B1+3D2");
	recipients[0].orcpt = SPAN("rfc822;Bob+40example.com+4");
	compose();
	has("Original-Envelope-Id: order+1=2\r\n");
	has("Original-Recipient: rfc822;Bob@example.com+4\r\n");
}
END_TEST

START_TEST(tells_until_when_it_is_tried)
{
	begin();
	report.action = REPORT_DELAYED;
	recipients[0].status = "4.4.7";
	compose();
	has("Subject: Delayed mail (01subjectsubjectsubjectsub)\r\n");
	has("It is given up at: Fri, 02 Jan 2026 00:00:00 +0000\r\n");
	has("Action: delayed\r\nStatus: 4.4.7\r\n");
	has("Will-Retry-Until: Fri, 02 Jan 2026 00:00:00 +0000\r\n");
	has_not("Body");
}
END_TEST

START_TEST(does_not_claim_delivery)
{
	begin();
	report.action = REPORT_RELAYED;
	recipients[0].status = "2.0.0";
	recipients[0].reason = SPAN("");
	compose();
	has("Action: relayed\r\nStatus: 2.0.0\r\n");
	has("Handed to: ses\r\n");
	has_not("Diagnostic-Code");
	has_not("Body");
}
END_TEST

/* What a provider says is not ours to trust. */
START_TEST(lets_no_line_break_in)
{
	begin();
	recipients[0].reason =
	    SPAN("a\r\nAction: delivered\r\n\r\n--x\x7f\xe4");
	compose();
	has("400 a?\?Action: delivered"
	    "?\?\?\?--x?\?\r\n");
	has_not("\r\nAction: delivered");
}
END_TEST

START_TEST(is_international_only_when_it_must)
{
	begin();
	terms.is_utf8 = true;
	compose();
	has("report-type=delivery-status");
	begin();
	terms.is_utf8 = true;
	recipients[0].address = SPAN("b\xc3\xb6rk@example.com");
	compose();
	has("report-type=global-delivery-status");
	has("Content-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n");
	has("Final-Recipient: utf-8; b\xc3\xb6rk@example.com\r\n");
	has("Content-Type: message/global\r\n");
}
END_TEST

START_TEST(names_many_recipients_once)
{
	begin();
	for (size_t i = 1; i < 200; i++)
		recipients[i] = recipients[0];
	report.recipient_count = 200;
	compose();
	has("  and 100 more, named in the next part.\r\n");
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, "Final-Recipient")); at++)
		count++;
	ck_assert_uint_eq(count, 200);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/report");
	TCase *t = tcase_create("report");

	tcase_add_test(t, says_who_failed_and_why);
	tcase_add_test(t, brings_a_small_message_back_whole);
	tcase_add_test(t, brings_only_the_header_back_when_asked);
	tcase_add_test(t, brings_only_the_header_of_a_large_message_back);
	tcase_add_test(t, decodes_what_the_client_named);
	tcase_add_test(t, tells_until_when_it_is_tried);
	tcase_add_test(t, does_not_claim_delivery);
	tcase_add_test(t, lets_no_line_break_in);
	tcase_add_test(t, is_international_only_when_it_must);
	tcase_add_test(t, names_many_recipients_once);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
