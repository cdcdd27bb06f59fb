/* A call shows the message to the module and keeps what it builds. */
#include <support/unit.h>

#include <mail/mime.h>
#include <provider/provider.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct message *message;
static struct span recipients[] = { { "ann@dest.example", 16 },
	{ "bob@dest.example", 16 } };
static struct provider_input input;

/* What the build function under test does; set by each test. */
static int (*on_build)(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r);

static int build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)settings;
	return on_build(mail, host, r);
}

static struct postern_provider provider = { .name = "test", .build = build };

static void set_up(void)
{
	struct buf header, body;

	mime_library_init();
	buf_init(&header, 4096);
	buf_init(&body, 4096);
	ck_assert_int_eq(buf_add_str(&header,
			     "From: =?utf-8?q?J=C3=B6?= <a@x.example>\r\n"
			     "Bcc: hidden@x.example\r\n"
			     "To: ann@dest.example,\r\n bob@dest.example\r\n"
			     "Subject:  one\r\n\ttwo \r\n\r\n"),
	    0);
	ck_assert_int_eq(buf_add_str(&body, "hello\r\n"), 0);
	message = message_new(&header, &body, 0);
	input = (struct provider_input){ .message = message,
		.id = "q1",
		.attempt_key = "k1",
		.now = 42,
		.sender = SPAN("s@x.example"),
		.recipients = recipients,
		.recipient_count = 2 };
	provider.flags = 0;
	provider.limits = (struct postern_limits){ .recipients = 0 };
}

static void tear_down(void)
{
	message_unref(message);
}

static int run(struct provider_call **out, struct err *e)
{
	*e = (struct err){ .code = 0 };
	*out = provider_call_new(&input);
	ck_assert_ptr_nonnull(*out);
	return provider_call_build(*out, &provider, NULL, e);
}

static bool is(struct postern_str s, const char *expected)
{
	return s.len == strlen(expected) && !memcmp(s.ptr, expected, s.len);
}

static int look(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	ck_assert_str_eq(mail->id, "q1");
	ck_assert_str_eq(mail->attempt_key, "k1");
	ck_assert_int_eq(mail->now, 42);
	ck_assert(is(mail->sender, "s@x.example"));
	ck_assert_uint_eq(mail->recipient_count, 2);
	ck_assert(is(mail->recipients[1], "bob@dest.example"));
	ck_assert_uint_eq(mail->header_count, 3);
	ck_assert(is(mail->headers[1].name, "To"));
	ck_assert(
	    is(mail->headers[1].value, "ann@dest.example, bob@dest.example"));
	ck_assert(is(mail->headers[2].value, "one two"));
	ck_assert_ptr_null(mail->content);
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	(void)host->header(r, "A", "b");
	return host->body_message(r, POSTERN_AS_IS);
}

START_TEST(shows_envelope_and_header)
{
	struct provider_call *c;
	struct http_call http = { .method = NULL };
	struct buf body;
	struct err e;

	on_build = look;
	ck_assert_int_eq(run(&c, &e), 0);
	provider_call_http(c, &http);
	ck_assert_str_eq(http.method, "POST");
	ck_assert_str_eq(http.url, "https://a.example/");
	ck_assert_str_eq(http.headers[0], "A: b");
	ck_assert_ptr_null(http.headers[1]);
	ck_assert_uint_eq(http.body_size, message_size(message));
	buf_init(&body, 4096);
	ck_assert_int_eq(provider_call_body(c, &body), 0);
	ck_assert_uint_eq(buf_len(&body), message_size(message));
	ck_assert(provider_call_sends_message(c));
	buf_finish(&body);
	provider_call_free(c);
}
END_TEST

static int look_inside(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	ck_assert_ptr_nonnull(mail->content);
	ck_assert(is(mail->content->from[0].name, "J\xc3\xb6"));
	ck_assert_uint_eq(mail->content->to_count, 2);
	ck_assert(is(mail->content->text, "hello\r\n"));
	ck_assert(is(mail->content->sender.address, ""));
	(void)host->method(r, "GET");
	return host->url(r, "https://a.example/");
}

