/* Mailtrap api/send: errors are sentences, each recipient has an id. */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 10 * 1000 * 1000,
	LIST_MAX = 1000,
	CATEGORY_MAX = 255
};

#define WRONG .wrong = "-"

static const char *const dispositions[] = { "attachment", "inline", NULL };

static const struct api_field attachment_fields[] = {
	{ "content", API_BASE64, API_REQUIRED, WRONG },
	{ "filename", API_FILENAME, API_REQUIRED, WRONG },
	{ "type", API_TEXT, WRONG },
	{ "disposition", API_WORD, WRONG, .words = dispositions },
	{ "content_id", API_TEXT, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "from", API_ADDRESS, API_REQUIRED | API_SENDER, WRONG },
	{ "to", API_ADDRESSES, API_RECIPIENT, WRONG, .max = LIST_MAX },
	{ "cc", API_ADDRESSES, API_RECIPIENT, WRONG, .max = LIST_MAX },
	{ "bcc", API_ADDRESSES, API_RECIPIENT, WRONG, .max = LIST_MAX },
	{ "reply_to", API_ADDRESS, WRONG },
	{ "subject", API_TEXT, API_REQUIRED, WRONG },
	{ "text", API_TEXT, WRONG },
	{ "html", API_TEXT, WRONG },
	{ "headers", API_MAP, WRONG },
	{ "custom_variables", API_MAP, WRONG },
	{ "category", API_STRING, WRONG, .max = CATEGORY_MAX },
	{ "attachments", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ .name = NULL },
};

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	(void)code;
	fake_answer_json(out, status,
	    json_pack("{s:b, s:[o]}", "success", false, "errors",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	refuse(out, status, "-", fake_status_text(status));
}

static bool more(struct api_exam *x)
{
	struct span rest = buf_span(&x->out->letter->recipients);

	if (x->recipients == 0)
		return api_wrong(x, "-", "'to', 'cc' or 'bcc' is required");
	while (rest.len > 0) {
		if (api_is_inactive(span_cut(&rest, '\n')))
			return api_wrong(x, "-", "'to' address is invalid");
	}
	if (!json_object_get(x->root, "text") &&
	    !json_object_get(x->root, "html"))
		return api_wrong(x, "-", "'text' or 'html' is required");
	return true;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	json_t *ids = json_array();

	for (size_t i = 0; i < x->recipients; i++) {
		char id[API_UUID_SIZE];

		api_uuid(id);
		if (i == 0)
			(void)snprintf(
			    l->provider_id, sizeof(l->provider_id), "%s", id);
		(void)json_array_append_new(ids, json_string(id));
	}
	fake_answer_json(x->out, 200,
	    json_pack("{s:b, s:o}", "success", true, "message_ids", ids));
}

static const struct api api = {
	.path = "/api/send",
	.key_header = "Api-Token",
	.key_begin = "",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "-",
	.bad_address = "'",
	.bad_address_end = "' address is invalid: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

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
	.tags = "category",
	.metadata = "custom_variables",
};

const struct fake fake_mailtrap = {
	.name = "mailtrap",
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
