/*
 * A JWT signed with the key of the service account is exchanged for an access
 * token (developers.google.com/identity: OAuth 2.0 for server to server
 * applications; RFC 7523).
 */
#include <gmail_token.h>

#include <common/answer.h>
#include <common/base64.h>
#include <common/oauth.h>
#include <common/text.h>

#include <errno.h>

#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define SCOPE "https://www.googleapis.com/auth/gmail.send"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:jwt-bearer"

enum {
	LIFETIME_S = 3600, /* the most there is */
	SKEW_S = 60        /* so much may our clock be ahead */
};

/* What is in the key file; borrowed from json. */
struct account {
	json_t *json;
	struct postern_str email, key, key_id, token_uri;
};

static void account_read(const struct gmail_settings *s, struct account *out)
{
	const struct postern_response file = { .size = sizeof(file),
		.body = {
		    s->service_account_key.ptr, s->service_account_key.len } };

	out->json = answer_json(&file);
	out->email = answer_member(out->json, "client_email");
	out->key = answer_member(out->json, "private_key");
	out->key_id = answer_member(out->json, "private_key_id");
	out->token_uri = answer_member(out->json, "token_uri");
	if (out->token_uri.len == 0)
		out->token_uri = STR(TOKEN_URL);
}

const char *gmail_key_check(const struct gmail_settings *s)
{
	struct account a;
	bool is_whole;

	account_read(s, &a);
	is_whole = a.email.len > 0 && a.key.len > 0;
	json_decref(a.json);
	return is_whole ? NULL
			: "service_account_key must be the key file of a "
			  "service account: JSON with client_email and "
			  "private_key";
}

/* Its dump in base64url; NULL for memory. Takes the reference. */
static const char *encode(const struct oauth *o, json_t *object)
{
	char *dump = json_dumps(object, JSON_COMPACT);
	const char *text = NULL;

	if (dump)
		text = base64_url(o->step.host, o->step.r, str_of(dump));
	free(dump);
	json_decref(object);
	return text;
}

static json_t *string(struct postern_str s)
{
	return json_stringn(s.ptr, s.len);
}

/* What is signed: header and claims. NULL for memory. */
static const char *make_claims(const struct oauth *o, const struct account *a,
    const struct gmail_settings *s)
{
	const json_int_t issued = o->step.p->now - SKEW_S;
	const json_int_t end = issued + LIFETIME_S;
	json_t *head = json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT");
	const char *first, *second;
	struct text t;

	if (a->key_id.len > 0)
		(void)json_object_set_new(head, "kid", string(a->key_id));
	first = encode(o, head);
	second = encode(o,
	    json_pack("{s:o, s:s, s:o, s:I, s:I, s:s}", "iss", string(a->email),
		"scope", SCOPE, "aud", string(a->token_uri), "iat", issued,
		"exp", end, "sub", s->user));
	text_init(&t, o->step.host, o->step.r);
	text_add_cstr(&t, first);
	text_add_char(&t, '.');
	text_add_cstr(&t, second);
	return first && second ? text_finish(&t) : NULL;
}

/* The claims with their signature. 0, or what prepare is to return. */
static int make_assertion(const struct oauth *o, const struct account *a,
    const struct gmail_settings *s, struct postern_str *out)
{
	const struct postern_host *host = o->step.host;
	const char *claims = make_claims(o, a, s), *encoded;
	struct postern_str signature;
	struct text t;
	int rc;

	if (!claims)
		return -ENOMEM;
	rc = host->sign_rs256(o->step.r, a->key, str_of(claims), &signature);
	if (rc == -EINVAL)
		return prepare_refuse(&o->step, POSTERN_ACCOUNT,
		    "private_key of the service account is no RSA key");
	if (rc < 0)
		return rc;
	encoded = base64_url(host, o->step.r, signature);
	text_init(&t, host, o->step.r);
	text_add_cstr(&t, claims);
	text_add_char(&t, '.');
	text_add_cstr(&t, encoded);
	if (!encoded || !text_finish(&t))
		return -ENOMEM;
	*out = str_make(t.data, t.len);
	return 0;
}

static int ask(
    const struct gmail_settings *s, const struct account *a, struct oauth *o)
{
	struct postern_str assertion = STR("");
	struct text url;
	int rc;

	text_init(&url, o->step.host, o->step.r);
	if (s->token_url)
		text_add_cstr(&url, s->token_url);
	else
		text_add(&url, a->token_uri);
	if (!text_finish(&url))
		return -ENOMEM;
	rc = oauth_ask(o, url.data, s->user);
	if (rc < 0 || o->step.p->grant.ptr)
		return rc;
	rc = make_assertion(o, a, s, &assertion);
	if (rc < 0)
		return rc;
	oauth_field(o, "grant_type", STR(GRANT_TYPE));
	oauth_field(o, "assertion", assertion);
	return 0;
}

int gmail_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	struct oauth o = { .step = { p, host, r } };
	struct account a;
	int rc;

	if (p->response || p->fault)
		return oauth_take(&o);
	account_read(settings, &a);
	rc = ask(settings, &a, &o);
	json_decref(a.json);
	return rc;
}