START_TEST(shows_content_to_those_who_need_it)
{
	struct provider_call *c;
	struct http_call http = { .method = NULL };
	struct err e;

	on_build = look_inside;
	provider.flags = POSTERN_NEEDS_CONTENT;
	ck_assert_int_eq(run(&c, &e), 0);
	provider_call_http(c, &http);
	ck_assert_ptr_null(http.headers[0]);
	ck_assert_uint_eq(http.body_size, 0);
	ck_assert(!provider_call_sends_message(c));
	provider_call_free(c);
}
END_TEST

static int look_at_parts(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct postern_content *c = mail->content;

	ck_assert_uint_eq(c->part_count, 2);
	ck_assert_int_eq(c->parts[0].kind, POSTERN_PART_CALENDAR);
	ck_assert(is(c->parts[0].method, "REQUEST"));
	ck_assert(is(c->parts[0].charset, "utf-8"));
	ck_assert_int_eq(c->parts[1].kind, POSTERN_PART_FILE);
	ck_assert(is(c->parts[1].disposition, "attachment"));
	ck_assert_uint_eq(c->parts[1].size, 9000);
	ck_assert_str_eq(
	    host->decode(
		r, (struct postern_str){ "=?utf-8?q?=C3=BC?=\r\n x", 22 }),
	    "\xc3\xbc x");
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	(void)host->body(r, "{", 1);
	(void)host->body_json(r, c->text);
	(void)host->body_part(r, 1, POSTERN_BASE64);
	(void)host->body_part(r, 0, POSTERN_JSON_STRING);
	(void)host->body_part(r, 1, POSTERN_AS_IS);
	return host->body(r, "}", 1);
}

/* Text and a file, both long enough to be referred to. */
static void use_message_with_parts(void)
{
	struct buf header, body;
	int rc = 0;

	buf_init(&header, 4096);
	buf_init(&body, 1024 * 1024);
	rc |= buf_add_str(&header,
	    "From: a@x.example\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	rc |= buf_add_str(&body, "--b\r\n\r\n");
	for (int i = 0; i < 4000; i++)
		rc |= buf_add_str(&body, "\"text\"\r\n");
	rc |= buf_add_str(&body,
	    "--b\r\nContent-Type: text/calendar; method=REQUEST;"
	    " charset=utf-8\r\n\r\nBEGIN:\r\n\"VCALENDAR\"\r\n"
	    "--b\r\nContent-Type: application/x\r\n"
	    "Content-Disposition: attachment\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	for (int i = 0; i < 3000; i++)
		rc |= buf_add_str(&body, i % 19 ? "YWJj" : "YWJj\r\n");
	rc |= buf_add_str(&body, "\r\n--b--\r\n");
	ck_assert_int_eq(rc, 0);
	message_unref(message);
	message = message_new(&header, &body, 0);
	input.message = message;
}

static void read_in_steps(const struct http_call *http, size_t step, char *out)
{
	for (uint64_t at = 0; at < http->body_size; at += step) {
		uint64_t left = http->body_size - at;
		size_t len = left < step ? (size_t)left : step;
		ck_assert_int_eq(http->body_read(http->ctx, at, out + at, len),
		    (ptrdiff_t)len);
	}
}

START_TEST(a_body_of_references_reads_alike_again_and_again)
{
	static const size_t steps[] = { 65536, 1, 7, 4096, 65536 };
	struct provider_call *c;
	struct http_call http = { .method = NULL };
	struct err e;
	char *first, *again;

	on_build = look_at_parts;
	provider.flags = POSTERN_NEEDS_CONTENT;
	use_message_with_parts();
	ck_assert_int_eq(run(&c, &e), 0);
	provider_call_http(c, &http);
	ck_assert_uint_eq(http.body_size,
	    1 + (4000 * 12 - 4) + 12000 + strlen("BEGIN:\\r\\n") +
		strlen("\\\"VCALENDAR\\\"") + 9000 + 1);
	first = malloc(http.body_size);
	again = malloc(http.body_size);
	read_in_steps(&http, 1000, first);
	ck_assert_mem_eq(first, "{\\\"text\\\"\\r\\n", 13);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		read_in_steps(&http, steps[i], again);
		ck_assert_mem_eq(first, again, http.body_size);
	}
	ck_assert_mem_eq(again + http.body_size - 4, "abc}", 4);
	/* What is kept is the text, once. */
	ck_assert_uint_lt(provider_call_held(c), 256 * 1024);
	free(first);
	free(again);
	provider_call_free(c);
}
END_TEST

static int refuse(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	return host->refuse(r, "too odd");
}

static int refuse_together(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	return host->refuse_together(r, "one by one");
}

static int refuse_and_go_on(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)refuse(mail, host, r);
	return 0;
}

