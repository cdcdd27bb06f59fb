/*
 * Mailjet v3.1/send: a list of messages, and what became of each. Errors name
 * the member they are about.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <base/hash.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 22 * 1000 * 1000,
	LIST_MAX = 50,
	SUBJECT_MAX = 4 * 255, /* bytes that 255 characters may have */
	MESSAGES_MAX = 50
};

#define WRONG .wrong = "mj-0004", .missing = "mj-0003"
#define WRONG_ADDRESS .wrong = "mj-0013", .missing = "mj-0003"

static const char *const tracking[] = { "account_default", "enabled",
	"disabled", NULL };

/* Its own, and those that have a member. */
static const char *const forbidden_headers[] = { "From", "Sender", "Subject",
	"To", "Cc", "Bcc", "Reply-To", "Return-Path", "Delivered-To",
	"DKIM-Signature", "DomainKey-Status", "Received-SPF",
	"Authentication-Results", "Received", "Date", "Message-Id",
	"User-Agent", "X-Mailer", "List-Id", "X-Feedback-Id",
	"X-CSA-Complaints", NULL };

static const struct api_field attachment_fields[] = {
	{ "ContentType", API_TEXT, API_REQUIRED, WRONG },
	{ "Filename", API_FILENAME, API_REQUIRED, WRONG },
	{ "Base64Content", API_BASE64, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field inline_fields[] = {
	{ "ContentType", API_TEXT, API_REQUIRED, WRONG },
	{ "Filename", API_FILENAME, API_REQUIRED, WRONG },
	{ "ContentID", API_TEXT, API_REQUIRED, WRONG },
	{ "Base64Content", API_BASE64, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field message_fields[] = {
	{ "From", API_ADDRESS, API_REQUIRED | API_SENDER, WRONG_ADDRESS },
	{ "To", API_ADDRESSES, API_REQUIRED | API_RECIPIENT, .max = LIST_MAX,
	    WRONG_ADDRESS },
	{ "Cc", API_ADDRESSES, API_RECIPIENT, .max = LIST_MAX, WRONG_ADDRESS },
	{ "Bcc", API_ADDRESSES, API_RECIPIENT, .max = LIST_MAX, WRONG_ADDRESS },
	{ "ReplyTo", API_ADDRESS, WRONG_ADDRESS },
	{ "Subject", API_STRING, .max = SUBJECT_MAX, WRONG },
	{ "TextPart", API_STRING, WRONG },
	{ "HTMLPart", API_STRING, WRONG },
	{ "Attachments", API_OBJECTS, WRONG, .fields = attachment_fields },
	{ "InlinedAttachments", API_OBJECTS, WRONG, .fields = inline_fields },
	{ "Headers", API_MAP, WRONG },
	{ "CustomID", API_STRING, WRONG },
	{ "EventPayload", API_STRING, WRONG },
	{ "CustomCampaign", API_STRING, WRONG },
	{ "DeduplicateCampaign", API_BOOL, WRONG },
	{ "MonitoringCategory", API_STRING, WRONG },
	{ "Priority", API_NUMBER, WRONG },
	{ "TrackOpens", API_WORD, WRONG, .words = tracking },
	{ "TrackClicks", API_WORD, WRONG, .words = tracking },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "Messages", API_OBJECTS, API_REQUIRED, .max = MESSAGES_MAX, WRONG,
	    .fields = message_fields },
	{ "SandboxMode", API_BOOL, WRONG },
	{ .name = NULL },
};

/* -- errors -- */

static json_t *error_of(int status, const char *code, const char *text)
{
	return json_pack("{s:s, s:s, s:i, s:o}", "ErrorIdentifier",
	    "88b5ca9f-5f1f-42e7-a45e-9ecbad0c285e", "ErrorCode", code,
	    "StatusCode", status, "ErrorMessage", reply_string(span_of(text)));
}

/* The text begins with the member it is about. */
static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	json_t *error = error_of(status, code, text);

	(void)json_object_set_new(error, "ErrorRelatedTo",
	    json_pack(
		"[o]", reply_string(span_make(text, strcspn(text, " ")))));
	fake_answer_json(out, status,
	    json_pack("{s:[{s:s, s:[o]}]}", "Messages", "Status", "error",
		"Errors", error));
}

static void fail(struct fake_answer *out, int status)
{
	const char *code = status == 401   ? "mj-0015"
			   : status == 413 ? "mj-0011"
			   : status == 400 ? "mj-0002"
					   : "mj-9999";

	fake_answer_json(
	    out, status, error_of(status, code, fake_status_text(status)));
}

/* -- what the table cannot say -- */

static bool check_headers(struct api_exam *x, json_t *headers)
{
	json_t *value;
	const char *name;

	json_object_foreach(headers, name, value)
	{
		bool is_own =
		    span_istarts_with(span_of(name), SPAN("X-Mailjet-")) ||
		    span_istarts_with(span_of(name), SPAN("X-MJ-"));

		for (const char *const *f = forbidden_headers; *f; f++)
			is_own |= span_ieq(span_of(name), span_of(*f));
		if (is_own)
			return api_wrong(
			    x, "send-0011", "Headers cannot hold %.64s", name);
	}
	return true;
}

static bool more(struct api_exam *x)
{
	json_t *messages = json_object_get(x->root, "Messages"), *m;
	struct span rest = buf_span(&x->out->letter->recipients);
	size_t i;

	x->is_dry = json_is_true(json_object_get(x->root, "SandboxMode"));
	json_array_foreach(messages, i, m)
	{
		if (json_string_length(json_object_get(m, "TextPart")) +
			json_string_length(json_object_get(m, "HTMLPart")) ==
		    0)
			return api_wrong(
			    x, "send-0003", "TextPart or HTMLPart is needed");
		if (!check_headers(x, json_object_get(m, "Headers")))
			return false;
	}
	for (i = 0; rest.len > 0; i++) {
		if (api_is_inactive(span_cut(&rest, '\n')))
			return api_wrong(x, "mj-0013",
			    "To[%zu].Email is an invalid email address.", i);
	}
	return true;
}

/* -- success -- */

/* Each gets a number that a double does not hold. */
static json_t *list_taken(const json_t *addresses, char first[32])
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(addresses, i, item)
	{
		char uuid[API_UUID_SIZE];
		uint32_t low;
		json_int_t id = (json_int_t)1 << 60;

		hash_random(&low, sizeof(low));
		id += (json_int_t)low;
		api_uuid(uuid);
		if (!*first)
			(void)snprintf(first, 32, "%lld", (long long)id);
		(void)json_array_append_new(
		    list, json_pack("{s:O, s:s, s:I, s:s}", "Email",
			      json_object_get(item, "Email"), "MessageUUID",
			      uuid, "MessageID", id, "MessageHref",
			      "https://api.mailjet.com/v3/REST/message/1"));
	}
	return list;
}

static void accept(struct api_exam *x)
{
	json_t *messages = json_object_get(x->root, "Messages"), *m;
	json_t *list = json_array();
	char first[32] = "";
	size_t i;

	json_array_foreach(messages, i, m)
	{
		json_t *row = json_pack("{s:s, s:O?, s:o, s:o, s:o}", "Status",
		    "success", "CustomID", json_object_get(m, "CustomID"), "To",
		    list_taken(json_object_get(m, "To"), first), "Cc",
		    list_taken(json_object_get(m, "Cc"), first), "Bcc",
		    list_taken(json_object_get(m, "Bcc"), first));

		(void)json_array_append_new(list, row);
	}
	(void)snprintf(x->out->letter->provider_id,
	    sizeof(x->out->letter->provider_id), "%s", first);
	fake_answer_json(x->out, 200, json_pack("{s:o}", "Messages", list));
}

static const struct api api = {
	.path = "/v3.1/send",
	.key_header = "Authorization",
	.key_begin = "Basic ",
	.email = "Email",
	.name = "Name",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "mj-0008",
	.bad_address = "",
	.bad_address_end = "[0].Email ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static const struct spelling spelling = {
	.each = "Messages",
	.from = "From",
	.reply_to = "ReplyTo",
	.to = "To",
	.cc = "Cc",
	.bcc = "Bcc",
	.email = "Email",
	.name = "Name",
	.subject = "Subject",
	.text = "TextPart",
	.html = "HTMLPart",
	.headers = "Headers",
	.inlines = "InlinedAttachments",
	.files = "Attachments",
	.file_name = "Filename",
	.data = "Base64Content",
	.type = "ContentType",
	.content_id = "ContentID",
	.tags = "CustomCampaign MonitoringCategory",
	.metadata = "CustomID EventPayload",
};

const struct fake fake_mailjet = {
	.name = "mailjet",
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
