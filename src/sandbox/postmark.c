/*
 * Postmark /email: addresses are lines of text, errors have a code of their
 * own behind status 422.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 10 * 1000 * 1000,
	TEXT_MAX = 5 * 1000 * 1000,
	RECIPIENTS_MAX = 50,
	METADATA_MAX = 10,
	METADATA_NAME_MAX = 20,
	METADATA_VALUE_MAX = 80
};

static const char *const forbidden_kinds[] = { "vbs", "exe", "bin", "bat",
	"chm", "com", "cpl", "crt", "hlp", "hta", "inf", "ins", "isp", "jse",
	"lnk", "mdb", "pcd", "pif", "reg", "scr", "sct", "shs", "vbe", "vba",
	"wsf", "wsh", "wsl", "msc", "msi", "msp", "mst", NULL };

static const char *const forbidden_headers[] = { "from", "to", "cc", "bcc",
	"subject", "reply-to", "sender", "return-path", "received", "date",
	"content-type", "tag", "attachment", "track-opens", "track-links",
	"postmark-template-alias", "message-stream", "x-pm-rcpt", NULL };

static const char *const track_links[] = { "None", "HtmlAndText", "HtmlOnly",
	"TextOnly", NULL };

static const struct api_field header_fields[] = {
	{ "Name", API_TEXT, API_REQUIRED, .wrong = "300" },
	{ "Value", API_STRING, API_REQUIRED, .wrong = "300" },
	{ .name = NULL },
};

static const struct api_field attachment_fields[] = {
	{ "Name", API_FILENAME, API_REQUIRED | API_NOT_WORDS, .wrong = "411",
	    .missing = "300", .words = forbidden_kinds },
	{ "Content", API_BASE64, API_REQUIRED, .wrong = "300" },
	{ "ContentType", API_TEXT, API_REQUIRED, .wrong = "300" },
	{ "ContentID", API_TEXT, .wrong = "300" },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "From", API_LINE, API_REQUIRED | API_SENDER, .wrong = "300" },
	{ "To", API_LINE, API_RECIPIENT, .wrong = "300" },
	{ "Cc", API_LINE, API_RECIPIENT, .wrong = "300" },
	{ "Bcc", API_LINE, API_RECIPIENT, .wrong = "300" },
	{ "ReplyTo", API_LINE, .wrong = "300" },
	{ "Subject", API_STRING, .max = 2000, .wrong = "300" },
	{ "TextBody", API_STRING, .max = TEXT_MAX, .wrong = "300" },
	{ "HtmlBody", API_STRING, .max = TEXT_MAX, .wrong = "300" },
	{ "MessageStream", API_TEXT, .wrong = "1235" },
	{ "Tag", API_STRING, .max = 1000, .wrong = "300" },
	{ "Metadata", API_MAP, .max = METADATA_MAX, .wrong = "300" },
	{ "TrackOpens", API_BOOL, .wrong = "300" },
	{ "TrackLinks", API_WORD, .wrong = "300", .words = track_links },
	{ "Headers", API_OBJECTS, .wrong = "300", .fields = header_fields },
	{ "Attachments", API_OBJECTS, .wrong = "300",
	    .fields = attachment_fields },
	{ .name = NULL },
};

/* -- answers -- */

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_header(out, "X-PM-ApiErrorCode: %s", code);
	fake_answer_json(out, status,
	    json_pack("{s:I, s:o}", "ErrorCode",
		(json_int_t)strtol(code, NULL, 10), "Message",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	const char *text = fake_status_text(status);

	if (status == 401)
		refuse(out, status, "10",
		    "No Account or Server API tokens were supplied in the HTTP "
		    "headers.");
	else if (status == 500)
		refuse(out, status, "101", text);
	else if (status == 503)
		refuse(out, status, "100", "Maintenance");
	else if (status == 400)
		refuse(out, status, "402", "Invalid JSON");
	else
		out->status = status;
}

static bool check_headers(struct api_exam *x)
{
	const json_t *list = json_object_get(x->root, "Headers"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *name =
		    json_string_value(json_object_get(item, "Name"));

		for (const char *const *f = forbidden_headers; *f; f++) {
			if (span_ieq(span_of(name), span_of(*f)))
				return api_wrong(x, "300",
				    "Header '%.64s' not allowed.", name);
		}
	}
	return true;
}

static bool check_metadata(struct api_exam *x)
{
	json_t *map = json_object_get(x->root, "Metadata"), *value;
	const char *name;

	json_object_foreach(map, name, value)
	{
		if (strlen(name) > METADATA_NAME_MAX ||
		    json_string_length(value) > METADATA_VALUE_MAX)
			return api_wrong(x, "300", "Invalid metadata content.");
	}
	return true;
}

static bool more(struct api_exam *x)
{
	const char *token = httpd_header(x->r, "X-Postmark-Server-Token");
	const json_t *text = json_object_get(x->root, "TextBody");
	const json_t *html = json_object_get(x->root, "HtmlBody");

	x->is_dry = strcmp(token, "POSTMARK_API_TEST") == 0;
	if (x->recipients == 0)
		return api_wrong(x, "300", "Zero recipients specified");
	if (x->recipients > RECIPIENTS_MAX)
		return api_wrong(
		    x, "300", "You exceeded the maximum of 50 recipients.");
	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x, "300",
		    "Provide either email TextBody or HtmlBody or both.");
	return check_headers(x) && check_metadata(x);
}

