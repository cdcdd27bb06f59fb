/*
 * MailerSend v1/email: 202 without a body, or with warnings; errors are
 * sentences by field, with a code at their end.
 */
#include <sandbox/api.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

enum {
	REQUEST_MAX = 40 * 1000 * 1000,
	TEXT_MAX = 2 * 1000 * 1000,
	TO_MAX = 50,
	SUBJECT_MAX = 4 * 998, /* bytes that 998 characters may have */
	COPIES_MAX = 10,
	TAGS_MAX = 5
};

#define WRONG .wrong = "MS42209"

static const char *const allowed_kinds[] = { "txt", "csv", "log", "css", "ics",
	"xml", "jpg", "jpe", "jpeg", "gif", "png", "bmp", "psd", "tif", "tiff",
	"svg", "indd", "ai", "eps", "doc", "docx", "rtf", "odt", "ott", "pdf",
	"pub", "pages", "mobi", "epub", "mp3", "m4a", "m4v", "wma", "ogg",
	"flac", "wav", "aif", "aifc", "aiff", "mp4", "mov", "avi", "mkv",
	"mpeg", "mpg", "wmv", "xls", "xlsx", "ods", "numbers", "odp", "ppt",
	"pptx", "pps", "key", "zip", "vcf", "eml", "p7c", "p7m", "p7s", "pgp",
	"asc", "sig", NULL };

static const char *const dispositions[] = { "inline", "attachment", NULL };

static const struct api_field attachment_fields[] = {
	{ "content", API_BASE64, API_REQUIRED, .wrong = "MS42202" },
	{ "filename", API_FILENAME, API_REQUIRED, .wrong = "MS42202",
	    .words = allowed_kinds },
	{ "disposition", API_WORD, .wrong = "MS42202", .words = dispositions },
	{ "id", API_TEXT, .wrong = "MS42202" },
	{ .name = NULL },
};

static const struct api_field header_fields[] = {
	{ "name", API_NAME, API_REQUIRED, WRONG },
	{ "value", API_STRING, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field setting_fields[] = {
	{ "track_clicks", API_BOOL, WRONG },
	{ "track_opens", API_BOOL, WRONG },
	{ "track_content", API_BOOL, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "from", API_ADDRESS, API_REQUIRED | API_SENDER, .wrong = "MS42208" },
	{ "to", API_ADDRESSES, API_REQUIRED | API_RECIPIENT,
	    .wrong = "MS42208" },
	{ "cc", API_ADDRESSES, API_RECIPIENT, .wrong = "MS42208" },
	{ "bcc", API_ADDRESSES, API_RECIPIENT, .wrong = "MS42208" },
	{ "reply_to", API_ADDRESS, .wrong = "MS42208" },
	{ "subject", API_TEXT, API_REQUIRED, WRONG, .max = SUBJECT_MAX },
	{ "text", API_STRING, .wrong = "MS42206", .max = TEXT_MAX },
	{ "html", API_STRING, .wrong = "MS42206", .max = TEXT_MAX },
	{ "in_reply_to", API_TEXT, WRONG },
	{ "references", API_STRINGS, WRONG },
	{ "headers", API_OBJECTS, WRONG, .fields = header_fields },
	{ "tags", API_STRINGS, WRONG, .max = TAGS_MAX },
	{ "settings", API_OBJECT, WRONG, .fields = setting_fields },
	{ "attachments", API_OBJECTS, .wrong = "MS42202",
	    .fields = attachment_fields },
	{ .name = NULL },
};

/* -- errors -- */

/* The text begins with the field it is about. */
static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	char field[64], whole[640];

	(void)snprintf(
	    field, sizeof(field), "%.*s", (int)strcspn(text, " "), text);
	(void)snprintf(whole, sizeof(whole), "The %s #%s", text, code);
	fake_answer_json(out, status,
	    json_pack("{s:s, s:{s:[o]}}", "message",
		"The given data was invalid.", "errors", field,
		reply_string(span_of(whole))));
}

static void fail(struct fake_answer *out, int status)
{
	fake_answer_json(out, status,
	    json_pack("{s:s}", "message", fake_status_text(status)));
}

/* -- what the table cannot say -- */

/* Names of recipients are without commas and semicolons, and each is once. */
static bool check_list(struct api_exam *x, const char *name, size_t max)
{
	const json_t *list = json_object_get(x->root, name), *item;
	size_t i;

	if (json_array_size(list) > max)
		return api_wrong(
		    x, "MS42205", "%s has more than %zu", name, max);
	json_array_foreach(list, i, item)
	{
		const char *person =
		    json_string_value(json_object_get(item, "name"));

		if (person && strpbrk(person, ",;"))
			return api_wrong(
			    x, "MS42209", "%s.%zu.name is invalid", name, i);
	}
	return true;
}

static bool has_twice(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);

	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n'), others = rest;

		while (others.len > 0) {
			if (span_ieq(address, span_cut(&others, '\n')))
				return true;
		}
	}
	return false;
}