START_TEST(passes_a_refusal_on)
{
	struct provider_call *c;
	struct err e;

	on_build = refuse;
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	ck_assert_str_eq(e.text, "too odd");
	provider_call_free(c);
	on_build = refuse_and_go_on;
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	provider_call_free(c);
}
END_TEST

START_TEST(tells_who_cannot_go_together)
{
	struct provider_call *c;
	struct err e;

	on_build = refuse_together;
	ck_assert_int_eq(run(&c, &e), -E2BIG);
	ck_assert_str_eq(e.text, "one by one");
	provider_call_free(c);
	/* It cannot be parted any more. */
	input.recipient_count = 1;
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	ck_assert_int_eq(e.code, -EINVAL);
	provider_call_free(c);
}
END_TEST

static int forget_url(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	return host->method(r, "POST");
}

static int ignore_failure(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	(void)host->header(r, "A", "b\r\nc");
	return 0;
}

static int fail_silently(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	(void)host;
	(void)r;
	return -EINVAL;
}

START_TEST(sends_no_half_request)
{
	static const struct {
		int (*build)(const struct postern_mail *mail,
		    const struct postern_host *host, struct postern_request *r);
		int expected;
	} cases[] = {
		{ forget_url, -EPROTO },
		{ ignore_failure, -EBADMSG },
		{ fail_silently, -EPROTO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct provider_call *c;
		struct err e;
		on_build = cases[i].build;
		ck_assert_int_eq(run(&c, &e), cases[i].expected);
		ck_assert(e.text[0] != '\0');
		provider_call_free(c);
	}
}
END_TEST

START_TEST(holds_to_the_limits_of_the_module)
{
	struct provider_call *c;
	struct err e;

	on_build = look;
	provider.limits.recipients = 1;
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	ck_assert(strstr(e.text, "recipients"));
	provider_call_free(c);
	provider.limits = (struct postern_limits){ .message_size = 10 };
	ck_assert_int_eq(run(&c, &e), -EMSGSIZE);
	ck_assert(strstr(e.text, "larger"));
	provider_call_free(c);
	provider_call_free(NULL);
}
END_TEST

static int add_content(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	(void)mail;
	return host->body_message(r, POSTERN_BASE64);
}

/* The message fits, its base64 does not. */
START_TEST(counts_the_request_of_who_takes_content)
{
	struct provider_call *c;
	struct err e;

	on_build = add_content;
	provider.limits.message_size = message_size(message);
	ck_assert_int_eq(run(&c, &e), 0);
	provider_call_free(c);
	provider.flags = POSTERN_NEEDS_CONTENT;
	ck_assert_int_eq(run(&c, &e), -EMSGSIZE);
	ck_assert(strstr(e.text, "request of"));
	provider_call_free(c);
	provider.limits.message_size *= 2;
	ck_assert_int_eq(run(&c, &e), 0);
	provider_call_free(c);
}
END_TEST

/* The header said anew, and one more field. */
static int say_header(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	struct postern_str header = host->message_header(r);
	char fields[256];

	(void)mail;
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	ck_assert(header.len > 0 && header.ptr[header.len - 1] == '\n');
	(void)snprintf(fields, sizeof(fields), "%.*sX: y\r\n", (int)header.len,
	    header.ptr);
	return host->body_changed(r,
	    (struct postern_str){ fields, strlen(fields) }, NULL,
	    POSTERN_AS_IS);
}

START_TEST(gives_the_header_to_be_said_anew)
{
	static const char expected[] =
	    "From: =?utf-8?q?J=C3=B6?= <a@x.example>\r\n"
	    "Bcc: hidden@x.example\r\n"
	    "To: ann@dest.example,\r\n bob@dest.example\r\n"
	    "Subject:  one\r\n\ttwo \r\nX: y\r\n\r\nhello\r\n";
	struct provider_call *c;
	struct buf body;
	struct err e;

	on_build = say_header;
	ck_assert_int_eq(run(&c, &e), 0);
	buf_init(&body, 4096);
	ck_assert_int_eq(provider_call_body(c, &body), 0);
	ck_assert(span_eq(buf_span(&body), span_of(expected)));
	buf_finish(&body);
	provider_call_free(c);
}
END_TEST

static void use_message(const char *header, const char *line, size_t lines)
{
	struct buf head, body;
	int rc = 0;

	buf_init(&head, 4096);
	buf_init(&body, 1024 * 1024);
	ck_assert_int_eq(buf_add_str(&head, header), 0);
	for (size_t i = 0; rc == 0 && i < lines; i++)
		rc = buf_add_str(&body, line);
	ck_assert_int_eq(rc, 0);
	message_unref(message);
	message = message_new(&head, &body, 0);
	input.message = message;
}

/* A body that no memory holds, of letters; how often it was read. */
static int reads;

static ssize_t read_letters(
    struct message_source *s, uint64_t offset, void *out, size_t len)
{
	(void)s;
	(void)offset;
	memset(out, 'a', len);
	reads++;
	return (ssize_t)len;
}

static void release_letters(struct message_source *s)
{
	(void)s;
}

static void use_letters(uint64_t size)
{
	static const struct message_source_ops ops = { .read = read_letters,
		.release = release_letters };
	static struct message_source source;
	struct buf head;

	buf_init(&head, 4096);
	ck_assert_int_eq(buf_add_str(&head, "From: a@x\r\n\r\n"), 0);
	source = (struct message_source){ .ops = &ops, .size = size };
	message_unref(message);
	message = message_new_from(&head, &source);
	ck_assert_ptr_nonnull(message);
	input.message = message;
	reads = 0;
}

START_TEST(calls_small_messages_light)
{
	ck_assert(!provider_call_is_heavy(&provider, &input));
	/* Taken apart, a message is heavy sooner. */
	provider.flags = POSTERN_NEEDS_7BIT | POSTERN_NEEDS_SHORT_LINES;
	use_message("From: a@x\r\n\r\n", "u\r\n", 20000);
	ck_assert(!provider_call_is_heavy(&provider, &input));
	use_message("From: a@x\r\n\r\n", "\xfc\r\n", 20000);
	ck_assert(provider_call_is_heavy(&provider, &input));
	provider.flags = POSTERN_NEEDS_SHORT_LINES;
	ck_assert(!provider_call_is_heavy(&provider, &input));
	use_message("From: a@x\r\n\r\n", "\xfc\r\n", 50000);
	ck_assert(provider_call_is_heavy(&provider, &input));
}
END_TEST

START_TEST(reads_no_file_to_see_whether_a_message_is_heavy)
{
	use_letters(60000);
	ck_assert(!provider_call_is_heavy(&provider, &input));
	provider.flags = POSTERN_NEEDS_SHORT_LINES;
	ck_assert(provider_call_is_heavy(&provider, &input));
	ck_assert_int_eq(reads, 0);
}
END_TEST

/* What it is shown fits to what it appends. */
static int look_at_encoded(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	char first[65], second[65];

	ck_assert_uint_eq(mail->header_count, 3);
	ck_assert(is(mail->headers[1].name, "MIME-Version"));
	ck_assert(is(mail->headers[2].name, "Content-Transfer-Encoding"));
	ck_assert(is(mail->headers[2].value, "quoted-printable"));
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	(void)host->body_message(r, POSTERN_AS_IS);
	ck_assert_int_eq(host->body_sha256(r, first), 0);
	ck_assert_int_eq(host->body_sha256(r, second), 0);
	ck_assert_str_eq(first, second);
	return host->body_changed(
	    r, host->message_header(r), NULL, POSTERN_JSON_STRING);
}

START_TEST(a_message_is_encoded_for_who_needs_it)
{
#define ENCODED(crlf)                                                          \
	"From: a@x" crlf "MIME-Version: 1.0" crlf                              \
	"Content-Transfer-Encoding: quoted-printable" crlf crlf                \
	"Gr=FC=DFe" crlf
	static const char expected[] = ENCODED("\r\n") ENCODED("\\r\\n");
	struct provider_call *c;
	struct buf body;
	struct err e;

	on_build = look_at_encoded;
	use_message("From: a@x\r\n\r\n",
	    "Gr\xfc\xdf"
	    "e\r\n",
	    1);
	provider.flags = POSTERN_NEEDS_7BIT;
	ck_assert_int_eq(run(&c, &e), 0);
	ck_assert(provider_call_is_recoded(c));
	buf_init(&body, 4096);
	for (int i = 0; i < 2; i++) {
		buf_clear(&body);
		ck_assert_int_eq(provider_call_body(c, &body), 0);
		ck_assert(span_eq(buf_span(&body), span_of(expected)));
	}
	buf_finish(&body);
	provider_call_free(c);
}
END_TEST

static int append_json(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)mail;
	(void)host->method(r, "POST");
	(void)host->url(r, "https://a.example/");
	return host->body_message(r, POSTERN_JSON_STRING);
}

