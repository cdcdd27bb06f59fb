/*
 * Microsoft Graph, sendMail in MIME format, and the token endpoint of Entra:
 * a secret that begins with "sandbox-" is good for any tenant and application.
 */
#include <sandbox/fake.h>

#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <sandbox/addr.h>
#include <sandbox/addressed.h>
#include <sandbox/api.h>
#include <sandbox/mime_check.h>
#include <sandbox/oauth.h>

#define SEND_PREFIX "/msgraph/v1.0/users/"
#define SEND_SUFFIX "/sendMail"
#define TOKEN_SUFFIX "/oauth2/v2.0/token"
#define SCOPE_SUFFIX "/.default"

enum {
	REQUEST_MAX = 4 * 1000 * 1000,
	RECIPIENTS_MAX = 500
};

/* -- answers -- */

static void add_request_id(struct fake_answer *a)
{
	char id[API_UUID_SIZE];

	api_uuid(id);
	fake_answer_header(a, "request-id: %s", id);
}

static void refuse(
    struct fake_answer *a, int status, const char *code, const char *text)
{
	add_request_id(a);
	fake_answer_json(a, status,
	    json_pack(
		"{s:{s:s, s:s}}", "error", "code", code, "message", text));
}

static void fail(struct fake_answer *a, int status)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = { { 400, "ErrorMimeContentInvalidBase64String" },
		{ 401, "InvalidAuthenticationToken" },
		{ 403, "ErrorAccessDenied" }, { 404, "ResourceNotFound" },
		{ 413, "ErrorMessageSizeExceeded" },
		{ 429, "ApplicationThrottled" },
		{ 503, "serviceNotAvailable" } };
	const char *code = "UnknownError";

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status)
			code = codes[i].code;
	}
	refuse(a, status, code, fake_status_text(status));
}

/* -- tokens -- */

static bool is_question(struct httpd_request *r)
{
	return span_iends_with(span_of(httpd_path(r)), SPAN(TOKEN_SUFFIX));
}

static void answer_token(struct httpd_request *r, struct fake_answer *out)
{
	struct span form = httpd_body(r);
	char value[OAUTH_VALUE_SIZE];
	const char *type = httpd_header(r, "Content-Type");

	if (strcmp(httpd_method(r), "POST") != 0 || !type ||
	    strcmp(type, "application/x-www-form-urlencoded") != 0)
		oauth_refuse(out, 400, "invalid_request",
		    "AADSTS900144: The request body is no form.");
	else if (!oauth_field(form, "grant_type", value, sizeof(value)) ||
		 strcmp(value, "client_credentials") != 0)
		oauth_refuse(out, 400, "unsupported_grant_type",
		    "AADSTS70003: The app requested an unsupported grant "
		    "type.");
	else if (!oauth_field(form, "scope", value, sizeof(value)) ||
		 !span_starts_with(span_of(value), SPAN("https://")) ||
		 !span_iends_with(span_of(value), SPAN(SCOPE_SUFFIX)))
		oauth_refuse(out, 400, "invalid_scope",
		    "AADSTS1002012: The provided value for scope is not "
		    "valid.");
	else if (!oauth_field(form, "client_id", value, sizeof(value)) ||
		 !value[0])
		oauth_refuse(out, 400, "unauthorized_client",
		    "AADSTS700016: Application was not found.");
	else if (!oauth_field(form, "client_secret", value, sizeof(value)) ||
		 !span_starts_with(span_of(value), SPAN("sandbox-")))
		oauth_refuse(out, 401, "invalid_client",
		    "AADSTS7000215: Invalid client secret provided.");
	else
		oauth_grant(out, "msgraph");
}

/* -- messages -- */

/* The {user} of the path; empty when the path is another. */
static struct span user_of(const char *path)
{
	struct span s = span_of(path), suffix = SPAN(SEND_SUFFIX);

	if (!span_starts_with(s, SPAN(SEND_PREFIX)))
		return SPAN("");
	s = span_from(s, sizeof(SEND_PREFIX) - 1);
	if (s.len <= suffix.len || !span_iends_with(s, suffix))
		return SPAN("");
	s = span_first(s, s.len - suffix.len);
	return span_index(s, '/') >= 0 ? SPAN("") : s;
}

static bool check_head(struct httpd_request *r, struct fake_answer *out)
{
	const char *type = httpd_header(r, "Content-Type");

	if (user_of(httpd_path(r)).len == 0)
		fail(out, 404);
	else if (strcmp(httpd_method(r), "POST") != 0)
		fail(out, 405);
	else if (!oauth_is_authorized(r, "msgraph"))
		fail(out, 401);
	else if (!type || strcmp(type, "text/plain") != 0)
		fail(out, 415);
	else if (httpd_body(r).len > REQUEST_MAX)
		fail(out, 413);
	return out->status == 0;
}

/* A letter of the decoded message. */
static bool take_message(struct span text, struct fake_answer *out)
{
	struct buf message;
	ptrdiff_t len = -1;
	const char *why;

	buf_init(&message, text.len + 4);
	if (text.len > 0 && buf_reserve(&message, text.len) == 0)
		len = b64_decode(text, buf_tail(&message));
	if (len < 0) {
		refuse(out, 400, "ErrorMimeContentInvalidBase64String",
		    "Invalid base64 string for MIME content.");
	} else {
		buf_commit(&message, (size_t)len);
		why = mime_check(buf_span(&message));
		if (why)
			refuse(out, 400, "ErrorInvalidRequest", why);
		else
			(void)fake_take(out, &fake_msgraph, LETTER_MIME,
			    buf_span(&message));
	}
	buf_finish(&message);
	return out->letter != NULL;
}

/* Only the mailbox itself may be in From; an id is any mailbox's. */
static bool is_own(struct span message, struct span user)
{
	struct span from = mime_check_field(message, SPAN("from")), address;

	return span_index(user, '@') < 0 ||
	       (addr_parse(from, &address) && span_ieq(address, user));
}

static bool check_letter(struct httpd_request *r, struct fake_answer *out)
{
	size_t count = 0;

	if (!addressed_take(out->letter, &count))
		fail(out, 500);
	else if (count == 0)
		refuse(out, 400, "ErrorInvalidRecipients",
		    "At least one recipient is not valid., A message can't be "
		    "sent because it contains no recipients.");
	else if (count > RECIPIENTS_MAX)
		refuse(out, 400, "ErrorExceededMessageLimit",
		    "The message has too many recipients.");
	else if (!is_own(buf_span(&out->letter->raw), user_of(httpd_path(r))))
		refuse(out, 403, "ErrorSendAsDenied",
		    "The user account which was used to submit this request "
		    "does not have the right to send mail on behalf of the "
		    "specified sending account.");
	return out->status == 0;
}

static void check(const struct fake *self, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct letter *l;

	(void)self;
	(void)s;
	if (is_question(r)) {
		answer_token(r, out);
		return;
	}
	if (!check_head(r, out) || !take_message(httpd_body(r), out))
		return;
	l = out->letter;
	if (check_letter(r, out)) {
		api_uuid(l->provider_id);
		fake_answer_header(out, "request-id: %s", l->provider_id);
		out->status = 202;
		return;
	}
	letter_free(l);
	out->letter = NULL;
}

const struct fake fake_msgraph = {
	.name = "msgraph",
	.check = check,
	.is_question = is_question,
	.fail = fail,
};
