/* Brevo v3/smtp/email: errors are a word and a sentence. */
#include <sandbox/api.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 28 * 1000 * 1000,
	RECIPIENTS_MAX = 99
};

#define WRONG .wrong = "invalid_parameter", .missing = "missing_parameter"

static const char *const allowed_kinds[] = { "xlsx", "xls", "ods", "docx",
	"docm", "doc", "csv", "pdf", "txt", "gif", "jpg", "jpeg", "png", "tif",
	"tiff", "rtf", "bmp", "cgm", "css", "shtml", "html", "htm", "zip",
	"xml", "ppt", "pptx", "tar", "ez", "ics", "mobi", "msg", "pub", "eps",
	"odt", "mp3", "m4a", "m4v", "wma", "ogg", "flac", "wav", "aif", "aifc",
	"aiff", "mp4", "mov", "avi", "mkv", "mpeg", "mpg", "wmv", "pkpass",
	"xlsm", NULL };

/* The standard ones, which have members of their own. */
static const char *const forbidden_headers[] = { "sender", "to", "cc", "bcc",
	"from", "subject", "reply-to", "content-type", "accept", "api-key",
	NULL };

static const struct api_field attachment_fields[] = {
	{ "name", API_FILENAME, API_REQUIRED, WRONG, .words = allowed_kinds },
	{ "content", API_BASE64, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "sender", API_ADDRESS, API_REQUIRED | API_SENDER, WRONG },
	{ "to", API_ADDRESSES, API_REQUIRED | API_RECIPIENT, WRONG },
	{ "cc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ "bcc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ "replyTo", API_ADDRESS, WRONG },
	{ "subject", API_TEXT, API_REQUIRED, WRONG },
	{ "textContent", API_STRING, WRONG },
	{ "htmlContent", API_STRING, WRONG },
	{ "attachment", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ "headers", API_MAP, WRONG },
	{ "tags", API_STRINGS, WRONG },
	{ .name = NULL },
};

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_json(out, status,
	    json_pack("{s:s, s:o}", "code", code, "message",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = { { 400, "bad_request" }, { 401, "unauthorized" },
		{ 402, "not_enough_credits" }, { 403, "permission_denied" },
		{ 404, "document_not_found" }, { 405, "method_not_allowed" },
		{ 406, "not_acceptable" }, { 429, "too_many_requests" },
		{ 500, "internal_error" } };
	const char *code = "error";

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status)
			code = codes[i].code;
	}
	refuse(out, status, code, fake_status_text(status));
}

static bool check_header(struct api_exam *x, const char *name, json_t *value)
{
	for (const char *const *f = forbidden_headers; *f; f++) {
		if (span_ieq(span_of(name), span_of(*f)))
			return api_wrong(x, "invalid_parameter",
			    "%.64s is not allowed in headers", name);
	}
	/* It sends what it gets, and what encoded words say, as it is. */
	if (!span_is_ascii(span_of(json_string_value(value))) ||
	    strstr(json_string_value(value), "=?"))
		return api_wrong(
		    x, "invalid_parameter", "header %.64s is not ASCII", name);
	return true;
}

static bool more(struct api_exam *x)
{
	const json_t *text = json_object_get(x->root, "textContent");
	const json_t *html = json_object_get(x->root, "htmlContent");
	json_t *headers = json_object_get(x->root, "headers"), *value;
	const char *name;

	x->is_dry = json_object_get(headers, "X-Sib-Sandbox") != NULL;
	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x, "missing_parameter",
		    "Either of htmlContent or textContent is required");
	if (x->recipients > RECIPIENTS_MAX)
		return api_wrong(x, "out_of_range",
		    "Number of recipients exceeds the limit of 99");
	json_object_foreach(headers, name, value)
	{
		if (!check_header(x, name, value))
			return false;
	}
	return true;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;

	(void)snprintf(l->provider_id, sizeof(l->provider_id),
	    "<%s@smtp-relay.mailin.fr>", l->id);
	fake_answer_json(
	    x->out, 201, json_pack("{s:s}", "messageId", l->provider_id));
}

/* The reset is so many seconds away. */
static void tell_limit(
    struct fake_answer *out, const struct limit *l, uint64_t now_s)
{
	fake_answer_header(out, "x-sib-ratelimit-limit: %" PRIu64, l->calls);
	fake_answer_header(
	    out, "x-sib-ratelimit-remaining: %" PRIu64, limit_left(l));
	fake_answer_header(
	    out, "x-sib-ratelimit-reset: %" PRIu64, l->reset_s - now_s);
}

static const struct api api = {
	.path = "/v3/smtp/email",
	.key_header = "api-key",
	.key_begin = "xkeysib-",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "invalid_parameter",
	.bad_address = "email is not valid in ",
	.bad_address_end = " ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static void account(struct httpd_request *r, struct fake_answer *out)
{
	(void)r;
	fake_answer_json(out, 200,
	    json_pack("{s:s, s:[{s:s, s:s, s:i}], s:{s:b}}", "email",
		"owner@shop.example", "plan", "type", "payAsYouGo",
		"creditsType", "sendLimit", "credits", 1000, "relay", "enabled",
		1));
}

static const struct spelling spelling = {
	.from = "sender",
	.reply_to = "replyTo",
	.to = "to",
	.cc = "cc",
	.bcc = "bcc",
	.subject = "subject",
	.text = "textContent",
	.html = "htmlContent",
	.headers = "headers",
	.files = "attachment",
	.file_name = "name",
	.tags = "tags",
};

const struct fake fake_brevo = {
	.name = "brevo",
	.account_path = "/v3/account",
	.account = account,
	.check = api_check,
	.fail = fail,
	.tell_limit = tell_limit,
	.api = &api,
	.spelling = &spelling,
};
