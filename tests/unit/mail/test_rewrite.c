/* The submission fixes of RFC 6409 section 8, and what they refuse. */
#include <support/unit.h>

#include <mail/header.h>

#include <errno.h>
#include <stdio.h>

#define RECEIVED                                                               \
	"Received: by mx.example (Postern) id q1; "                            \
	"Sun, 22 Nov 2026 10:00:00 +0000\r\n"
#define DATE "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
#define ID "Message-ID: <q1@mx.example>\r\n"
#define OLD_DATE "Date: Mon, 1 Jan 2024 00:00:00 +0100\r\n"
#define OLD_ID "Message-ID: <1@a.example>\r\n"
#define FROM "From: a@x.example\r\n"

static const struct header_limits limits = {
	.bytes = 4096, .fields = 20, .field_bytes = 1000, .hops = 3
};

static struct envelope envelope;
static struct header_stamp stamp;

static void set_up(void)
{
	envelope_init(&envelope);
	stamp = (struct header_stamp){ .hostname = "mx.example",
		.queue_id = "q1",
		.now_ms = 1795341600000,
		.protocol = "ESMTPSA",
		.tls_version = "TLSv1.3",
		.tls_cipher = "TLS_AES_256_GCM_SHA384",
		.hide_client = true,
		.envelope = &envelope };
}

static void tear_down(void)
{
	envelope_finish(&envelope);
}

static enum header_verdict rewrite(
    struct span block, struct buf *out, struct err *why)
{
	buf_init(out, 1 << 20);
	*why = (struct err){ .code = 0 };
	return header_rewrite(block, &limits, &stamp, out, why);
}

static void check_fixed(const char *block, const char *expected)
{
	struct buf out;
	struct err why;

	ck_assert_msg(rewrite(span_of(block), &out, &why) == HEADER_OK,
	    "%s: %s", block, why.text);
	ck_assert_msg(span_eq(buf_span(&out), span_of(expected)),
	    "for:\n%sgot:\n%.*s", block, SPAN_FMT(buf_span(&out)));
	buf_finish(&out);
}

static void check_refused(
    struct span block, enum header_verdict verdict, const char *word)
{
	struct buf out;
	struct err why;

	ck_assert_msg(
	    rewrite(block, &out, &why) == verdict, "%.*s", SPAN_FMT(block));
	ck_assert_int_lt(why.code, 0);
	ck_assert_msg(strstr(why.text, word) != NULL, "%s", why.text);
	buf_finish(&out);
}

START_TEST(adds_what_is_missing)
{
	check_fixed(FROM "\r\n", RECEIVED FROM DATE ID "\r\n");
	check_fixed(FROM, RECEIVED FROM DATE ID "\r\n");
	check_fixed(
	    FROM OLD_DATE OLD_ID "\r\n", RECEIVED FROM OLD_DATE OLD_ID "\r\n");
}
END_TEST

START_TEST(removes_what_must_not_leave)
{
	check_fixed("BCC: x@x.example,\r\n y@x.example\r\n" FROM
		    "Bcc : z@x.example\r\n"
		    "resent-bcc: x\r\nReturn-Path: <x>\r\nContent-Length: 3\r\n"
		    "Authentication-Results: x\r\n"
		    "X-Bcc: kept\r\n" OLD_DATE OLD_ID "\r\n",
	    RECEIVED FROM "X-Bcc: kept\r\n" OLD_DATE OLD_ID "\r\n");
}
END_TEST

START_TEST(replaces_a_broken_date)
{
	check_fixed(FROM "Date: now\r\n" OLD_ID "\r\n",
	    RECEIVED FROM DATE OLD_ID "\r\n");
	check_fixed(FROM OLD_DATE "Date: now\r\n" OLD_ID "\r\n",
	    RECEIVED FROM OLD_DATE OLD_ID "\r\n");
}
END_TEST

