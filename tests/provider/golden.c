/*
 * golden MODULES NAME DIR: load module NAME, prepare and build every
 * DIR/X.json and compare with DIR/X.request; judge every answer in
 * DIR/answers.txt. With POSTERN_GOLDEN=write the request files are written
 * instead and outcomes that differ are printed, to be read before they are
 * believed.
 */
#include "case.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 16 * 1024 * 1024,
	HEADERS_MAX = 32,
	RECIPIENTS_MAX = 100
};

static unsigned failures, checks;

static void fail(const char *what, struct span got, struct span expected)
{
	failures++;
	(void)fprintf(stderr, "%s: got\n%.*s\nexpected\n%.*s\n\n", what,
	    SPAN_FMT(got), SPAN_FMT(expected));
}

/* --- requests --- */

/* As the session would be, when the server offers all there is. */
static int render_envelope(const struct http_smtp *how, struct buf *out)
{
	static const char *const tls[] = {
		[HTTP_SMTP_TLS_REQUIRED] = "TLS required\n",
		[HTTP_SMTP_TLS_OPPORTUNISTIC] = "TLS opportunistic\n",
		[HTTP_SMTP_TLS_NONE] = "",
	};
	int rc = buf_add_str(out, tls[how->tls]);

	if (rc == 0 && how->user)
		rc = buf_printf(out, "AUTH %s %s\n", how->user, how->password);
	if (rc == 0)
		rc = buf_printf(out, "MAIL FROM:<%.*s>%s\n",
		    SPAN_FMT(how->sender), how->needs_utf8 ? " SMTPUTF8" : "");
	for (size_t i = 0; rc == 0 && i < how->recipient_count; i++)
		rc = buf_printf(
		    out, "RCPT TO:<%.*s>\n", SPAN_FMT(how->recipients[i]));
	return rc;
}

static void render(const struct http_call *http, struct buf *out)
{
	int rc = buf_printf(out, "%s %s\n", http->method, http->url);
	uint64_t offset = 0;

	for (const char *const *h = http->headers; *h; h++)
		rc = rc < 0 ? rc : buf_printf(out, "%s\n", *h);
	if (rc == 0 && http->smtp)
		rc = render_envelope(http->smtp, out);
	rc = rc < 0 ? rc : buf_add_str(out, "\n");
	while (rc == 0 && offset < http->body_size) {
		ptrdiff_t n = -1;
		rc = buf_reserve(out, 4096);
		if (rc == 0)
			n = http->body_read(
			    http->ctx, offset, buf_tail(out), 4096);
		if (n <= 0)
			die("the body could not be read");
		buf_commit(out, (size_t)n);
		offset += (uint64_t)n;
	}
	if (rc < 0)
		die("the request could not be written down");
}

static void write_file(const char *path, struct span text)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(text.ptr, 1, text.len, f) != text.len)
		die("%s: cannot be written", path);
	(void)fclose(f);
}

static void compare(const char *path, struct span got)
{
	struct buf expected;

	if (getenv("POSTERN_GOLDEN")) {
		write_file(path, got);
		return;
	}
	read_file(path, &expected);
	if (!span_eq(got, buf_span(&expected)))
		fail(path, got, buf_span(&expected));
	buf_finish(&expected);
}

/* What a preparation of the case comes to: its requests, and a grant. */
static struct provider_grant *prepare(const struct postern_provider *p,
    const void *settings, struct golden_case *c, struct buf *got)
{
	const struct provider_world world = {
		.env = golden_case_env, .file = golden_case_file, .ctx = c
	};
	struct provider_preparation *prep =
	    provider_preparation_new(p, settings, &world);
	struct provider_grant *grant = NULL;
	enum provider_step step;

	if (!prep)
		die("out of memory");
	if (json_is_true(json_object_get(c->json, "rehearsal")))
		provider_preparation_rehearse(prep);
	for (;;) {
		struct http_call http;
		struct http_response response;
		step = provider_preparation_step(prep, c->input.now);
		if (step != PROVIDER_STEP_SEND)
			break;
		provider_preparation_http(prep, &http);
		render(&http, got);
		if (buf_add_str(got, "\n---\n") < 0)
			die("out of memory");
		golden_case_answer(c, &response);
		provider_preparation_answer(prep, &response);
	}
	golden_case_note(c, provider_preparation_source(prep));
	if (step == PROVIDER_STEP_GRANTED)
		grant = provider_preparation_grant(prep);
	else if (buf_printf(got, "not prepared, %s: %s\n",
		     provider_class_name(provider_preparation_class(prep)),
		     provider_preparation_reason(prep)) < 0)
		die("out of memory");
	provider_preparation_free(prep);
	return grant;
}

static void build(const struct postern_provider *p, const void *settings,
    struct golden_case *c, struct buf *got, struct err *e)
{
	struct provider_call *call = provider_call_new(&c->input);
	struct http_call http;

	if (!call)
		die("out of memory");
	if (provider_call_build(call, p, settings, e) == 0) {
		provider_call_http(call, &http);
		render(&http, got);
	}
	provider_call_free(call);
}

