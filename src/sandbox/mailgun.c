/*
 * Mailgun v3 messages.mime: basic authentication, multipart/form-data, the
 * envelope in `to` and the message as a file; errors in its form.
 */
#include <sandbox/fake.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <base/date.h>
#include <sandbox/addr.h>
#include <sandbox/mime_check.h>
#include <sandbox/multipart.h>

#define MAILGUN_PREFIX "/mailgun/v3/"
#define MAILGUN_SUFFIX "/messages.mime"

enum {
	REQUEST_MAX = 52 * 1024 * 1024 + 400 * 1024, /* 52.4 MiB */
	MESSAGE_MAX = 25 * 1024 * 1024,
	RECIPIENTS_MAX = 1000,
	OPTIONS_MAX = 16 * 1024,
	TAG_MAX = 128,
	CREDENTIALS_MAX = 256
};

/* -- answers -- */

static void answer_error(struct fake_answer *a, int status, const char *text)
{
	fake_answer_json(a, status, json_pack("{s:s}", "message", text));
}

static void fail(struct fake_answer *a, int status)
{
	if (status == 401) {
		a->status = 401;
		a->content_type = "text/plain";
		fake_answer_header(
		    a, "WWW-Authenticate: Basic realm=\"MG API\"");
		(void)buf_add_str(&a->body, "Forbidden");
	} else if (status == 404) {
		answer_error(a, 404, "Domain not found");
	} else if (status == 429) {
		answer_error(a, 429,
		    "Domain is not allowed to send: rate "
		    "limit exceeded, try again after 120 seconds");
	} else {
		answer_error(a, status, fake_status_text(status));
	}
}

/* -- head -- */

/* Basic base64("api:key-...") */
static bool is_authorized(struct httpd_request *r)
{
	const char *header = httpd_header(r, "Authorization");
	char text[CREDENTIALS_MAX];

	if (!header || strncmp(header, "Basic ", 6) != 0 ||
	    strlen(header + 6) > sizeof(text))
		return false;
	ptrdiff_t len = b64_decode(span_of(header + 6), text);
	return len > 0 &&
	       span_starts_with(
		   span_make(text, (size_t)len), SPAN("api:key-")) &&
	       len > 8;
}

/* The {domain} of the path; empty when the path is another. */
static struct span domain_of(const char *path)
{
	const struct span suffix = SPAN(MAILGUN_SUFFIX);
	struct span s = span_of(path);

	if (!span_starts_with(s, SPAN(MAILGUN_PREFIX)))
		return SPAN("");
	s = span_from(s, sizeof(MAILGUN_PREFIX) - 1);
	if (s.len <= suffix.len || !span_iends_with(s, suffix))
		return SPAN("");
	s = span_first(s, s.len - suffix.len);
	return span_index(s, '/') >= 0 ? SPAN("") : s;
}

static bool check_head(struct httpd_request *r, struct fake_answer *out)
{
	if (domain_of(httpd_path(r)).len == 0)
		fail(out, 404);
	else if (strcmp(httpd_method(r), "POST") != 0)
		fail(out, 405);
	else if (!is_authorized(r))
		fail(out, 401);
	else if (httpd_body(r).len > REQUEST_MAX)
		fail(out, 413);
	return out->status == 0;
}

/* -- form -- */

struct form {
	struct span message;
	bool has_message, is_file, has_to;
	size_t recipients, option_bytes;
};

static bool is_one_of(struct span value, const char *const *words)
{
	for (; *words; words++) {
		if (span_eq(value, span_of(*words)))
			return true;
	}
	return false;
}

/* NULL, or what is wrong with an o: option. */
static const char *check_option(struct span name, struct span value)
{
	static const char *const flags[] = { "yes", "no", "true", "false",
		"True", "False", NULL };
	static const char *const tracking[] = { "yes", "no", "true", "false",
		"htmlonly", NULL };
	int64_t time;

	if (span_eq(name, SPAN("o:tag")))
		return value.len == 0 || value.len > TAG_MAX ||
			       !span_is_ascii(value)
			   ? "o:tag must be at most 128 ASCII characters"
			   : NULL;
	if (span_eq(name, SPAN("o:tracking")) ||
	    span_eq(name, SPAN("o:tracking-clicks")))
		return is_one_of(value, tracking) ? NULL
						  : "invalid tracking option";
	if (span_eq(name, SPAN("o:testmode")) ||
	    span_eq(name, SPAN("o:tracking-opens")) ||
	    span_eq(name, SPAN("o:dkim")) ||
	    span_eq(name, SPAN("o:require-tls")) ||
	    span_eq(name, SPAN("o:skip-verification")))
		return is_one_of(value, flags) ? NULL : "invalid option value";
	if (span_eq(name, SPAN("o:deliverytime")) &&
	    date_parse_http(value, &time) != 0 && span_index(value, '+') < 0 &&
	    span_index(value, '-') < 0)
		return "deliverytime is not an RFC-2822 compliant date";
	return NULL;
}

