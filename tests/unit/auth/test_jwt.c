/* Tokens: what is believed, and what is not. */
#include <support/unit.h>

#include "issuer.h"

#include <auth/jwt.h>

#include <stdio.h>
#include <stdlib.h>

#define NOW 1700000000
#define GOOD_HEAD "\"iss\":\"https://id.example\",\"aud\":\"postern\","
#define GOOD "{" GOOD_HEAD "\"sub\":\"alice\",\"exp\":1700000300}"

static char token[ISSUER_TEXT_SIZE], text[ISSUER_TEXT_SIZE];
static struct jwk_set *keys;
static struct jwt_result result;

static const struct jwt_rules rules = { .issuer = "https://id.example",
	.audience = "postern",
	.claim = "sub",
	.now_s = NOW };

static void setup(void)
{
	struct err e = { .code = 0 };

	keys = jwk_set_parse(span_of(issuer_jwks(text)), &e);
	ck_assert_msg(keys != NULL, "%s", e.text);
	ck_assert_uint_eq(jwk_set_count(keys), 4);
}

static void teardown(void)
{
	jwk_set_unref(keys);
}

static enum jwt_verdict verify(const char *t)
{
	return jwt_verify(span_of(t), keys, &rules, &result);
}

static const struct {
	enum issuer_key key;
	const char *algorithm;
} algorithms[] = {
	{ ISSUER_RSA, "RS256" },
	{ ISSUER_RSA, "RS384" },
	{ ISSUER_RSA, "RS512" },
	{ ISSUER_RSA, "PS256" },
	{ ISSUER_P256, "ES256" },
	{ ISSUER_P384, "ES384" },
	{ ISSUER_ED25519, "EdDSA" },
};

START_TEST(believes_what_the_issuer_signed)
{
	ck_assert_int_eq(verify(issuer_token(algorithms[_i].key,
			     algorithms[_i].algorithm, GOOD, token)),
	    JWT_GOOD);
	ck_assert_str_eq(result.name, "alice");
}
END_TEST

/* One bit of the text or of the signature. */
START_TEST(believes_nothing_that_was_changed)
{
	size_t len;

	(void)issuer_token(
	    algorithms[_i].key, algorithms[_i].algorithm, GOOD, token);
	len = strlen(token);
	for (size_t i = 0; i < len; i += 3) {
		char was = token[i];

		token[i] = was == 'A' ? 'Q' : 'A';
		if (token[i] != was)
			ck_assert_int_ne(verify(token), JWT_GOOD);
		token[i] = was;
	}
	for (size_t i = 0; i < len; i++)
		ck_assert_int_ne(
		    jwt_verify(span_make(token, i), keys, &rules, &result),
		    JWT_GOOD);
	ck_assert_int_eq(verify(token), JWT_GOOD);
}
END_TEST

/* What is signed with one key and says to be another's. */
START_TEST(the_key_decides_on_the_algorithm)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		static const char *const kids[] = { "rsa", "p256", "p384",
			"ed" };
		char header[100];

		for (size_t j = 0; j < 4; j++) {
			if (j == algorithms[i].key)
				continue;
			(void)snprintf(header, sizeof(header),
			    "{\"alg\":\"%s\",\"kid\":\"%s\"}",
			    algorithms[i].algorithm, kids[j]);
			ck_assert_int_eq(
			    verify(issuer_sign(algorithms[i].key,
				algorithms[i].algorithm, header, GOOD, token)),
			    JWT_UNSIGNED);
		}
	}
}
END_TEST

static const struct {
	const char *header, *why;
} headers[] = {
	{ "{\"alg\":\"none\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"None\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"HS512\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"rs256\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"ES512\",\"kid\":\"rsa\"}", "algorithm" },
	{ "{\"alg\":\"RS256\"}", "without a kid" },
	{ "{\"alg\":\"RS256\",\"kid\":\"\"}", "without a kid" },
	{ "{\"alg\":\"RS256\",\"kid\":7}", "without a kid" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"b64\"]}",
	    "critical" },
	{ "{\"alg\":\"RS256\",\"alg\":\"none\",\"kid\":\"rsa\"}", "broken" },
	{ "[]", "broken" },
	{ "\"RS256\"", "broken" },
	{ "", "broken" },
	{ "{", "broken" },
	{ "{} x", "broken" },
};

START_TEST(refuses_headers)
{
	/* Signed well; and as "none" and HS would be. */
	ck_assert_int_eq(verify(issuer_sign(ISSUER_RSA, "RS256",
			     headers[_i].header, GOOD, token)),
	    JWT_BAD);
	ck_assert_msg(strstr(result.why, headers[_i].why) != NULL, "%s: %s",
	    headers[_i].header, result.why);
	ck_assert_int_eq(
	    verify(issuer_raw(headers[_i].header, GOOD, SPAN(""), token)),
	    JWT_BAD);
}
END_TEST

