/*
 * Gmail API, users.messages.send as a media upload, and Google's token
 * endpoint: a JWT signed by the sandbox's own service account, whose key file
 * GET /gmail/service-account.json gives out, for any user.
 */
#include <sandbox/fake.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <base/b64.h>
#include <base/clock.h>
#include <base/rsa.h>
#include <sandbox/addressed.h>
#include <sandbox/gmail_key.h>
#include <sandbox/mime_check.h>
#include <sandbox/oauth.h>

#define SEND_PATH "/gmail/upload/gmail/v1/users/me/messages/send"
#define TOKEN_PATH "/gmail/token"
#define KEY_PATH "/gmail/service-account.json"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define SCOPE "https://www.googleapis.com/auth/gmail.send"

enum {
	MESSAGE_MAX = 36700160,
	RECIPIENTS_MAX = 500,
	ASSERTION_SIZE = 4096,
	LIFETIME_MAX_S = 3600,
	SKEW_S = 300
};

/* -- answers -- */

static void refuse(
    struct fake_answer *a, int status, const char *reason, const char *text)
{
	fake_answer_json(a, status,
	    json_pack("{s:{s:i, s:s, s:[{s:s, s:s, s:s}]}}", "error", "code",
		status, "message", text, "errors", "message", text, "domain",
		"global", "reason", reason));
}

static void fail(struct fake_answer *a, int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = { { 400, "badRequest" }, { 401, "authError" },
		{ 403, "domainPolicy" }, { 404, "notFound" },
		{ 413, "uploadTooLarge" }, { 429, "rateLimitExceeded" } };
	const char *reason = "backendError";

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			reason = reasons[i].reason;
	}
	refuse(a, status, reason, fake_status_text(status));
}

/* -- tokens -- */

static bool is_question(struct httpd_request *r)
{
	return strcmp(httpd_path(r), TOKEN_PATH) == 0 ||
	       strcmp(httpd_path(r), KEY_PATH) == 0;
}

static void give_key(struct fake_answer *out)
{
	fake_answer_json(out, 200,
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type",
		"service_account", "project_id", "sandbox", "private_key_id",
		GMAIL_KEY_ID, "private_key", gmail_key_pem, "client_email",
		GMAIL_KEY_EMAIL, "token_uri", GMAIL_TOKEN_URI));
}

/* A part of the JWT as JSON; NULL when it is none. */
static json_t *read_part(struct span part)
{
	char text[ASSERTION_SIZE];
	ptrdiff_t n = -1;

	if (part.len < sizeof(text))
		n = b64url_decode(part, text);
	return n > 0 ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL)
		     : NULL;
}

static bool is_text(const json_t *object, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && strcmp(text, value) == 0;
}

/* NULL, or what Google would say of the claims. */
static const char *check_claims(const json_t *claims)
{
	json_int_t now = clock_wall_ms() / 1000;
	json_int_t iat = json_integer_value(json_object_get(claims, "iat"));
	json_int_t exp = json_integer_value(json_object_get(claims, "exp"));
	const char *user = json_string_value(json_object_get(claims, "sub"));

	if (!is_text(claims, "iss", GMAIL_KEY_EMAIL))
		return "Invalid issuer: Not a valid email or user ID.";
	if (!is_text(claims, "aud", GMAIL_TOKEN_URI))
		return "Invalid JWT: Failed audience check.";
	if (iat > now + SKEW_S || exp <= now || exp - iat > LIFETIME_MAX_S)
		return "Invalid JWT: Token must be a short-lived token (60 "
		       "minutes) and in a reasonable timeframe.";
	if (!user || !strchr(user, '@'))
		return "Invalid email or User ID";
	return NULL;
}

static bool is_signed(struct span assertion, struct span text)
{
	uint8_t signature[RSA_SIGNATURE_MAX];
	struct span encoded = span_from(assertion, text.len + 1);
	ptrdiff_t n = -1;

	if (encoded.len <= sizeof(signature))
		n = b64url_decode(encoded, signature);
	return n > 0 && rsa_is_signed(span_of(gmail_key_pem), text,
			    span_make((char *)signature, (size_t)n));
}