static const char *take_recipients(
    struct form *f, struct span list, struct letter *l)
{
	struct span address;

	f->has_to = true;
	while (list.ptr) {
		if (!addr_parse(addr_next(&list), &address))
			return "to parameter is not a valid address. please "
			       "check documentation";
		if (letter_add_recipient(l, address) != 0)
			return "out of memory";
		f->recipients++;
	}
	return NULL;
}

static bool is_option(struct span name)
{
	return name.len > 2 && name.ptr[1] == ':' &&
	       strchr("ohvt", name.ptr[0]);
}

static const char *take_part(
    struct form *f, const struct multipart_part *p, struct letter *l)
{
	if (span_eq(p->name, SPAN("to")))
		return take_recipients(f, p->body, l);
	if (span_eq(p->name, SPAN("message"))) {
		if (f->has_message)
			return "message parameter is given twice";
		f->has_message = true;
		f->is_file = p->is_file;
		f->message = p->body;
		return NULL;
	}
	if (is_option(p->name)) {
		f->option_bytes += p->name.len + p->body.len;
		return check_option(p->name, p->body);
	}
	/* A typing error in a name must not pass unseen. */
	return span_eq(p->name, SPAN("recipient-variables")) ||
		       span_eq(p->name, SPAN("template"))
		   ? NULL
		   : "unknown parameter";
}

static const char *check_form(const struct form *f)
{
	if (!f->has_to || f->recipients == 0)
		return "to parameter is missing";
	if (f->recipients > RECIPIENTS_MAX)
		return "to parameter has more than 1000 recipients";
	if (!f->has_message)
		return "message parameter is missing";
	if (!f->is_file)
		return "'message' parameter is not a file";
	if (f->option_bytes > OPTIONS_MAX)
		return "Send options (parameters starting with o:, h:, v: or "
		       "t:) are limited to 16 kB total";
	const char *why = mime_check(f->message);
	return why && strstr(why, "From") ? "from parameter is missing" : why;
}

/* All parts into f and l; NULL or what is wrong. */
static const char *read_form(
    struct httpd_request *r, struct form *f, struct letter *l)
{
	struct multipart m;
	struct multipart_part part;
	int rc;

	if (!multipart_begin(
		&m, httpd_header(r, "Content-Type"), httpd_body(r)))
		return "malformed multipart: Content-Type";
	while ((rc = multipart_next(&m, &part)) > 0) {
		const char *why = take_part(f, &part, l);

		if (why)
			return why;
	}
	return rc < 0 ? "malformed multipart" : check_form(f);
}

static void accept_letter(struct httpd_request *r, struct fake_answer *out)
{
	struct letter *l = out->letter;
	struct span domain = domain_of(httpd_path(r));
	struct span id =
	    mime_check_field(buf_span(&l->raw), SPAN("message-id"));

	if (id.len > 0)
		(void)snprintf(l->provider_id, sizeof(l->provider_id), "%.*s",
		    SPAN_FMT(id));
	else
		(void)snprintf(l->provider_id, sizeof(l->provider_id),
		    "<%s@%.*s>", l->id, SPAN_FMT(domain));
	fake_answer_json(out, 200,
	    json_pack("{s:s, s:s}", "id", l->provider_id, "message",
		"Queued. Thank you."));
}

static void check(const struct fake *self, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct form form = { .has_to = false };

	(void)self;
	(void)s;
	if (!check_head(r, out) ||
	    !fake_take(out, &fake_mailgun, LETTER_MIME, SPAN("")))
		return;
	const char *why = read_form(r, &form, out->letter);
	if (why) {
		answer_error(out, 400, why);
	} else if (form.message.len > MESSAGE_MAX) {
		fail(out, 413);
	} else {
		struct buf *raw = &out->letter->raw;

		raw->max = form.message.len + 1;
		if (buf_add_span(raw, form.message) == 0) {
			accept_letter(r, out);
			return;
		}
		fail(out, 500);
	}
	letter_free(out->letter);
	out->letter = NULL;
}

const struct fake fake_mailgun = {
	.name = "mailgun",
	.check = check,
	.fail = fail,
};
