/*
 * SendLayer api/v1/email: errors have a number. Which one belongs to which
 * member is documented for addresses only; for others it is of their range.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 14 * 1000 * 1000,
	TO_MAX = 10,
	CC_MAX = 10,
	BCC_MAX = 5
};

static const char *const types[] = { "HTML", "Text", "plain", NULL };
static const char *const dispositions[] = { "attachment", "inline", NULL };

static const struct api_field attachment_fields[] = {
	{ "Content", API_BASE64, API_REQUIRED, .wrong = "9" },
	{ "Type", API_TEXT, API_REQUIRED, .wrong = "9" },
	{ "Filename", API_FILENAME, API_REQUIRED, .wrong = "9" },
	{ "Disposition", API_WORD, API_REQUIRED, .wrong = "9",
	    .words = dispositions },
	{ "ContentId", API_TEXT, .wrong = "9" },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "From", API_ADDRESS, API_REQUIRED | API_SENDER, .wrong = "8",
	    .missing = "7" },
	{ "To", API_ADDRESSES, API_REQUIRED | API_RECIPIENT, .wrong = "19",
	    .missing = "18" },
	{ "CC", API_ADDRESSES, API_RECIPIENT, .wrong = "22" },
	{ "BCC", API_ADDRESSES, API_RECIPIENT, .wrong = "26" },
	{ "ReplyTo", API_ADDRESSES, .wrong = "30" },
	{ "Subject", API_TEXT, API_REQUIRED, .wrong = "3" },
	{ "ContentType", API_WORD, API_REQUIRED, .wrong = "4", .words = types },
	{ "HTMLContent", API_STRING, .wrong = "5" },
	{ "PlainContent", API_STRING, .wrong = "6" },
	{ "Tags", API_STRINGS, .wrong = "10" },
	{ "Headers", API_MAP, .wrong = "11" },
	{ "Attachments", API_OBJECTS, .wrong = "9",
	    .fields = attachment_fields },
	{ .name = NULL },
};

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_json(out, status,
	    json_pack("{s:[{s:I, s:o}]}", "Errors", "Code",
		(json_int_t)strtol(code, NULL, 10), "Message",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	const char *text = fake_status_text(status);

	if (status == 400)
		refuse(out, status, "2", text);
	else if (status == 401)
		refuse(out, status, "13", "Invalid API key");
	else if (status == 429)
		refuse(out, status, "429", text);
	else
		fake_answer_json(
		    out, status, json_pack("{s:s}", "Error", text));
}

/* The body that belongs to ContentType. */
static bool check_text(struct api_exam *x)
{
	const char *type =
	    json_string_value(json_object_get(x->root, "ContentType"));
	const char *name = span_ieq(span_of(type), SPAN("HTML"))
			       ? "HTMLContent"
			       : "PlainContent";

	if (json_string_length(json_object_get(x->root, name)) == 0)
		return api_wrong(x, "5", "%s is required", name);
	return true;
}

static bool more(struct api_exam *x)
{
	static const struct {
		const char *name, *code;
		size_t max;
	} lists[] = { { "To", "20", TO_MAX }, { "CC", "23", CC_MAX },
		{ "BCC", "27", BCC_MAX } };
	struct span rest = buf_span(&x->out->letter->recipients);

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (json_array_size(json_object_get(x->root, lists[i].name)) >
		    lists[i].max)
			return api_wrong(x, lists[i].code,
			    "%s has more than %zu recipients", lists[i].name,
			    lists[i].max);
	}
	while (rest.len > 0) {
		if (api_is_inactive(span_cut(&rest, '\n')))
			return api_wrong(x, "14", "Recipient is suppressed");
	}
	return check_text(x);
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	char id[API_UUID_SIZE];

	api_uuid(id);
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", id);
	fake_answer_json(x->out, 200, json_pack("{s:s}", "MessageID", id));
}

static const struct api api = {
	.path = "/api/v1/email",
	.key_header = "Authorization",
	.key_begin = "Bearer ",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "2",
	.bad_address = "Invalid ",
	.bad_address_end = " address ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static const struct spelling spelling = {
	.from = "From",
	.reply_to = "ReplyTo",
	.to = "To",
	.cc = "CC",
	.bcc = "BCC",
	.subject = "Subject",
	.text = "PlainContent",
	.html = "HTMLContent",
	.headers = "Headers",
	.files = "Attachments",
	.file_name = "Filename",
	.data = "Content",
	.type = "Type",
	.disposition = "Disposition",
	.content_id = "ContentId",
	.tags = "Tags",
};

const struct fake fake_sendlayer = {
	.name = "sendlayer",
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