static void judge_assertion(const char *assertion, struct fake_answer *out)
{
	struct span rest = span_of(assertion), all = rest;
	struct span head = span_cut(&rest, '.');
	struct span body = span_cut(&rest, '.');
	json_t *header = read_part(head), *claims = read_part(body);
	const char *why = check_claims(claims);

	if (!is_text(header, "alg", "RS256") || !rest.ptr ||
	    !is_signed(all, span_first(all, head.len + 1 + body.len)))
		oauth_refuse(
		    out, 400, "invalid_grant", "Invalid JWT Signature.");
	else if (why)
		oauth_refuse(out, 400, "invalid_grant", why);
	else if (!is_text(claims, "scope", SCOPE))
		oauth_refuse(out, 401, "unauthorized_client",
		    "Client is unauthorized to retrieve access tokens using "
		    "this method, or client not authorized for any of the "
		    "scopes requested.");
	else
		oauth_grant(out, "gmail");
	json_decref(header);
	json_decref(claims);
}

static void answer_token(struct httpd_request *r, struct fake_answer *out)
{
	struct span form = httpd_body(r);
	char grant[OAUTH_VALUE_SIZE], assertion[ASSERTION_SIZE];
	const char *type = httpd_header(r, "Content-Type");

	if (strcmp(httpd_path(r), KEY_PATH) == 0)
		give_key(out);
	else if (strcmp(httpd_method(r), "POST") != 0 || !type ||
		 strcmp(type, "application/x-www-form-urlencoded") != 0 ||
		 !oauth_field(form, "assertion", assertion, sizeof(assertion)))
		oauth_refuse(out, 400, "invalid_request",
		    "Missing required parameter: assertion");
	else if (!oauth_field(form, "grant_type", grant, sizeof(grant)) ||
		 strcmp(grant, GRANT_TYPE) != 0)
		oauth_refuse(
		    out, 400, "unsupported_grant_type", "Invalid grant_type");
	else
		judge_assertion(assertion, out);
}

/* -- messages -- */

static bool check_head(struct httpd_request *r, struct fake_answer *out)
{
	const char *type = httpd_header(r, "Content-Type");
	const char *upload = httpd_query(r, "uploadType");

	if (strcmp(httpd_path(r), SEND_PATH) != 0)
		fail(out, 404);
	else if (strcmp(httpd_method(r), "POST") != 0)
		fail(out, 405);
	else if (!oauth_is_authorized(r, "gmail"))
		fail(out, 401);
	else if (!upload || strcmp(upload, "media") != 0 || !type ||
		 strcmp(type, "message/rfc822") != 0)
		refuse(out, 400, "badRequest",
		    "Media type is not supported. Valid media types: "
		    "[message/*]");
	else if (httpd_body(r).len > MESSAGE_MAX)
		fail(out, 413);
	return out->status == 0;
}

static bool check_letter(struct fake_answer *out)
{
	const char *why = mime_check(buf_span(&out->letter->raw));
	size_t count = 0;

	if (why)
		refuse(out, 400, "invalidArgument", why);
	else if (!addressed_take(out->letter, &count))
		fail(out, 500);
	else if (count == 0)
		refuse(
		    out, 400, "invalidArgument", "Recipient address required");
	else if (count > RECIPIENTS_MAX)
		refuse(out, 400, "invalidArgument", "Too many recipients");
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
	if (!check_head(r, out) ||
	    !fake_take(out, &fake_gmail, LETTER_MIME, httpd_body(r)))
		return;
	l = out->letter;
	if (check_letter(out)) {
		(void)snprintf(
		    l->provider_id, sizeof(l->provider_id), "%s", l->id);
		fake_answer_json(out, 200,
		    json_pack("{s:s, s:s, s:[s]}", "id", l->id, "threadId",
			l->id, "labelIds", "SENT"));
		return;
	}
	letter_free(l);
	out->letter = NULL;
}

const struct fake fake_gmail = {
	.name = "gmail",
	.check = check,
	.is_question = is_question,
	.fail = fail,
};
