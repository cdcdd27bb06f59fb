/* Resend /emails: addresses are strings, errors have a name. */
#include <sandbox/api.h>

#include <inttypes.h>
#include <stdio.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 54 * 1000 * 1000,
	TO_MAX = 50,
	KEY_MAX = 256
};

#define WRONG .wrong = "validation_error", .missing = "missing_required_field"

static const struct api_field attachment_fields[] = {
	{ "filename", API_FILENAME, API_REQUIRED,
	    .wrong = "invalid_attachment" },
	{ "content", API_BASE64, API_REQUIRED, .wrong = "invalid_attachment" },
	{ "content_type", API_TEXT, .wrong = "invalid_attachment" },
	{ "content_id", API_TEXT, .wrong = "invalid_attachment" },
	{ .name = NULL },
};

static const struct api_field tag_fields[] = {
	{ "name", API_NAME, API_REQUIRED, .max = 256, WRONG },
	{ "value", API_NAME, API_REQUIRED, .max = 256, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "from", API_LINE, API_REQUIRED | API_SENDER | API_ONE,
	    .wrong = "invalid_from_address",
	    .missing = "missing_required_field" },
	{ "to", API_MAILBOXES, API_REQUIRED | API_RECIPIENT, .max = TO_MAX,
	    WRONG },
	{ "cc", API_MAILBOXES, API_RECIPIENT, WRONG },
	{ "bcc", API_MAILBOXES, API_RECIPIENT, WRONG },
	{ "reply_to", API_MAILBOXES, WRONG },
	{ "subject", API_TEXT, API_REQUIRED, WRONG },
	{ "text", API_STRING, WRONG },
	{ "html", API_STRING, WRONG },
	{ "headers", API_MAP, WRONG },
	{ "attachments", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ "tags", API_OBJECTS, WRONG, .fields = tag_fields },
	{ .name = NULL },
};

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_json(out, status,
	    json_pack("{s:i, s:s, s:o}", "statusCode", status, "name", code,
		"message", reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = { { 400, "validation_error" }, { 401, "missing_api_key" },
		{ 403, "invalid_api_key" }, { 404, "not_found" },
		{ 405, "method_not_allowed" }, { 429, "rate_limit_exceeded" },
		{ 500, "application_error" }, { 503, "service_unavailable" } };
	const char *code = "error";

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status)
			code = codes[i].code;
	}
	refuse(out, status, code, fake_status_text(status));
}

static bool more(struct api_exam *x)
{
	const json_t *text = json_object_get(x->root, "text");
	const json_t *html = json_object_get(x->root, "html");
	const char *key = httpd_header(x->r, "Idempotency-Key");

	if (!httpd_header(x->r, "User-Agent")) {
		x->api->refuse(x->out, 403, "1010", "error code: 1010");
		return false;
	}
	if (key && (!*key || strlen(key) > KEY_MAX))
		return api_wrong(x, "invalid_idempotency_key",
		    "The key must be between 1-256 chars.");
	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x, "missing_required_field",
		    "Missing `html` or `text` field.");
	return true;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	char id[API_UUID_SIZE];

	api_uuid(id);
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", id);
	fake_answer_json(x->out, 200, json_pack("{s:s}", "id", id));
}

/* The reset is so many seconds away. */
static void tell_limit(
    struct fake_answer *out, const struct limit *l, uint64_t now_s)
{
	fake_answer_header(out, "ratelimit-limit: %" PRIu64, l->calls);
	fake_answer_header(out, "ratelimit-remaining: %" PRIu64, limit_left(l));
	fake_answer_header(
	    out, "ratelimit-reset: %" PRIu64, l->reset_s - now_s);
}

static const struct api api = {
	.path = "/emails",
	.key_header = "Authorization",
	.key_begin = "Bearer re_",
	.max_request = REQUEST_MAX,
	.bad_status = 422,
	.unknown = "validation_error",
	.bad_address = "Invalid `",
	.bad_address_end = "` field: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

/* A key that begins with re_only may do nothing but send. */
static void account(struct httpd_request *r, struct fake_answer *out)
{
	struct span key = span_of(httpd_header(r, "Authorization"));

	if (span_starts_with(key, SPAN("Bearer re_only")))
		refuse(out, 401, "restricted_api_key",
		    "This API key is restricted to only send emails");
	else
		fake_answer_json(out, 200, json_pack("{s:[]}", "data"));
}

static const struct spelling spelling = {
	.from = "from",
	.reply_to = "reply_to",
	.to = "to",
	.cc = "cc",
	.bcc = "bcc",
	.subject = "subject",
	.text = "text",
	.html = "html",
	.headers = "headers",
	.files = "attachments",
	.type = "content_type",
	.metadata = "tags",
};

const struct fake fake_resend = {
	.name = "resend",
	.account_path = "/domains",
	.account = account,
	.check = api_check,
	.fail = fail,
	.tell_limit = tell_limit,
	.api = &api,
	.spelling = &spelling,
};
