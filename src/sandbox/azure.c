/*
 * Azure Communication Services emails:send: requests are signed with the
 * resource's key, a success begins an operation, errors have a code and name
 * the property. The signature is computed apart from the module's, on purpose.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <base/b64.h>
#include <base/clock.h>
#include <base/date.h>
#include <base/hash.h>
#include <sandbox/spelling.h>

#define API_VERSION "2025-09-01"
#define IGNORE_IDS "x-ms-acsemail-ignore-duplicate-content-id"

enum {
	REQUEST_MAX = 10 * 1000 * 1000,
	RECIPIENTS_MAX = 50,
	SKEW_MS = 15 * 60 * 1000,
	KEY_MAX = 64,
	TO_SIGN_MAX = 16 * 1024,
	SIGNATURE_SIZE = 45 /* of 32 bytes, with NUL */
};

#define WRONG .wrong = "BadRequest"

static const struct api_field recipients_fields[] = {
	{ "to", API_ADDRESSES, API_REQUIRED | API_RECIPIENT, WRONG },
	{ "cc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ "bcc", API_ADDRESSES, API_RECIPIENT, WRONG },
	{ .name = NULL },
};

static const struct api_field content_fields[] = {
	{ "subject", API_STRING, API_REQUIRED, WRONG },
	{ "plainText", API_STRING, 0, WRONG },
	{ "html", API_STRING, 0, WRONG },
	{ .name = NULL },
};

static const struct api_field attachment_fields[] = {
	{ "name", API_FILENAME, API_REQUIRED, WRONG },
	{ "contentType", API_TEXT, API_REQUIRED, WRONG },
	{ "contentInBase64", API_BASE64, API_REQUIRED, WRONG },
	{ "contentId", API_TEXT, 0, WRONG },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "senderAddress", API_LINE, API_REQUIRED | API_SENDER | API_ONE,
	    WRONG },
	{ "recipients", API_OBJECT, API_REQUIRED, WRONG,
	    .fields = recipients_fields },
	{ "content", API_OBJECT, API_REQUIRED, WRONG,
	    .fields = content_fields },
	{ "replyTo", API_ADDRESSES, 0, WRONG },
	{ "headers", API_MAP, 0, WRONG },
	{ "attachments", API_OBJECTS, 0, WRONG, .fields = attachment_fields },
	{ "userEngagementTrackingDisabled", API_BOOL, 0, WRONG },
	{ .name = NULL },
};

/* -- errors -- */

static void answer_error(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_header(out, "x-ms-error-code: %s", code);
	fake_answer_json(out, status,
	    json_pack("{s:{s:s, s:o}}", "error", "code", code, "message",
		reply_string(span_of(text))));
}

/* The text begins with the property it is about, or with that in recipients. */
static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	struct span property = span_make(text, strcspn(text, " "));
	bool is_list = span_eq(property, SPAN("to")) ||
		       span_eq(property, SPAN("cc")) ||
		       span_eq(property, SPAN("bcc"));
	char words[512];

	(void)snprintf(words, sizeof(words),
	    "Request body validation error. See property '%s%.*s': %s",
	    is_list ? "recipients." : "", SPAN_FMT(property), text);
	answer_error(out, status, code, words);
}

static void fail(struct fake_answer *out, int status)
{
	static const struct {
		int status;
		const char *code, *text;
	} errors[] = {
		{ 400, "BadRequest", "The request is invalid." },
		{ 401, "Denied", "Denied by the resource provider." },
		{ 403, "Forbidden", "Insufficient permissions." },
		{ 404, "ResourceNotFound", "The resource does not exist." },
		{ 429, "TooManyRequests", "Rate limit exceeded." },
		{ 500, "InternalServerError", "An internal error occurred." },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].status == status) {
			answer_error(
			    out, status, errors[i].code, errors[i].text);
			return;
		}
	}
	answer_error(out, status, "Error", fake_status_text(status));
}

/* -- signature -- */

/* HMAC over method, path and query, and what the three fields say. */
static bool sign(struct httpd_request *r, const char *date, const char *digest,
    char out[SIGNATURE_SIZE])
{
	const struct span encoded = SPAN(SANDBOX_AZURE_KEY);
	const char *host = httpd_header(r, "Host");
	char key[KEY_MAX];
	ptrdiff_t key_len = b64_decode(encoded, key);
	uint8_t mac[HASH_SHA256_SIZE];
	struct buf text;

	buf_init(&text, TO_SIGN_MAX);
	bool is_made = key_len > 0 && host &&
		       buf_printf(&text, "%s\n%s\n%s;%s;%s", httpd_method(r),
			   httpd_target(r), date, host, digest) == 0;
	if (is_made) {
		hash_hmac_sha256(
		    span_make(key, (size_t)key_len), buf_span(&text), mac);
		out[b64_encode(mac, sizeof(mac), out)] = '\0';
	}
	buf_finish(&text);
	return is_made;
}

static bool is_digest(const char *claimed, struct span body)
{
	uint8_t digest[HASH_SHA256_SIZE];
	char text[SIGNATURE_SIZE];

	hash_sha256(body, digest);
	text[b64_encode(digest, sizeof(digest), text)] = '\0';
	return strcmp(claimed, text) == 0;
}

