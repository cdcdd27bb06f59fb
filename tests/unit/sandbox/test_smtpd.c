/* The sandbox as a mail server: what it takes, refuses, counts and breaks. */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sandbox/smtpd_body.h>
#include <support/unit.h>

/* --- the end of a message --- */

/* All of text in pieces of that size. */
static size_t feed(
    struct smtpd_body *b, struct span text, size_t piece, struct buf *out)
{
	size_t used = 0, n = 1;

	while (used < text.len && n > 0) {
		struct span rest = span_from(text, used);

		n = smtpd_body_feed(b, span_first(rest, piece), out);
		used += n;
		if (b->state == SMTPD_BODY_DONE)
			break;
	}
	return used;
}

START_TEST(finds_the_end_and_takes_dots_off)
{
	const struct {
		struct span in, out;
		size_t left; /* behind the end */
	} cases[] = {
		{ SPAN(".\r\n"), SPAN(""), 0 },
		{ SPAN("a\r\n.\r\nQUIT\r\n"), SPAN("a\r\n"), 6 },
		{ SPAN("..\r\n...\r\n.x\r\n.\r\n"), SPAN(".\r\n..\r\nx\r\n"),
		    0 },
		{ SPAN("a.\r\n\r\n.\r\n"), SPAN("a.\r\n\r\n"), 0 },
		/* Only CRLF.CRLF ends it. */
		{ SPAN("a\n.\r\nb\r\n.\r\n"), SPAN("a\n.\r\nb\r\n"), 0 },
		{ SPAN("a\r\n.\nb\r\n.\r\n"), SPAN("a\r\n\nb\r\n"), 0 },
		{ SPAN("a\r\n.\rb\r\n.\r\n"), SPAN("a\r\n\rb\r\n"), 0 },
		{ SPAN(".\r\r\n.\r\n"), SPAN("\r\r\n"), 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece <= cases[i].in.len; piece++) {
			struct smtpd_body b = { .last = '\0' };
			struct buf out;

			buf_init(&out, 1000);
			size_t used = feed(&b, cases[i].in, piece, &out);
			ck_assert_int_eq(b.state, SMTPD_BODY_DONE);
			ck_assert_uint_eq(
			    used, cases[i].in.len - cases[i].left);
			ck_assert(span_eq(buf_span(&out), cases[i].out));
			buf_finish(&out);
		}
	}
}
END_TEST

START_TEST(reads_over_what_is_too_large)
{
	struct smtpd_body b = { .last = '\0' };
	struct buf out;

	buf_init(&out, 4);
	(void)feed(&b, SPAN("abc\r\ndef\r\n.\r\n"), 3, &out);
	ck_assert_int_eq(b.state, SMTPD_BODY_DONE);
	ck_assert(b.is_too_large);
	buf_finish(&out);
}
END_TEST

/* --- sessions --- */

static void start(struct rig *r, struct web *w)
{
	r->settings.smtp_address = "127.0.0.1:0";
	rig_start(r);
	web_open(w, sandbox_smtp_port(r->sandbox));
}

static void stop(struct rig *r, struct web *w)
{
	web_close(w);
	rig_stop(r);
}

/* The next reply, its last line; "" at the end of the connection. */
static const char *hear(struct web *w)
{
	static char line[2048];
	size_t len;

	do {
		for (len = 0; len < sizeof(line) - 1; len++) {
			if (read(w->fd, line + len, 1) != 1)
				return "";
			if (line[len] == '\n')
				break;
		}
		line[len] = '\0';
	} while (len > 3 && line[3] == '-');
	return line;
}

/* Say, and hear as many replies: the codes must be these. */
static void talk(struct web *w, const char *says, const char *codes)
{
	web_send(w, says, strlen(says));
	while (*codes) {
		const char *reply = hear(w);

		ck_assert_msg(strncmp(reply, codes, 3) == 0,
		    "to %s: %s instead of %s", says, reply, codes);
		codes += strcspn(codes, " ");
		codes += strspn(codes, " ");
	}
}

#define MESSAGE "From: a@b.example\r\nSubject: hello\r\n\r\n..\r\nhi\r\n"
#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

START_TEST(keeps_what_it_took)
{
	struct rig r = { .port = 0 };
	struct web w;
	const char *sender, *first, *second, *subject, *provider, *text;

	start(&r, &w);
	talk(&w, "EHLO me\r\n", "220 250");
	talk(&w, "AUTH PLAIN AGEAYg==\r\n", "235");
	talk(&w,
	    "MAIL FROM:<a@b.example> SIZE=60 BODY=8BITMIME\r\n"
	    "RCPT TO:<c@d.example>\r\nRCPT TO:<\"e>f\"@d.example>\r\nDATA\r\n",
	    "250 250 250 354");
	talk(&w, MESSAGE ".\r\nMAIL FROM:<>\r\nQUIT\r\n", "250 250 221");
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?provider=smtp", NULL);
	ck_assert_int_eq(
	    json_unpack(list, "[{s:s, s:s, s:[s, s], s:s, s:s}]", "provider",
		&provider, "sender", &sender, "recipients", &first, &second,
		"subject", &subject, "text", &text),
	    0);
	ck_assert_str_eq(sender, "a@b.example");
	ck_assert_str_eq(first, "c@d.example");
	ck_assert_str_eq(second, "\"e>f\"@d.example");
	ck_assert_str_eq(subject, "hello");
	ck_assert_str_eq(text, ".\r\nhi\r\n");
	json_decref(list);
	ck_assert_int_eq(rig_count(&r, "smtp", "requests"), 1);
	ck_assert_int_eq(rig_count(&r, "smtp", "accepted"), 1);
	ck_assert(web_is_ended(&w));
	stop(&r, &w);
}
END_TEST