/* Addresses as Postmark repeats them, and how many there are. */
static size_t list_inactive(const struct letter *l, struct buf *out)
{
	struct span rest = buf_span(&l->recipients);
	size_t count = 0;

	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');

		if (!api_is_inactive(address))
			continue;
		(void)buf_printf(
		    out, "%s%.*s", count > 0 ? ", " : "", SPAN_FMT(address));
		count++;
	}
	return count;
}

static void answer(struct api_exam *x, const char *id, struct span text)
{
	json_t *to = json_object_get(x->root, "To");
	json_t *body = json_pack("{s:s, s:s, s:i, s:o}", "SubmittedAt",
	    "2026-08-01T10:00:00.1234567-04:00", "MessageID", id, "ErrorCode",
	    0, "Message", reply_string(text));

	if (to)
		(void)json_object_set(body, "To", to);
	fake_answer_json(x->out, 200, body);
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	struct buf names, text;
	char id[API_UUID_SIZE];

	api_uuid(id);
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", id);
	buf_init(&names, REQUEST_MAX);
	buf_init(&text, REQUEST_MAX);
	size_t inactive = list_inactive(l, &names);
	if (inactive == 0)
		(void)buf_add_str(
		    &text, x->is_dry ? "Test job accepted" : "OK");
	else
		(void)buf_printf(&text,
		    "%s inactive addresses: %.*s. Inactive recipients are ones "
		    "that have generated a hard bounce, a spam complaint, or a "
		    "manual suppression.",
		    inactive < x->recipients
			? "Message OK, but will not deliver to these"
			: "You tried to send to recipient(s) that have been "
			  "marked as inactive. Found",
		    SPAN_FMT(buf_span(&names)));
	if (inactive < x->recipients)
		answer(x, id, buf_span(&text));
	else
		(void)api_wrong(x, "406", "%.*s", SPAN_FMT(buf_span(&text)));
	buf_finish(&names);
	buf_finish(&text);
}

static const struct api api = {
	.path = "/email",
	.key_header = "X-Postmark-Server-Token",
	.key_begin = "",
	.max_request = REQUEST_MAX,
	.bad_status = 422,
	.unknown = "403",
	.bad_address = "Invalid '",
	.bad_address_end = "' address: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static void account(struct httpd_request *r, struct fake_answer *out)
{
	(void)r;
	fake_answer_json(out, 200,
	    json_pack("{s:i, s:s, s:s}", "ID", 1, "Name", "Sandbox of Postern",
		"DeliveryType", "Live"));
}

static const struct spelling spelling = {
	.from = "From",
	.reply_to = "ReplyTo",
	.to = "To",
	.cc = "Cc",
	.bcc = "Bcc",
	.subject = "Subject",
	.text = "TextBody",
	.html = "HtmlBody",
	.headers = "Headers",
	.header = "Name",
	.value = "Value",
	.files = "Attachments",
	.file_name = "Name",
	.data = "Content",
	.type = "ContentType",
	.content_id = "ContentID",
	.tags = "Tag",
	.metadata = "Metadata",
};

const struct fake fake_postmark = {
	.name = "postmark",
	.account_path = "/server",
	.account = account,
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