/* What the account is said to be, after the requests that ask for it. */
static void inquire(const struct postern_provider *p, const void *settings,
    struct golden_case *c, struct provider_grant *grant, struct buf *got)
{
	struct provider_inquiry *q = provider_inquiry_new(p, settings, grant);
	const struct postern_inquiry *told;

	if (!q)
		die("out of memory");
	while (provider_inquiry_step(q, c->input.now)) {
		struct http_call http;
		struct http_response response;
		provider_inquiry_http(q, &http);
		render(&http, got);
		if (buf_add_str(got, "\n---\n") < 0)
			die("out of memory");
		golden_case_answer(c, &response);
		provider_inquiry_answer(q, &response);
	}
	told = provider_inquiry_told(q);
	if (buf_printf(got,
		"%s%s%s, %g %s per second, quota %llu of %llu in %llu ms"
		": %s\n",
		provider_class_name(told->result),
		told->is_closed ? " closed" : "",
		told->is_send_only ? " send only" : "", told->per_second,
		told->counts_recipients ? "recipients" : "calls",
		(unsigned long long)told->quota_left,
		(unsigned long long)told->quota,
		(unsigned long long)told->quota_ms, told->reason) < 0)
		die("out of memory");
	provider_inquiry_free(q);
}

static void check_build(const struct postern_provider *p, const char *path,
    const char *expected_path)
{
	struct golden_case c;
	struct provider_grant *grant = NULL;
	struct err e = { .code = 0 };
	struct buf got;
	void *settings;

	checks++;
	golden_case_load(&c, path);
	settings = settings_make(
	    p->fields, p->settings_size, json_object_get(c.json, "settings"));
	if (p->check && p->check(settings))
		die("%s: %s", path, p->check(settings));
	buf_init(&got, TEXT_MAX);
	if (provider_prepares(p))
		grant = prepare(p, settings, &c, &got);
	c.input.grant = grant;
	if (json_is_true(json_object_get(c.json, "inquire")))
		inquire(p, settings, &c, grant, &got);
	else if (grant || !provider_prepares(p))
		build(p, settings, &c, &got, &e);
	if (grant && !golden_case_is_due(&c, grant->expires))
		fail(path, SPAN("another expiry"), SPAN("that of the case"));
	if (c.refused &&
	    (e.code != c.refusal || strcmp(c.refused, e.text) != 0))
		fail(path, span_of(e.text), span_of(c.refused));
	else if (!c.refused && e.code < 0)
		fail(path, span_of(e.text), SPAN("a request"));
	else if (!c.refused)
		compare(expected_path, buf_span(&got));
	provider_grant_unref(grant);
	buf_finish(&got);
	settings_free(settings, p->fields);
	golden_case_finish(&c);
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".json") == 0;
}

static void check_requests(const struct postern_provider *p, const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_case, alphasort);

	if (n < 0)
		die("%s: cannot be read", dir);
	for (int i = 0; i < n; i++) {
		char path[4096], expected[4096];
		int stem = (int)(strlen(names[i]->d_name) - strlen(".json"));
		(void)snprintf(
		    path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		(void)snprintf(expected, sizeof(expected), "%s/%.*s.request",
		    dir, stem, names[i]->d_name);
		check_build(p, path, expected);
		free(names[i]);
	}
	free(names);
}

/* --- answers --- */

struct answer {
	struct span title, body, expected;
	struct http_header headers[HEADERS_MAX];
	struct http_response response;
	size_t recipient_count;
	struct postern_str recipients[RECIPIENTS_MAX]; /* when told */
	bool is_repeat;
};

/* "a@b.example,c@d.example" */
static void parse_recipients(struct answer *a, struct span list)
{
	for (a->recipient_count = 0; list.ptr; a->recipient_count++) {
		struct span address = span_cut(&list, ',');
		if (a->recipient_count == RECIPIENTS_MAX)
			die("answers: too many recipients");
		a->recipients[a->recipient_count] =
		    (struct postern_str){ address.ptr, address.len };
	}
}

/* "400", "200 cut", "400 recipients=3", "200 to=a@b,c@d" */
static void parse_status(struct answer *a, struct span line)
{
	a->recipient_count = 1;
	while (line.ptr) {
		struct span word = span_cut(&line, ' ');
		unsigned long long n;
		if (span_eq(word, SPAN("cut")))
			a->response.fault = HTTP_FAULT_CUT;
		else if (span_eq(word, SPAN("repeat")))
			a->is_repeat = true;
		else if (span_starts_with(word, SPAN("recipients=")) &&
			 span_parse_u64(span_from(word, 11), 100, &n))
			a->recipient_count = (size_t)n;
		else if (span_starts_with(word, SPAN("to=")))
			parse_recipients(a, span_from(word, 3));
		else if (span_parse_u64(word, 999, &n))
			a->response.status = (int)n;
		else
			die("answers: %.*s?", SPAN_FMT(word));
	}
}