static bool has_variable(const struct api_exam *x, const char *name)
{
	const char *text = json_string_value(json_object_get(x->root, name));

	return text && (strstr(text, "{{") || strstr(text, "{$"));
}

static bool more(struct api_exam *x)
{
	static const char *const texts[] = { "subject", "text", "html" };
	const json_t *text = json_object_get(x->root, "text");
	const json_t *html = json_object_get(x->root, "html");
	const json_t *reply = json_object_get(x->root, "in_reply_to");

	if (!check_list(x, "to", TO_MAX) || !check_list(x, "cc", COPIES_MAX) ||
	    !check_list(x, "bcc", COPIES_MAX))
		return false;
	if (has_twice(x->out->letter))
		return api_wrong(x, "MS42201", "to has a duplicate recipient");
	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x, "MS42209", "text or html is required");
	if (reply && (!strchr(json_string_value(reply), '@') ||
			 strpbrk(json_string_value(reply), "<> ")))
		return api_wrong(x, "MS42209", "in_reply_to is no address");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (has_variable(x, texts[i]))
			return api_wrong(
			    x, "MS42213", "%s has unknown variables", texts[i]);
	}
	return true;
}

/* -- success -- */

/* Those it does not use any more, as a warning lists them. */
static json_t *list_suppressed(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *list = json_array();

	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');

		if (api_is_inactive(address))
			(void)json_array_append_new(
			    list, json_pack("{s:o, s:[s]}", "email",
				      reply_string(address), "reasons",
				      "hard_bounced"));
	}
	return list;
}

static void warn(struct api_exam *x, json_t *suppressed, bool is_all)
{
	fake_answer_json(x->out, 202,
	    json_pack("{s:s, s:[{s:s, s:s, s:O}]}", "message",
		"There are some warnings for your request.", "warnings", "type",
		is_all ? "ALL_SUPPRESSED" : "SOME_SUPPRESSED", "warning",
		"Some of the recipients have been suppressed.", "recipients",
		suppressed));
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	json_t *suppressed = list_suppressed(l);
	size_t count = json_array_size(suppressed);

	x->is_dry = count == x->recipients;
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", l->id);
	if (!x->is_dry)
		fake_answer_header(x->out, "X-Message-Id: %s", l->provider_id);
	if (count > 0) {
		warn(x, suppressed, x->is_dry);
	} else {
		x->out->status = 202;
		x->out->content_type = "text/html";
	}
	json_decref(suppressed);
}

static void tell_limit(
    struct fake_answer *out, const struct limit *l, uint64_t now_s)
{
	(void)now_s;
	fake_answer_header(out, "x-ratelimit-limit: %" PRIu64, l->calls);
	fake_answer_header(
	    out, "x-ratelimit-remaining: %" PRIu64, limit_left(l));
	fake_answer_header(out, "x-ratelimit-reset: %" PRIu64, l->reset_s);
}

static const struct api api = {
	.path = "/v1/email",
	.key_header = "Authorization",
	.key_begin = "Bearer mlsn.",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 422,
	.unknown = "MS42209",
	.bad_address = "",
	.bad_address_end = ".0.email ",
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
	.content_id = "id",
	.tags = "tags",
};

const struct fake fake_mailersend = {
	.name = "mailersend",
	.check = api_check,
	.fail = fail,
	.tell_limit = tell_limit,
	.api = &api,
	.spelling = &spelling,
};
