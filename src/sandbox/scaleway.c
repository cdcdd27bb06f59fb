/*
 * Scaleway Transactional Email: a success lists an e-mail for each recipient,
 * errors have a type and name the member. Texts may be short: the documents do
 * not (any longer) say that they may not.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/spelling.h>

#define REGION_PATH "/transactional-email/v1alpha1/regions/fr-par"

enum {
	REQUEST_MAX = 2 * 1000 * 1000,
	RECIPIENTS_MAX = 10,
	ATTACHMENTS_MAX = 10
};

/* What is wrong is the reason of an error: see refuse. */
#define WRONG .wrong = "constraint", .missing = "required"

static const char *const allowed_types[] = { "application/acad",
	"application/acad-template", "application/autocad_dwg",
	"application/autocad_dxf", "application/dwf", "application/dxf",
	"application/ics", "application/msword", "application/pdf",
	"application/pkcs10", "application/pkcs7-mime",
	"application/pkcs7-signature", "application/vnd.dwt",
	"application/vnd.ms-excel",
	"application/vnd.oasis.opendocument.spreadsheet",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.template",
	("application/"
	 "vnd.openxmlformats-officedocument.wordprocessingml.document"),
	"application/x-dwf", "application/x-dwg", "application/x-dwt",
	"application/x-dxf", "application/x-pkcs12",
	"application/x-pkcs7-certificates", "application/x-pkcs7-certreqresp",
	"application/x-pkcs7-crl", "application/x-pkcs7-mime",
	"application/x-pkcs7-signature", "application/xml", "application/zip",
	"audio/mpeg", "audio/wav", "image/gif", "image/jpeg", "image/jpg",
	"image/png", "image/svg+xml", "image/tiff", "image/vnd.dwg",
	"image/vnd.dxf", "image/webp", "model/vnd.dwf", "text/calendar",
	"text/csv", "text/html", "text/plain", "text/xml", NULL };

static const struct api_field header_fields[] = {
	{ "key", API_TEXT, API_REQUIRED, WRONG },
	{ "value", API_STRING, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field attachment_fields[] = {
	{ "name", API_FILENAME, API_REQUIRED, WRONG },
	{ "type", API_WORD, API_REQUIRED, WRONG, .words = allowed_types },
	{ "content", API_BASE64, API_REQUIRED, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "project_id", API_NAME, API_REQUIRED, WRONG, .max = 36 },
	{ "from", API_ADDRESS, API_REQUIRED | API_SENDER, WRONG },
	{ "to", API_ADDRESSES, API_REQUIRED | API_RECIPIENT, WRONG },
	{ "cc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ "bcc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ "subject", API_TEXT, API_REQUIRED, WRONG },
	{ "text", API_STRING, 0, WRONG },
	{ "html", API_STRING, 0, WRONG },
	{ "additional_headers", API_OBJECTS, 0, WRONG,
	    .fields = header_fields },
	{ "attachments", API_OBJECTS, 0, WRONG, .max = ATTACHMENTS_MAX,
	    .fields = attachment_fields },
	{ "send_before", API_TEXT, 0, WRONG },
	{ .name = NULL },
};

/* -- errors -- */

/* code: the reason; the text begins with the member it is about. */
static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	json_t *argument = reply_string(span_make(text, strcspn(text, " ")));

	fake_answer_json(out, status,
	    json_pack("{s:s, s:s, s:[{s:o, s:s, s:o}]}", "message",
		"invalid argument(s)", "type", "invalid_arguments", "details",
		"argument_name", argument, "reason", code, "help_message",
		reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	static const struct {
		int status;
		const char *type, *message;
	} errors[] = {
		{ 400, "invalid_request_error", "invalid JSON body" },
		{ 401, "denied_authentication", "authentication is denied" },
		{ 403, "permissions_denied", "insufficient permissions" },
		{ 404, "not_found", "resource is not found" },
		{ 429, "too_many_requests", "too many requests" },
	};
	const char *type = "unknown", *message = fake_status_text(status);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].status == status) {
			type = errors[i].type;
			message = errors[i].message;
		}
	}
	fake_answer_json(out, status,
	    json_pack("{s:s, s:s}", "message", message, "type", type));
}

/* -- requests -- */

static bool more(struct api_exam *x)
{
	const json_t *text = json_object_get(x->root, "text");
	const json_t *html = json_object_get(x->root, "html");

	if (x->recipients > RECIPIENTS_MAX)
		return api_wrong(x, "constraint",
		    "to is limited to 10 recipients with cc and bcc");
	if (json_string_length(text) + json_string_length(html) == 0)
		return api_wrong(x, "required", "text or html is required");
	return true;
}

static json_t *email_of(
    const char *message_id, struct span address, bool has_failed)
{
	char id[API_UUID_SIZE];

	api_uuid(id);
	return json_pack("{s:s, s:s, s:o, s:s, s:s}", "id", id, "message_id",
	    message_id, "mail_rcpt", reply_string(address), "status",
	    has_failed ? "failed" : "new", "status_details",
	    has_failed ? "this address is blocklisted" : "not yet processed");
}

/* Those on the blocklist fail, the others are on their way. */
static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	struct span rest = buf_span(&l->recipients);
	json_t *emails = json_array();
	size_t failed = 0;
	char message_id[API_UUID_SIZE];

	api_uuid(message_id);
	(void)snprintf(
	    l->provider_id, sizeof(l->provider_id), "%s", message_id);
	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');
		bool has_failed = api_is_inactive(address);

		failed += has_failed;
		(void)json_array_append_new(
		    emails, email_of(message_id, address, has_failed));
	}
	x->is_dry = failed == x->recipients;
	fake_answer_json(x->out, 200, json_pack("{s:o}", "emails", emails));
}

static const struct api api = {
	.path = REGION_PATH "/emails",
	.key_header = "X-Auth-Token",
	.key_begin = "",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "unknown",
	.bad_address = "",
	.bad_address_end = " is no address: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

/* A key that begins with only may do nothing but send. */
static void account(struct httpd_request *r, struct fake_answer *out)
{
	if (span_starts_with(
		span_of(httpd_header(r, "X-Auth-Token")), SPAN("only")))
		fail(out, 403);
	else
		fake_answer_json(out, 200,
		    json_pack("{s:i, s:[{s:s, s:s}]}", "total_count", 1,
			"domains", "name", "shop.example", "status",
			"checked"));
}

static const struct spelling spelling = {
	.from = "from",
	.to = "to",
	.cc = "cc",
	.bcc = "bcc",
	.subject = "subject",
	.text = "text",
	.html = "html",
	.headers = "additional_headers",
	.header = "key",
	.files = "attachments",
	.file_name = "name",
};

const struct fake fake_scaleway = {
	.name = "scaleway",
	.account_path = REGION_PATH "/domains",
	.account = account,
	.check = api_check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