START_TEST(a_header_that_is_not_utf8_is_refused_as_json)
{
	struct provider_call *c;
	struct err e;

	on_build = append_json;
	provider.flags = POSTERN_NEEDS_7BIT;
	use_message("From: a@x\r\nSubject: \xfc\r\n\r\n", "\xfc\r\n", 1);
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	ck_assert(strstr(e.text, "RFC 2047"));
	provider_call_free(c);
}
END_TEST

START_TEST(a_signed_line_that_is_too_long_is_refused)
{
	struct provider_call *c;
	struct err e;

	on_build = add_content;
	provider.flags = POSTERN_NEEDS_SHORT_LINES;
	use_message(
	    "From: a@x\r\nDKIM-Signature: v=1\r\n\r\n", "abcdefghij", 100);
	ck_assert_int_eq(run(&c, &e), -EINVAL);
	ck_assert(strstr(e.text, "998"));
	provider_call_free(c);
}
END_TEST

/* It fits as it came, and not as it would go out. */
START_TEST(what_grows_too_large_is_refused)
{
	struct provider_call *c;
	struct err e;

	on_build = add_content;
	use_message("From: a@x\r\n\r\n", "abcdefghij\xfc\r\n", 100);
	provider.limits.message_size = message_size(message);
	ck_assert_int_eq(run(&c, &e), 0);
	ck_assert(!provider_call_is_recoded(c));
	provider_call_free(c);
	provider.flags = POSTERN_NEEDS_7BIT;
	ck_assert_int_eq(run(&c, &e), -EMSGSIZE);
	provider_call_free(c);
}
END_TEST