/* "### title", a status line, header lines, empty line, body, "=> outcome" */
static void parse_answer(struct answer *a, struct span block)
{
	const char *arrow = memmem(block.ptr, block.len, "\n=> ", 4);
	struct span head;

	*a = (struct answer){ .title = span_trim(span_cut(&block, '\n')) };
	if (!arrow)
		die("answers: %.*s has no outcome", SPAN_FMT(a->title));
	a->expected = span_from(block, (size_t)(arrow + 4 - block.ptr));
	a->expected = span_trim(span_cut(&a->expected, '\n'));
	head = span_first(block, (size_t)(arrow + 1 - block.ptr));
	parse_status(a, span_cut(&head, '\n'));
	a->response.headers = a->headers;
	while (head.ptr && head.len > 0 && head.ptr[0] != '\n') {
		struct span line = span_cut(&head, '\n');
		struct http_header *h = &a->headers[a->response.header_count++];
		if (a->response.header_count > HEADERS_MAX)
			die("answers: too many headers");
		h->name = span_cut(&line, ':');
		h->value = span_trim(line);
	}
	a->response.body = span_trim(head);
}

/* "class id=... retry_ms=... singly stale sender of=size allowed=0/500/30000
 * rejected=0,2: reason", as it applies */
static void render_outcome(const struct provider_result *result,
    size_t recipient_count, struct buf *out)
{
	const struct postern_outcome *o = &result->outcome;
	static const char *const refusals[] = { "message", "size", "recipient",
		"suppressed" };
	const char *separator = " rejected=";
	int rc = buf_add_str(out, provider_class_name(o->result));

	if (o->provider_id[0])
		rc |= buf_printf(out, " id=%s", o->provider_id);
	if (o->retry_after_ms > 0)
		rc |= buf_printf(out, " retry_ms=%llu",
		    (unsigned long long)o->retry_after_ms);
	if (o->try_singly)
		rc |= buf_add_str(out, " singly");
	if (o->is_grant_stale)
		rc |= buf_add_str(out, " stale");
	if (o->is_about_sender)
		rc |= buf_add_str(out, " sender");
	if (o->refusal != POSTERN_REFUSED_MESSAGE)
		rc |= buf_printf(out, " of=%s", refusals[o->refusal]);
	if (o->has_allowance)
		rc |= buf_printf(out, " allowed=%llu/%llu/%llu",
		    (unsigned long long)o->allowed,
		    (unsigned long long)o->allowed_of,
		    (unsigned long long)o->allowed_for_ms);
	for (size_t i = 0; i < recipient_count; i++) {
		if (!(o->rejected[i / 8] >> i % 8 & 1))
			continue;
		rc |= buf_printf(out, "%s%zu", separator, i);
		separator = ",";
	}
	if (o->reason[0])
		rc |= buf_printf(out, ": %s", o->reason);
	if (rc < 0)
		die("out of memory");
}

static void check_answer(const struct postern_provider *p, struct span block)
{
	struct answer a;
	struct provider_result result;
	uint8_t rejected[16];
	void *settings = calloc(1, p->settings_size);
	struct buf got;

	checks++;
	if (!settings)
		die("out of memory");
	parse_answer(&a, block);
	const struct provider_asked asked = { .recipient_count =
						  a.recipient_count,
		.recipients = a.recipients[0].ptr ? a.recipients : NULL,
		.now = 1440938160,
		.is_repeat = a.is_repeat };
	provider_classify(p, settings, &a.response, &asked, rejected, &result);
	buf_init(&got, TEXT_MAX);
	render_outcome(&result, a.recipient_count, &got);
	if (!span_eq(buf_span(&got), a.expected)) {
		char title[128];
		(void)snprintf(
		    title, sizeof(title), "answers: %.*s", SPAN_FMT(a.title));
		fail(title, buf_span(&got), a.expected);
	}
	buf_finish(&got);
	free(settings);
}

static void check_answers(const struct postern_provider *p, const char *dir)
{
	char path[4096];
	struct buf text;
	struct span rest;

	(void)snprintf(path, sizeof(path), "%s/answers.txt", dir);
	read_file(path, &text);
	rest = buf_span(&text);
	while (rest.len > 4) {
		const char *next =
		    memmem(rest.ptr + 4, rest.len - 4, "\n### ", 5);
		size_t len = next ? (size_t)(next - rest.ptr) + 1 : rest.len;
		if (!span_starts_with(rest, SPAN("### ")))
			die("%s: must start with ###", path);
		check_answer(p, span_from(span_first(rest, len), 4));
		rest = span_from(rest, len);
	}
	buf_finish(&text);
}

int main(int argc, char **argv)
{
	const struct postern_provider *p;
	struct err e;

	if (argc != 4)
		die("usage: golden MODULES NAME DIR");
	mime_library_init();
	provider_set_directory(argv[1]);
	p = provider_load(argv[2], &e);
	if (!p)
		die("%s", e.text);
	check_requests(p, argv[3]);
	check_answers(p, argv[3]);
	(void)printf("%u checks, %u failures\n", checks, failures);
	return failures || checks == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