START_TEST(replaces_a_broken_message_id_and_keeps_it)
{
	static const struct {
		const char *id;
		bool is_good;
	} cases[] = {
		{ " <1@a.example>", true },
		{ "\r\n <1@a.example>", true },
		{ " <\xc3\xbc@a.example>", true },
		{ " 1@a.example", false },
		{ " <1>", false },
		{ " <@a>", false },
		{ " <1@>", false },
		{ " <1 2@a.example>", false },
		{ " <1@a.example> <2@a.example>", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char block[256], expected[512];
		(void)snprintf(block, sizeof(block),
		    FROM OLD_DATE "Message-Id:%s\r\n\r\n", cases[i].id);
		(void)snprintf(expected, sizeof(expected),
		    RECEIVED FROM OLD_DATE "%s:%s\r\n\r\n",
		    cases[i].is_good ? "Message-Id"
				     : ID "X-Original-Message-ID",
		    cases[i].id);
		check_fixed(block, expected);
	}
	check_fixed(FROM OLD_DATE "Message-ID: \r\n\r\n",
	    RECEIVED FROM OLD_DATE ID "\r\n");
}
END_TEST

START_TEST(keeps_fields_as_they_are)
{
	check_fixed("Received: from a by b\r\n\twith c; d\r\n" FROM
		    "subject:  two  spaces\r\n\tand a fold \r\n" OLD_DATE OLD_ID
		    "DKIM-Signature: v=1;\r\n b=x\r\n\r\n",
	    RECEIVED
	    "Received: from a by b\r\n\twith c; d\r\n" FROM
	    "subject:  two  spaces\r\n\tand a fold \r\n" OLD_DATE OLD_ID
	    "DKIM-Signature: v=1;\r\n b=x\r\n\r\n");
}
END_TEST

START_TEST(drops_folds_that_look_like_the_end)
{
	check_fixed(FROM "Subject: a\r\n \t\r\n b\r\n" OLD_DATE OLD_ID "\r\n",
	    RECEIVED FROM "Subject: a\r\n b\r\n" OLD_DATE OLD_ID "\r\n");
}
END_TEST

START_TEST(keeps_the_line_of_an_mbox)
{
	check_fixed("From a@x Sat Jan  1 00:00:00 2028\r\n" FROM OLD_DATE OLD_ID
		    "\r\n",
	    RECEIVED
	    "X-Mailbox-Line: From a@x Sat Jan  1 00:00:00 2028\r\n" FROM
		OLD_DATE OLD_ID "\r\n");
	check_fixed(">From a@x 2028\r\n" FROM OLD_DATE OLD_ID "\r\n", RECEIVED
	    "X-Mailbox-Line: From a@x 2028\r\n" FROM OLD_DATE OLD_ID "\r\n");
	check_refused(
	    SPAN(FROM "From a@x 2028\r\n\r\n"), HEADER_BAD, "field 2");
}
END_TEST

START_TEST(refuses_what_it_cannot_mend)
{
	check_refused(SPAN(""), HEADER_BAD, "no From");
	check_refused(SPAN("\r\n"), HEADER_BAD, "no From");
	check_refused(SPAN("Subject: x\r\n\r\n"), HEADER_BAD, "no From");
	check_refused(
	    SPAN(FROM "from: b@x.example\r\n\r\n"), HEADER_BAD, "several From");
	check_refused(
	    SPAN("From:  \r\n\r\n"), HEADER_BAD, "From field is empty");
	check_refused(
	    SPAN(" x: folded first\r\n" FROM "\r\n"), HEADER_BAD, "field 1");
	check_refused(
	    SPAN(FROM "Hello Bob,\r\n\r\n"), HEADER_BAD, "empty line");
	check_refused(SPAN(FROM "X: \0\r\n\r\n"), HEADER_BAD, "NUL");
	check_refused(SPAN(FROM "X: a\nBcc: b\r\n\r\n"), HEADER_BAD, "bare");
	check_refused(SPAN(FROM "X: a\rBcc: b\r\n\r\n"), HEADER_BAD, "bare");
	check_refused(SPAN(FROM "\nBcc: b\r\n\r\n"), HEADER_BAD, "bare");
}
END_TEST

START_TEST(refuses_a_loop)
{
	check_refused(SPAN("Received: a\r\nReceived: b\r\nReceived: c\r\n"
			   "Received: d\r\n" FROM "\r\n"),
	    HEADER_LOOP, "loop");
}
END_TEST

START_TEST(refuses_its_own_mark_the_second_time)
{
	check_fixed(RECEIVED FROM OLD_DATE OLD_ID "\r\n",
	    RECEIVED RECEIVED FROM OLD_DATE OLD_ID "\r\n");
	check_refused(
	    SPAN(RECEIVED RECEIVED FROM "\r\n"), HEADER_LOOP, "2 of this");
}
END_TEST

#define OUTSIDE "Received: from a ([192.0.2.1]) by b; d\r\n"
#define INSIDE "Received: from a\r\n ([IPv6:fd00::1]) by b; d\r\n"

START_TEST(strips_the_trace_as_told)
{
	check_fixed(INSIDE OUTSIDE FROM OLD_DATE OLD_ID "\r\n",
	    RECEIVED INSIDE OUTSIDE FROM OLD_DATE OLD_ID "\r\n");
	stamp.strip = HEADER_STRIP_INTERNAL;
	check_fixed(INSIDE OUTSIDE FROM OLD_DATE OLD_ID "\r\n",
	    RECEIVED OUTSIDE FROM OLD_DATE OLD_ID "\r\n");
	stamp.strip = HEADER_STRIP_ALL;
	check_fixed(INSIDE OUTSIDE FROM OLD_DATE OLD_ID "\r\n",
	    RECEIVED FROM OLD_DATE OLD_ID "\r\n");
	/* What goes no further still counts. */
	check_refused(
	    SPAN(INSIDE INSIDE INSIDE INSIDE FROM "\r\n"), HEADER_LOOP, "loop");
}
END_TEST

START_TEST(adds_the_sender_where_from_is_another)
{
	envelope.sender = SPAN("A@x.example");
	check_fixed("From: b@x.example\r\n" OLD_DATE OLD_ID "\r\n",
	    RECEIVED "From: b@x.example\r\n" OLD_DATE OLD_ID "\r\n");
	stamp.add_sender = true;
	check_fixed("From: b@x.example\r\n" OLD_DATE OLD_ID "\r\n",
	    RECEIVED "From: b@x.example\r\n" OLD_DATE OLD_ID
		     "Sender: A@x.example\r\n\r\n");
	check_fixed(
	    FROM OLD_DATE OLD_ID "\r\n", RECEIVED FROM OLD_DATE OLD_ID "\r\n");
	check_fixed(
	    "From: b@x.example\r\nSender: c@x.example\r\n" OLD_DATE OLD_ID
	    "\r\n",
	    RECEIVED
	    "From: b@x.example\r\nSender: c@x.example\r\n" OLD_DATE OLD_ID
	    "\r\n");
	envelope.sender = SPAN("");
	check_fixed("From: b@x.example\r\n" OLD_DATE OLD_ID "\r\n",
	    RECEIVED "From: b@x.example\r\n" OLD_DATE OLD_ID "\r\n");
}
END_TEST

#define SIGNATURE "DKIM-Signature: v=1; h=date:message-id; b=x\r\n"

START_TEST(changes_nothing_a_signature_may_cover)
{
	struct buf out;
	struct err why;

	check_fixed(FROM "Date: now\r\nMessage-ID: x\r\n" SIGNATURE "\r\n",
	    RECEIVED FROM "Date: now\r\nMessage-ID: x\r\n" SIGNATURE "\r\n");
	check_fixed(FROM SIGNATURE "\r\n", RECEIVED FROM SIGNATURE "\r\n");
	ck_assert_int_eq(
	    rewrite(SPAN(FROM OLD_DATE SIGNATURE "\r\n"), &out, &why),
	    HEADER_OK);
	ck_assert_int_eq(why.code, 0);
	ck_assert_ptr_nonnull(strstr(why.text, "missing Message-ID"));
	buf_finish(&out);
	ck_assert_int_eq(
	    rewrite(SPAN(FROM OLD_DATE OLD_ID SIGNATURE "\r\n"), &out, &why),
	    HEADER_OK);
	ck_assert_str_eq(why.text, "");
	buf_finish(&out);
}
END_TEST

START_TEST(refuses_what_is_over_a_limit)
{
	struct buf block;

	buf_init(&block, 1 << 20);
	ck_assert_int_eq(buf_add_str(&block, FROM), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(buf_add_str(&block, "X: y\r\n"), 0);
	check_refused(buf_span(&block), HEADER_BAD, "too many fields");
	buf_clear(&block);
	ck_assert_int_eq(buf_add_str(&block, FROM "X: "), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_add_str(&block, "y"), 0);
	ck_assert_int_eq(buf_add_str(&block, "\r\n\r\n"), 0);
	check_refused(buf_span(&block), HEADER_BAD, "field is too long");
	for (int i = 0; i < 4000; i++)
		ck_assert_int_eq(buf_add_str(&block, "y"), 0);
	check_refused(buf_span(&block), HEADER_BAD, "header is too long");
	buf_finish(&block);
}
END_TEST

START_TEST(says_where_a_message_came_from)
{
	stamp.hide_client = false;
	envelope.helo = SPAN("client.example");
	envelope.peer = SPAN("2001:db8::1");
	envelope.user = SPAN("app@x.example");
	ck_assert_int_eq(envelope_add_recipient(&envelope,
			     &(struct envelope_recipient){
				 .address = SPAN("ann@dest.example") }),
	    0);
	check_fixed(FROM OLD_DATE OLD_ID "\r\n",
	    "Received: from client.example (unknown [IPv6:2001:db8::1])\r\n"
	    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
	    "\t(Authenticated sender: app@x.example) by mx.example "
	    "(Postern)\r\n"
	    "\twith ESMTPSA id q1 for <ann@dest.example>;\r\n"
	    "\tSun, 22 Nov 2026 10:00:00 +0000\r\n" FROM OLD_DATE OLD_ID
	    "\r\n");
	ck_assert_int_eq(envelope_add_recipient(&envelope,
			     &(struct envelope_recipient){
				 .address = SPAN("bob@dest.example") }),
	    0);
	stamp.tls_version = NULL;
	stamp.protocol = "ESMTPA";
	envelope.peer = SPAN("192.0.2.1");
	check_fixed(FROM OLD_DATE OLD_ID "\r\n",
	    "Received: from client.example (unknown [192.0.2.1])\r\n"
	    "\t(Authenticated sender: app@x.example) by mx.example "
	    "(Postern)\r\n"
	    "\twith ESMTPA id q1; Sun, 22 Nov 2026 10:00:00 +0000\r\n" FROM
		OLD_DATE OLD_ID "\r\n");
}
END_TEST

START_TEST(lets_no_peer_write_into_the_trace)
{
	struct buf out;
	struct err why;

	stamp.hide_client = false;
	envelope.helo = SPAN("a) by evil;\r\nBcc: x(\\\xc3\xbc");
	envelope.peer = SPAN("192.0.2.1");
	envelope.user = SPAN("u)\r\nX: (y");
	ck_assert_int_eq(envelope_add_recipient(&envelope,
			     &(struct envelope_recipient){
				 .address = SPAN("a>;\r\nX: y@x") }),
	    0);
	ck_assert_int_eq(rewrite(SPAN(FROM "\r\n"), &out, &why), HEADER_OK);
	ck_assert_msg(span_starts_with(buf_span(&out),
			  SPAN("Received: from a??by?evil???Bcc:?x???? "
			       "(unknown [192.0.2.1])"
			       "\r\n\t(using TLSv1.3 with cipher "
			       "TLS_AES_256_GCM_SHA384)\r\n"
			       "\t(Authenticated sender: u???X:??y) by "
			       "mx.example (Postern)"
			       " with ESMTPSA\r\n\tid q1; ")),
	    "%.*s", SPAN_FMT(buf_span(&out)));
	buf_finish(&out);
}
END_TEST

START_TEST(stays_in_the_room_it_was_given)
{
	struct buf out;
	struct err why;

	buf_init(&out, 100);
	ck_assert_int_eq(
	    header_rewrite(SPAN(FROM "\r\n"), &limits, &stamp, &out, &why),
	    HEADER_BAD);
	ck_assert_int_eq(why.code, -EMSGSIZE);
	buf_finish(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.rewrite");
	TCase *t = tcase_create("rewrite");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, adds_what_is_missing);
	tcase_add_test(t, removes_what_must_not_leave);
	tcase_add_test(t, replaces_a_broken_date);
	tcase_add_test(t, replaces_a_broken_message_id_and_keeps_it);
	tcase_add_test(t, keeps_fields_as_they_are);
	tcase_add_test(t, drops_folds_that_look_like_the_end);
	tcase_add_test(t, keeps_the_line_of_an_mbox);
	tcase_add_test(t, refuses_what_it_cannot_mend);
	tcase_add_test(t, refuses_a_loop);
	tcase_add_test(t, refuses_its_own_mark_the_second_time);
	tcase_add_test(t, strips_the_trace_as_told);
	tcase_add_test(t, adds_the_sender_where_from_is_another);
	tcase_add_test(t, changes_nothing_a_signature_may_cover);
	tcase_add_test(t, refuses_what_is_over_a_limit);
	tcase_add_test(t, says_where_a_message_came_from);
	tcase_add_test(t, lets_no_peer_write_into_the_trace);
	tcase_add_test(t, stays_in_the_room_it_was_given);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