static bool is_of_now(const char *date)
{
	int64_t ms;

	return date_parse_http(span_of(date), &ms) == 0 &&
	       llabs(ms - clock_wall_ms()) <= SKEW_MS;
}

/* NULL, or what is wrong with it. */
static const char *check_signature(struct httpd_request *r)
{
	static const char scheme[] =
	    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
	    "&Signature=";
	const char *date = httpd_header(r, "x-ms-date");
	const char *digest = httpd_header(r, "x-ms-content-sha256");
	const char *claim = httpd_header(r, "Authorization");
	char expected[SIGNATURE_SIZE];

	if (!date || !digest || !claim ||
	    strncmp(claim, scheme, strlen(scheme)) != 0)
		return "The request is not signed.";
	if (!is_of_now(date))
		return "The date of the request is not of now.";
	if (!is_digest(digest, httpd_body(r)))
		return "The digest is not that of the body.";
	if (!sign(r, date, digest, expected) ||
	    strcmp(claim + strlen(scheme), expected) != 0)
		return "The signature does not match.";
	return NULL;
}

static void check(const struct fake *fake, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	const char *why = check_signature(r);

	if (why)
		answer_error(out, 401, "Denied", why);
	else
		api_check(fake, s, r, out);
}

/* -- requests -- */

static bool has_repeated_id(const json_t *attachments)
{
	size_t i, j;
	const json_t *one, *other;

	json_array_foreach(attachments, i, one)
	{
		const char *id =
		    json_string_value(json_object_get(one, "contentId"));

		for (j = 0; id && j < i; j++) {
			other = json_array_get(attachments, j);
			const char *earlier = json_string_value(
			    json_object_get(other, "contentId"));

			if (earlier && strcmp(id, earlier) == 0)
				return true;
		}
	}
	return false;
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i = 0;

	for (; form[i] && text[i]; i++) {
		if (form[i] == 'x'
			? strchr("0123456789abcdefABCDEF", text[i]) == NULL
			: text[i] != '-')
			return false;
	}
	return !form[i] && !text[i];
}

static bool more(struct api_exam *x)
{
	const char *id = httpd_header(x->r, "Operation-Id");
	const char *version = httpd_query(x->r, "api-version");
	const json_t *headers = json_object_get(x->root, "headers");
	const json_t *content = json_object_get(x->root, "content");

	if (!version || strcmp(version, API_VERSION) != 0)
		return api_wrong(x, "BadRequest", "api-version is not known");
	if (id && !is_uuid(id))
		return api_wrong(x, "BadRequest", "Operation-Id is no UUID");
	if (x->recipients > RECIPIENTS_MAX)
		return api_wrong(
		    x, "BadRequest", "recipients are more than 50");
	if (!json_object_get(content, "plainText") &&
	    !json_object_get(content, "html"))
		return api_wrong(
		    x, "BadRequest", "content has no plainText or html");
	if (has_repeated_id(json_object_get(x->root, "attachments")) &&
	    !json_object_get(headers, IGNORE_IDS))
		return api_wrong(
		    x, "BadRequest", "attachments have a contentId twice");
	return true;
}

/* Whether all of them are suppressed, as Azure drops a message then. */
static bool is_dropped(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	bool is_any_left = false;

	while (rest.len > 0)
		is_any_left |= !api_is_inactive(span_cut(&rest, '\n'));
	return !is_any_left;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	const char *given = httpd_header(x->r, "Operation-Id");
	char id[API_UUID_SIZE];

	api_uuid(id);
	if (given)
		(void)snprintf(id, sizeof(id), "%s", given);
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", id);
	fake_answer_header(x->out,
	    "Operation-Location: /azure/emails/operations/%s?api-version=%s",
	    id, API_VERSION);
	x->is_dry = is_dropped(l);
	if (!x->is_dry) {
		fake_answer_header(x->out, "retry-after: 20");
		fake_answer_json(x->out, 202,
		    json_pack("{s:s, s:s}", "id", id, "status", "Running"));
		return;
	}
	fake_answer_json(x->out, 202,
	    json_pack("{s:s, s:s, s:{s:s, s:s}}", "id", id, "status", "Failed",
		"error", "code", "EmailDroppedAllRecipientsSuppressed",
		"message",
		"Message dropped because all recipients were suppressed"));
}

static const struct api api = {
	.path = "/emails:send",
	.email = "address",
	.name = "displayName",
	.max_request = REQUEST_MAX,
	.bad_status = 400,
	.unknown = "BadRequest",
	.bad_address = "",
	.bad_address_end = " is no address: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

static const struct spelling spelling = {
	.from = "senderAddress",
	.reply_to = "replyTo",
	.to = "recipients.to",
	.cc = "recipients.cc",
	.bcc = "recipients.bcc",
	.email = "address",
	.name = "displayName",
	.subject = "content.subject",
	.text = "content.plainText",
	.html = "content.html",
	.headers = "headers",
	.files = "attachments",
	.file_name = "name",
	.data = "contentInBase64",
	.type = "contentType",
	.content_id = "contentId",
};

const struct fake fake_azure = {
	.name = "azure",
	.check = check,
	.fail = fail,
	.api = &api,
	.spelling = &spelling,
};
