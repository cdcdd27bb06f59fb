/*
 * A provider that takes anything: POST /raw. For modules under development
 * and for looking at what a generic HTTP call sends.
 */
#include <sandbox/fake.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sandbox/addr.h>
#include <sandbox/spelling.h>

static void fail(struct fake_answer *a, int status)
{
	fake_answer_json(
	    a, status, json_pack("{s:s}", "error", fake_status_text(status)));
}

/* A member that is a string, or a list of strings. */
static void take_recipients(const json_t *value, struct letter *l)
{
	size_t i;
	const json_t *item;

	if (json_is_string(value))
		(void)letter_add_recipient(
		    l, span_make(json_string_value(value),
			   json_string_length(value)));
	json_array_foreach(value, i, item)
	    take_recipients(json_is_string(item) ? item : NULL, l);
}

/* The envelope as Postern's own raw module sends it. */
static void take_envelope(struct httpd_request *r, struct letter *l)
{
	const char *sender = httpd_header(r, "X-Postern-Sender");
	struct span rest = span_of(httpd_header(r, "X-Postern-Recipients"));

	if (sender && *sender)
		(void)letter_set_sender(l, span_of(sender));
	while (rest.ptr) {
		struct span address = span_trim(addr_next(&rest));

		if (address.len > 0)
			(void)letter_add_recipient(l, address);
	}
}

static enum letter_kind kind_of(struct httpd_request *r)
{
	const char *type = httpd_header(r, "Content-Type");
	struct span s = span_of(type);

	if (span_istarts_with(s, SPAN("message/rfc822")))
		return LETTER_MIME;
	return span_istarts_with(s, SPAN("application/json")) ? LETTER_JSON
							      : LETTER_OTHER;
}

static void check(const struct fake *self, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct span body = httpd_body(r);
	enum letter_kind kind = kind_of(r);

	(void)self;
	(void)s;
	if (!fake_take(out, &fake_raw, kind, body))
		return;
	take_envelope(r, out->letter);
	if (kind == LETTER_JSON) {
		json_t *root = json_loadb(body.ptr, body.len, 0, NULL);

		take_recipients(
		    json_object_get(root, "recipients"), out->letter);
		take_recipients(json_object_get(root, "to"), out->letter);
		json_decref(root);
	}
	(void)snprintf(out->letter->provider_id,
	    sizeof(out->letter->provider_id), "%s", out->letter->id);
	fake_answer_header(out, "X-Message-Id: %s", out->letter->id);
	fake_answer_json(out, 202, json_pack("{s:s}", "id", out->letter->id));
}

/* As the IETF drafts of RateLimit fields have it: seconds from now. */
static void tell_limit(
    struct fake_answer *out, const struct limit *l, uint64_t now_s)
{
	fake_answer_header(out, "RateLimit-Limit: %" PRIu64, l->calls);
	fake_answer_header(out, "RateLimit-Remaining: %" PRIu64, limit_left(l));
	fake_answer_header(
	    out, "RateLimit-Reset: %" PRIu64, l->reset_s - now_s);
}

static const struct spelling spelling = {
	.from = "from",
	.to = "to",
	.subject = "subject",
	.text = "text",
	.html = "html",
};

const struct fake fake_raw = {
	.name = "raw",
	.check = check,
	.fail = fail,
	.tell_limit = tell_limit,
	.spelling = &spelling,
};
