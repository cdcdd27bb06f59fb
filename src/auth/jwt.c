/*
 * A token is looked at from the cheap to the dear: its size, its parts, what
 * it claims, and then the signature. Its algorithm must be one of the key's;
 * "none" and shared secrets are not known here at all.
 */
#include <auth/jwt.h>

#include <base/b64.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_MAX = 2048, /* as text */
	KID_MAX = 256,
	SIGNATURE_SIZE = 1026 /* RSA of 8192 bits, in whole triples */
};

/* A token in its three parts; released by token_finish. */
struct token {
	struct span text; /* header "." payload: what is signed */
	struct span signature;
	json_t *header, *claims;
};

/* An object, or NULL. */
static json_t *decode_object(struct span part)
{
	char *text = malloc(part.len + 3);
	ptrdiff_t len = text ? b64url_decode(part, text) : -1;
	json_t *json = NULL;

	if (len > 0)
		json =
		    json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static const char *token_parse(struct span text, struct token *t)
{
	struct span rest = text, header, payload;

	*t = (struct token){ .header = NULL };
	if (text.len > JWT_SIZE_MAX)
		return "oversized token";
	header = span_cut(&rest, '.');
	payload = span_cut(&rest, '.');
	if (!rest.ptr || span_index(rest, '.') >= 0 || header.len > HEADER_MAX)
		return "not a signed token";
	t->text = span_make(text.ptr, header.len + 1 + payload.len);
	t->signature = rest;
	t->header = decode_object(header);
	t->claims = decode_object(payload);
	return t->header && t->claims ? NULL : "broken token";
}

static void token_finish(struct token *t)
{
	json_decref(t->header);
	json_decref(t->claims);
}

static struct span get_text(const json_t *object, const char *name)
{
	return span_of(json_string_value(json_object_get(object, name)));
}

static const char *check_header(const json_t *header)
{
	struct span kid = get_text(header, "kid");

	if (!jwk_is_algorithm(get_text(header, "alg")))
		return "token with an algorithm that is not accepted";
	if (kid.len == 0 || kid.len > KID_MAX)
		return "token without a kid";
	if (json_object_get(header, "crit"))
		return "token with critical extensions";
	return NULL;
}

static bool has_audience(const json_t *claims, const char *wanted)
{
	const json_t *aud = json_object_get(claims, "aud"), *one;
	size_t i;

	if (json_is_string(aud))
		return !strcmp(json_string_value(aud), wanted);
	json_array_foreach(aud, i,
	    one) if (json_is_string(one) &&
		     !strcmp(json_string_value(one), wanted)) return true;
	return false;
}

/* Times are numbers, perhaps with a fraction (RFC 7519 section 2). */
static const char *check_times(const json_t *claims, double now)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");

	if (!json_is_number(exp))
		return "token without an expiry";
	if (json_number_value(exp) + JWT_SKEW_S <= now)
		return "expired token";
	if (nbf && !json_is_number(nbf))
		return "token with a broken nbf";
	if (nbf && json_number_value(nbf) - JWT_SKEW_S > now)
		return "token that is not valid yet";
	return NULL;
}

/*
 * Whoever could enter any address there could be anybody. Some issuers say so
 * in a string, others not at all.
 */
static bool is_email_verified(const json_t *claims)
{
	const json_t *is_verified = json_object_get(claims, "email_verified");

	return !is_verified || json_is_true(is_verified) ||
	       span_eq(get_text(claims, "email_verified"), SPAN("true"));
}

static const char *take_name(
    const json_t *claims, const char *claim, struct jwt_result *out)
{
	struct span name = get_text(claims, claim);

	if (name.len == 0 || name.len >= sizeof(out->name))
		return "token without the claim that names the user";
	if (!strcmp(claim, "email") && !is_email_verified(claims))
		return "token with an unverified email";
	memcpy(out->name, name.ptr, name.len);
	out->name[name.len] = '\0';
	return NULL;
}

static const char *check_claims(
    const json_t *claims, const struct jwt_rules *rules, struct jwt_result *out)
{
	const char *why;

	if (!span_eq(get_text(claims, "iss"), span_of(rules->issuer)))
		return "token of another issuer";
	if (!has_audience(claims, rules->audience))
		return "token for another audience";
	why = check_times(claims, (double)rules->now_s);
	return why ? why : take_name(claims, rules->claim, out);
}

static bool is_signed(const struct token *t, const struct jwk_set *keys)
{
	uint8_t signature[SIGNATURE_SIZE];
	ptrdiff_t len = -1;

	if (t->signature.len <= sizeof(signature) / 3 * 4)
		len = b64url_decode(t->signature, signature);
	return len > 0 && keys &&
	       jwk_verify(keys, get_text(t->header, "kid"),
		   get_text(t->header, "alg"), t->text,
		   span_make(signature, (size_t)len));
}

enum jwt_verdict jwt_verify(struct span token, const struct jwk_set *keys,
    const struct jwt_rules *rules, struct jwt_result *out)
{
	struct token t;
	enum jwt_verdict verdict = JWT_BAD;

	*out = (struct jwt_result){ .why = token_parse(token, &t) };
	if (!out->why)
		out->why = check_header(t.header);
	if (!out->why)
		out->why = check_claims(t.claims, rules, out);
	if (!out->why) {
		verdict = is_signed(&t, keys) ? JWT_GOOD : JWT_UNSIGNED;
		out->why = "no key of the issuer made the token's signature";
	}
	token_finish(&t);
	return verdict;
}
