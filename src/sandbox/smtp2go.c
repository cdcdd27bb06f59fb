/* SMTP2GO v3/email/send: a success counts recipients and lists failures. */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 52 * 1000 * 1000,
	LIST_MAX = 100
};

#define WRONG .wrong = "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD"

static const struct api_field header_fields[] = {
	{ "header", API_TEXT, API_REQUIRED, WRONG },
	{ "value", API_STRING, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field attachment_fields[] = {
	{ "filename", API_FILENAME, API_REQUIRED, WRONG },
	{ "fileblob", API_BASE64, API_REQUIRED, WRONG },
	{ "mimetype", API_TEXT, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "sender", API_LINE, API_REQUIRED | API_SENDER | API_ONE, WRONG },
	{ "to", API_MAILBOXES, API_REQUIRED | API_RECIPIENT, WRONG,
	    .max = LIST_MAX },
	{ "cc", API_MAILBOXES, API_RECIPIENT, WRONG, .max = LIST_MAX },
	{ "bcc", API_MAILBOXES, API_RECIPIENT, WRONG, .max = LIST_MAX },
	{ "subject", API_STRING, WRONG },
	{ "text_body", API_STRING, WRONG },
	{ "html_body", API_STRING, WRONG },
	{ "custom_headers", API_OBJECTS, WRONG, .fields = header_fields },
	{ "attachments", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ "inlines", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ .name = NULL },
};

/* The text begins with the field it is about. */
static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	json_t *field = reply_string(span_make(text, strcspn(text, " ")));

	fake_answer_json(out, status,
	    json_pack("{s:s, s:{s:s, s:s, s:{s:o, s:o}}}", "request_id",
		"aa253464-0bd0-467a-b24b-6159dcd7be60", "data", "error",
		"The payload is not valid.", "error_code", code,
		"field_validation_errors", "fieldname", field, "message",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	fake_answer_json(out, status,
	    json_pack("{s:s, s:{s:s, s:s}}", "request_id",
		"aa253464-0bd0-467a-b24b-6159dcd7be60", "data", "error",
		fake_status_text(status), "error_code",
		"E_ApiResponseCodes.API_EXCEPTION"));
}

static bool more(struct api_exam *x)
{
	const json_t *text = json_object_get(x->root, "text_body");
	const json_t *html = json_object_get(x->root, "html_body");

	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x,
		    "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD",
		    "text_body or html_body is required");
	return true;
}

static json_t *list_failures(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *list = json_array();

	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');
		char text[256];

		if (!api_is_inactive(address))
			continue;
		(void)snprintf(text, sizeof(text),
		    "Recipient is suppressed: %.*s", SPAN_FMT(address));
		(void)json_array_append_new(list, reply_string(span_of(text)));
	}
	return list;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	json_t *failures = list_failures(l);
	size_t failed = json_array_size(failures);

	x->is_dry = failed == x->recipients;
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", l->id);
	fake_answer_json(x->out, 200,
	    json_pack("{s:s, s:{s:s, s:I, s:I, s:o}}", "request_id",
		"aa253464-0bd0-467a-b24b-6159dcd7be60", "data", "email_id",
		l->provider_id, "succeeded",
		(json_int_t)(x->recipients - failed), "failed",
		(json_int_t)failed, "failures", failures));
}

static const struct api api = {
	.path = "/v3/email/send",
	.key_header = "X-Smtp2go-Api-Key",
	.key_begin = "api-",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD",
	.bad_address = "",
	.bad_address_end = " is no address: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static const struct spelling spelling = {
	.from = "sender",
	.to = "to",
	.cc = "cc",
	.bcc = "bcc",
	.subject = "subject",
	.text = "text_body",
	.html = "html_body",
	.headers = "custom_headers",
	.header = "header",
	.inlines = "inlines",
	.files = "attachments",
	.data = "fileblob",
	.type = "mimetype",
	.content_id = "filename",
};

const struct fake fake_smtp2go = {
	.name = "smtp2go",
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