START_TEST(refuses_what_a_strict_server_refuses)
{
	static const struct {
		const char *says, *codes;
	} cases[] = {
		{ "MAIL FROM:<a@b.example>\r\n", "503" },
		{ "EHLO\r\n", "501" },
		{ "EHLO me\r\n", "250" },
		{ "NONSENSE\r\n", "500" },
		{ "NOOP\n", "500" },
		{ "NO\001OP\r\n", "500" },
		{ "AUTH CRAM-MD5\r\n", "504" },
		{ "AUTH PLAIN\r\n=\r\n", "334 501" },
		{ "AUTH LOGIN\r\n*\r\n", "334 501" },
		{ "MAIL FROM: <a@b.example>\r\n", "501" },
		{ "MAIL FROM:a@b.example\r\n", "501" },
		{ "MAIL FROM:<a b@c.example>\r\n", "501" },
		{ "MAIL FROM:<a@b.example> SIZE=99999999\r\n", "552" },
		{ "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "555" },
		{ "MAIL FROM:<a@b.example> RET=FULL\r\n", "555" },
		{ "MAIL FROM:<gr\303\274n@b.example>\r\n", "550" },
		{ "RCPT TO:<c@d.example>\r\n", "503" },
		{ "MAIL FROM:<a@b.example>\r\n", "250" },
		{ "MAIL FROM:<a@b.example>\r\n", "503" },
		{ "DATA\r\n", "503" },
		{ "RCPT TO:<>\r\n", "501" },
		{ "RCPT TO:<@d.example>\r\n", "501" },
		{ "RCPT TO:<c@d.example> NOTIFY=NEVER\r\n", "555" },
		{ "RCPT TO:<inactive.c@d.example>\r\n", "550" },
		{ "RSET\r\n", "250" },
		{ ENVELOPE "DATA\r\nSubject: none\r\n\r\nx\r\n.\r\n",
		    "250 250 354 554" },
		{ ENVELOPE "DATA\r\nFrom: a\r\n\r\nx\ny\r\n.\r\n",
		    "250 250 354 554" },
		{ ENVELOPE "DATA\r\nFrom: a\r\n\r\n\303\274\r\n.\r\n",
		    "250 250 354 554" },
		{ "VRFY c\r\nQUIT\r\n", "252 221" },
	};
	struct rig r = { .port = 0 };
	struct web w;

	start(&r, &w);
	talk(&w, "", "220");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		talk(&w, cases[i].says, cases[i].codes);
	ck_assert_int_eq(rig_count(&r, "smtp", "accepted"), 0);
	ck_assert_int_gt(rig_count(&r, "smtp", "rejected"), 5);
	stop(&r, &w);
}
END_TEST

START_TEST(long_lines_are_read_over)
{
	struct rig r = { .port = 0 };
	struct web w;
	char line[100 * 1000];

	start(&r, &w);
	memset(line, 'x', sizeof(line));
	talk(&w, "", "220");
	web_send(&w, line, sizeof(line));
	talk(&w, "\r\nNOOP\r\n", "500 250");
	stop(&r, &w);
}
END_TEST

START_TEST(wants_the_login_it_was_given)
{
	struct rig r = { .settings = {
			     .smtp_user = "u", .smtp_password = "p" } };
	struct web w;

	start(&r, &w);
	talk(&w, "EHLO me\r\nMAIL FROM:<>\r\n", "220 250 530");
	talk(&w, "AUTH PLAIN AHUAeA==\r\n", "535");
	talk(&w, "AUTH LOGIN\r\ndQ==\r\neA==\r\n", "334 334 535");
	talk(&w, "AUTH LOGIN dQ==\r\ncA==\r\n", "334 235");
	talk(&w, "AUTH PLAIN AHUAcA==\r\nMAIL FROM:<>\r\n", "503 250");
	stop(&r, &w);
}
END_TEST

/* --- faults --- */

static void add(struct rig *r, const char *spec)
{
	json_decref(rig_control(r, "POST", "/_sandbox/faults", spec));
}

START_TEST(faults_befall_the_command_they_name)
{
	struct rig r = { .port = 0 };
	struct web w;

	start(&r, &w);
	add(&r, "{\"provider\":\"smtp\",\"at\":\"RCPT\",\"match\":\"c@\","
		"\"status\":450,\"body\":\"4.2.1 busy\\nlater\"}");
	add(&r, "{\"provider\":\"smtp\",\"at\":\"EHLO\",\"status\":421,"
		"\"delay_ms\":50}");
	talk(&w, "HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@d.example>\r\n",
	    "220 250 250 250");
	talk(&w, "RCPT TO:<c@d.example>\r\nRCPT TO:<c@d.example>\r\n",
	    "450 250");
	talk(&w, "EHLO me\r\nNOOP\r\n", "421");
	ck_assert(web_is_ended(&w));
	ck_assert_int_eq(rig_count(&r, "smtp", "faulted"), 2);
	stop(&r, &w);
}
END_TEST

START_TEST(faults_befall_the_message)
{
	static const struct {
		const char *fault;
		const char *to_data, *to_message; /* "": none */
		bool is_end;                      /* of the connection */
		int accepted;
	} cases[] = {
		{ "\"status\":451", "354", "451", false, 0 },
		{ "\"status\":451,\"accept\":true", "354", "451", false, 1 },
		{ "\"delay_ms\":20", "354", "250", false, 1 },
		{ "\"byte_ms\":1", "354", "250", true, 1 },
		{ "\"cut\":true", "354", "", true, 1 },
		{ "\"reset\":\"before-body\"", "", "", true, 0 },
		{ "\"reset\":\"mid-body\"", "354", "", true, 0 },
		{ "\"reset\":\"after-body\",\"delay_ms\":20", "354", "", true,
		    0 },
		{ "\"status\":421", "354", "421", true, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig r = { .port = 0 };
		struct web w;
		char spec[200];

		start(&r, &w);
		(void)snprintf(spec, sizeof(spec), "{\"provider\":\"smtp\",%s}",
		    cases[i].fault);
		add(&r, spec);
		talk(&w, "EHLO me\r\n" ENVELOPE, "220 250 250 250");
		talk(&w, "DATA\r\n", cases[i].to_data);
		if (*cases[i].to_data)
			talk(&w, MESSAGE ".\r\n", cases[i].to_message);
		if (!cases[i].is_end)
			talk(&w, "NOOP\r\n", "250");
		else
			ck_assert(web_is_ended(&w));
		ck_assert_int_eq(
		    rig_count(&r, "smtp", "accepted"), cases[i].accepted);
		ck_assert_int_eq(rig_count(&r, "smtp", "faulted"), 1);
		ck_assert_int_eq(rig_count(&r, "smtp", "requests"), 1);
		stop(&r, &w);
	}
}
END_TEST

START_TEST(sessions_that_hang_end_with_the_sandbox)
{
	struct rig r = { .port = 0 };
	struct web w;

	start(&r, &w);
	add(&r, "{\"provider\":\"smtp\",\"hang\":\"after-body\"}");
	talk(&w, "EHLO me\r\n" ENVELOPE "DATA\r\n", "220 250 250 250 354");
	talk(&w, MESSAGE ".\r\nNOOP\r\n", "");
	while (rig_count(&r, "smtp", "faulted") == 0) {
	}
	rig_stop(&r);
	ck_assert(web_is_ended(&w));
	web_close(&w);
}
END_TEST

START_TEST(says_what_is_wrong_with_a_fault)
{
	static const char *const wrong[] = {
		"{\"provider\":\"ses\",\"status\":500,\"at\":\"MAIL\"}",
		"{\"provider\":\"smtp\",\"status\":500,\"at\":\"QUIT\"}",
		"{\"provider\":\"smtp\",\"delay_ms\":5,\"at\":\"MAIL\"}",
		"{\"provider\":\"smtp\",\"hang\":\"after-body\",\"at\":"
		"\"MAIL\"}",
		"{\"provider\":\"smtp\",\"status\":500,\"at\":\"MAIL\","
		"\"match\":\"a\"}",
		"{\"provider\":\"smtp\",\"status\":500,\"headers\":{}}",
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(
		    rig_status(&r, "POST", "/_sandbox/faults", NULL, wrong[i]),
		    400);
	ck_assert_int_eq(sandbox_smtp_port(r.sandbox), 0);
	ck_assert_int_eq(rig_status(&r, "POST", "/smtp/mail", NULL, "x"), 404);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox.smtpd");
	TCase *t = tcase_create("core");

	tcase_add_test(t, finds_the_end_and_takes_dots_off);
	tcase_add_test(t, reads_over_what_is_too_large);
	tcase_add_test(t, keeps_what_it_took);
	tcase_add_test(t, refuses_what_a_strict_server_refuses);
	tcase_add_test(t, long_lines_are_read_over);
	tcase_add_test(t, wants_the_login_it_was_given);
	tcase_add_test(t, faults_befall_the_command_they_name);
	tcase_add_test(t, faults_befall_the_message);
	tcase_add_test(t, sessions_that_hang_end_with_the_sandbox);
	tcase_add_test(t, says_what_is_wrong_with_a_fault);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