static const struct {
	const char *claims, *why; /* NULL: good */
} claims[] = {
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1699999941}", NULL },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1699999940.5}", NULL },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1699999940}", "expired" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":-1}", "expired" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1e300}", NULL },
	{ "{" GOOD_HEAD "\"sub\":\"a\"}", "without an expiry" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":\"1700000300\"}",
	    "without an expiry" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":null}", "without an expiry" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1700000300,"
	  "\"nbf\":1700000060}",
	    NULL },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1700000300,"
	  "\"nbf\":1700000061}",
	    "not valid yet" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1700000300,\"nbf\":\"0\"}",
	    "broken nbf" },
	{ "{\"iss\":\"https://id.example/\",\"aud\":\"postern\","
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    "another issuer" },
	{ "{\"iss\":[\"https://id.example\"],\"aud\":\"postern\","
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    "another issuer" },
	{ "{\"aud\":\"postern\",\"sub\":\"a\",\"exp\":1700000300}",
	    "another issuer" },
	{ "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"postern\"],"
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    NULL },
	{ "{\"iss\":\"https://id.example\",\"aud\":[\"x\",7],"
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    "another audience" },
	{ "{\"iss\":\"https://id.example\",\"aud\":{\"postern\":1},"
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    "another audience" },
	{ "{\"iss\":\"https://id.example\",\"aud\":\"postern2\","
	  "\"sub\":\"a\",\"exp\":1700000300}",
	    "another audience" },
	{ "{\"iss\":\"https://id.example\",\"sub\":\"a\",\"exp\":1700000300}",
	    "another audience" },
	{ "{" GOOD_HEAD "\"exp\":1700000300}", "names the user" },
	{ "{" GOOD_HEAD "\"sub\":\"\",\"exp\":1700000300}", "names the user" },
	{ "{" GOOD_HEAD "\"sub\":7,\"exp\":1700000300}", "names the user" },
	{ "{" GOOD_HEAD "\"sub\":\"a\\u0000b\",\"exp\":1700000300}", "broken" },
	{ "{" GOOD_HEAD "\"sub\":\"a\",\"sub\":\"b\",\"exp\":1700000300}",
	    "broken" },
	{ "[" GOOD "]", "broken" },
};

START_TEST(checks_claims)
{
	enum jwt_verdict verdict = verify(
	    issuer_token(ISSUER_P256, "ES256", claims[_i].claims, token));

	ck_assert_msg(verdict == (claims[_i].why ? JWT_BAD : JWT_GOOD),
	    "%s: %s", claims[_i].claims, result.why);
	if (claims[_i].why)
		ck_assert_msg(strstr(result.why, claims[_i].why) != NULL,
		    "%s: %s", claims[_i].claims, result.why);
}
END_TEST

static const struct {
	const char *more;
	enum jwt_verdict verdict;
} emails[] = {
	{ "", JWT_GOOD },
	{ ",\"email_verified\":true", JWT_GOOD },
	{ ",\"email_verified\":\"true\"", JWT_GOOD },
	{ ",\"email_verified\":false", JWT_BAD },
	{ ",\"email_verified\":\"false\"", JWT_BAD },
	{ ",\"email_verified\":null", JWT_BAD },
	{ ",\"email_verified\":1", JWT_BAD },
};

START_TEST(an_email_must_be_verified)
{
	struct jwt_rules by_email = rules;
	char json[300];

	by_email.claim = "email";
	(void)snprintf(json, sizeof(json),
	    "{" GOOD_HEAD "\"email\":\"a@b\",\"exp\":1700000300%s}",
	    emails[_i].more);
	(void)issuer_token(ISSUER_P256, "ES256", json, token);
	ck_assert_int_eq(jwt_verify(span_of(token), keys, &by_email, &result),
	    emails[_i].verdict);
	if (emails[_i].verdict == JWT_GOOD)
		ck_assert_str_eq(result.name, "a@b");
}
END_TEST

static const char *const shapes[] = { "", ".", "..", "...", "a.b", "a.b.c",
	"e30.e30.", "e30=.e30.AAAA", "e30.e30.AAAA.AAAA", "!!!!.!!!!.!!!!",
	"e3+/.e30.AAAA" };

START_TEST(refuses_what_is_no_token)
{
	ck_assert_int_eq(verify(shapes[_i]), JWT_BAD);
}
END_TEST

START_TEST(refuses_oversized_tokens)
{
	static char claims_text[9000];

	(void)snprintf(claims_text, sizeof(claims_text),
	    "{" GOOD_HEAD "\"sub\":\"%0400d\",\"exp\":1700000300}", 1);
	ck_assert_int_eq(
	    verify(issuer_token(ISSUER_P256, "ES256", claims_text, token)),
	    JWT_BAD);
	(void)snprintf(claims_text, sizeof(claims_text),
	    "{" GOOD_HEAD "\"sub\":\"a\",\"exp\":1700000300,\"x\":\"%07000d\"}",
	    1);
	ck_assert_int_eq(
	    verify(issuer_token(ISSUER_P256, "ES256", claims_text, token)),
	    JWT_BAD);
	ck_assert_ptr_nonnull(strstr(result.why, "oversized"));
}
END_TEST