START_TEST(what_is_far_too_large_is_refused_unread)
{
	struct provider_call *c;
	struct err e;

	on_build = add_content;
	use_letters(60000);
	provider.flags = POSTERN_NEEDS_SHORT_LINES;
	provider.limits.message_size = 10000;
	ck_assert_int_eq(run(&c, &e), -EMSGSIZE);
	ck_assert_int_eq(reads, 0);
	provider_call_free(c);
}
END_TEST

/* Letters that were written with three characters each. */
START_TEST(what_shrinks_enough_is_taken)
{
	struct provider_call *c;
	struct err e;

	on_build = add_content;
	use_message("From: a@x\r\nMIME-Version: 1.0\r\nContent-Transfer-"
		    "Encoding: quoted-printable\r\n\r\n",
	    "=61", 1000);
	provider.flags = POSTERN_NEEDS_SHORT_LINES;
	provider.limits.message_size = message_size(message) / 2;
	ck_assert_int_eq(run(&c, &e), 0);
	ck_assert(provider_call_is_recoded(c));
	provider_call_free(c);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.call");
	TCase *t = tcase_create("call");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, shows_envelope_and_header);
	tcase_add_test(t, shows_content_to_those_who_need_it);
	tcase_add_test(t, a_body_of_references_reads_alike_again_and_again);
	tcase_add_test(t, passes_a_refusal_on);
	tcase_add_test(t, tells_who_cannot_go_together);
	tcase_add_test(t, sends_no_half_request);
	tcase_add_test(t, holds_to_the_limits_of_the_module);
	tcase_add_test(t, counts_the_request_of_who_takes_content);
	tcase_add_test(t, gives_the_header_to_be_said_anew);
	tcase_add_test(t, calls_small_messages_light);
	tcase_add_test(t, reads_no_file_to_see_whether_a_message_is_heavy);
	tcase_add_test(t, a_message_is_encoded_for_who_needs_it);
	tcase_add_test(t, a_header_that_is_not_utf8_is_refused_as_json);
	tcase_add_test(t, a_signed_line_that_is_too_long_is_refused);
	tcase_add_test(t, what_grows_too_large_is_refused);
	tcase_add_test(t, what_is_far_too_large_is_refused_unread);
	tcase_add_test(t, what_shrinks_enough_is_taken);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