START_TEST(without_keys_nothing_is_signed)
{
	(void)issuer_token(ISSUER_RSA, "RS256", GOOD, token);
	ck_assert_int_eq(
	    jwt_verify(span_of(token), NULL, &rules, &result), JWT_UNSIGNED);
}
END_TEST

/* --- sets --- */

static struct jwk_set *set_of(
    enum issuer_key key, const char *kid, const char *more, struct err *e)
{
	char one[ISSUER_TEXT_SIZE];

	return jwk_set_parse(
	    span_of(issuer_set(issuer_jwk(key, kid, more, one), text)), e);
}

static const struct {
	enum issuer_key key;
	const char *kid, *more;
	bool is_good;
} jwks[] = {
	{ ISSUER_RSA, NULL, ",\"use\":\"sig\",\"alg\":\"RS256\"", true },
	{ ISSUER_RSA, NULL, ",\"use\":\"enc\"", false },
	{ ISSUER_RSA, NULL, ",\"alg\":\"RSA-OAEP\"", false },
	{ ISSUER_RSA, NULL, ",\"alg\":\"HS256\"", false },
	{ ISSUER_RSA, "", NULL, false },
	{ ISSUER_SMALL, NULL, NULL, false },
	{ ISSUER_P256, "other", ",\"x5c\":[]", true },
};

START_TEST(keeps_keys_that_verify)
{
	struct err e = { .code = 0 };
	struct jwk_set *set =
	    set_of(jwks[_i].key, jwks[_i].kid, jwks[_i].more, &e);

	ck_assert_msg((set != NULL) == jwks[_i].is_good, "%s", e.text);
	jwk_set_unref(set);
}
END_TEST

START_TEST(a_key_may_be_for_one_algorithm_only)
{
	struct jwk_set *set =
	    set_of(ISSUER_RSA, NULL, ",\"alg\":\"RS256\"", NULL);

	(void)issuer_token(ISSUER_RSA, "PS256", GOOD, token);
	ck_assert_int_eq(
	    jwt_verify(span_of(token), set, &rules, &result), JWT_UNSIGNED);
	(void)issuer_token(ISSUER_RSA, "RS256", GOOD, token);
	ck_assert_int_eq(
	    jwt_verify(span_of(token), set, &rules, &result), JWT_GOOD);
	jwk_set_unref(set);
}
END_TEST

static const struct {
	const char *json, *says;
} broken[] = {
	{ "", "not JSON" },
	{ "<html>", "not JSON" },
	{ "[]", "not a JWK set" },
	{ "{}", "not a JWK set" },
	{ "{\"keys\":{}}", "not a JWK set" },
	{ "{\"keys\":[]}", "not a JWK set" },
	{ "{\"keys\":[null, 7, \"x\", {}, []]}", "none of its 5 keys" },
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
	    "none of its 1 keys" },
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"AQAB\","
	  "\"e\":\"AQAB\"}]}",
	    "none of" },
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\","
	  "\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
	    "none of" },
	/* Not on the curve. */
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\","
	  "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
	  "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
	    "none of" },
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
	  "\"x\":\"AAAA\"}]}",
	    "none of" },
	{ "{\"keys\":[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"X25519\","
	  "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
	    "none of" },
};

START_TEST(says_what_is_wrong_with_a_set)
{
	struct err e = { .code = 0 };

	ck_assert_ptr_null(jwk_set_parse(span_of(broken[_i].json), &e));
	ck_assert_msg(strstr(e.text, broken[_i].says) != NULL, "%s: %s",
	    broken[_i].json, e.text);
}
END_TEST

START_TEST(survives_cut_sets)
{
	size_t len = strlen(issuer_jwks(text));

	for (size_t i = 0; i < len; i += 7)
		ck_assert_ptr_null(jwk_set_parse(span_make(text, i), NULL));
}
END_TEST

#define LOOP(t, fn, rows)                                                      \
	tcase_add_loop_test(t, fn, 0, sizeof(rows) / sizeof((rows)[0]))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/jwt");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(t, issuer_open, issuer_close);
	tcase_add_checked_fixture(t, setup, teardown);
	LOOP(t, believes_what_the_issuer_signed, algorithms);
	LOOP(t, believes_nothing_that_was_changed, algorithms);
	tcase_add_test(t, the_key_decides_on_the_algorithm);
	LOOP(t, refuses_headers, headers);
	LOOP(t, checks_claims, claims);
	LOOP(t, an_email_must_be_verified, emails);
	LOOP(t, refuses_what_is_no_token, shapes);
	tcase_add_test(t, refuses_oversized_tokens);
	tcase_add_test(t, without_keys_nothing_is_signed);
	LOOP(t, keeps_keys_that_verify, jwks);
	tcase_add_test(t, a_key_may_be_for_one_algorithm_only);
	LOOP(t, says_what_is_wrong_with_a_set, broken);
	tcase_add_test(t, survives_cut_sets);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
