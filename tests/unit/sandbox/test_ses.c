/*
 * The SES fake. The signer here is the tests' own: it shares nothing with
 * the verifier but the hash functions.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <base/b64.h>
#include <base/hash.h>
#include <support/unit.h>

#define URL "/ses/v2/email/outbound-emails"

static void hmac(uint8_t key[32], const char *text)
{
	uint8_t out[32];

	hash_hmac_sha256(span_make(key, 32), span_of(text), out);
	memcpy(key, out, sizeof(out));
}

static void hex_of(const char *text, char out[65])
{
	uint8_t digest[32];

	hash_sha256(span_of(text), digest);
	hex_encode(digest, sizeof(digest), out);
}

/* Header lines for a request signed now; token may be "". */
static const char *sign_with(const struct rig *r, const char *key_id,
    const char *secret, const char *token, const char *body)
{
	static char headers[1024];
	const char *more = *token ? ";x-amz-security-token" : "";
	char line[128] = "", field[128] = "";
	char date[20], day[10], hash[65], canonical[1024], text[512];
	char first[128], signature[65];
	uint8_t key[32];
	time_t now = time(NULL);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	(void)strftime(day, sizeof(day), "%Y%m%d", &tm);
	hex_of(body, hash);
	if (*token) {
		(void)snprintf(
		    line, sizeof(line), "x-amz-security-token:%s\n", token);
		(void)snprintf(field, sizeof(field),
		    "X-Amz-Security-Token: %s\r\n", token);
	}
	(void)snprintf(canonical, sizeof(canonical),
	    "POST\n" URL "\n\ncontent-type:application/json\n"
	    "host:127.0.0.1:%d\nx-amz-date:%s\n%s\n"
	    "content-type;host;x-amz-date%s\n%s",
	    r->port, date, line, more, hash);
	hex_of(canonical, hash);
	(void)snprintf(text, sizeof(text),
	    "AWS4-HMAC-SHA256\n%s\n%s/eu-west-1/ses/aws4_request\n%s", date,
	    day, hash);
	(void)snprintf(first, sizeof(first), "AWS4%s", secret);
	hash_hmac_sha256(span_of(first), span_of(day), key);
	hmac(key, "eu-west-1");
	hmac(key, "ses");
	hmac(key, "aws4_request");
	hmac(key, text);
	hex_encode(key, sizeof(key), signature);
	(void)snprintf(headers, sizeof(headers),
	    "Content-Type: application/json\r\nX-Amz-Date: %s\r\n%s"
	    "Authorization: AWS4-HMAC-SHA256 Credential=%s"
	    "/%s/eu-west-1/ses/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date%s, Signature=%s\r\n",
	    date, field, key_id, day, more, signature);
	return headers;
}

static const char *sign(
    const struct rig *r, const char *secret, const char *body)
{
	return sign_with(r, SANDBOX_SES_KEY_ID, secret, "", body);
}

static struct web_answer post(struct rig *r, const char *body)
{
	return rig_ask(r, "POST", URL, sign(r, SANDBOX_SES_SECRET, body), body);
}

/* base64 of a message with From, To, Cc, Subject and a line of text */
#define DATA                                                                   \
	"RnJvbTogb3JkZXJzQHNob3AuZXhhbXBsZQ0KVG86IEFubiA8YW5uQGRlc3QuZXhhbXBs" \
	"ZT4NCkNjOiBib2JAZGVzdC5leGFtcGxlDQpTdWJqZWN0OiBPcmRlciA0Mg0KDQpUaGFu" \
	"a3MuDQo="
#define CONTENT "\"Content\":{\"Raw\":{\"Data\":\"" DATA "\"}}"
#define TO "\"Destination\":{\"ToAddresses\":[\"ann@dest.example\"]}"
#define GOOD "{" TO "," CONTENT "}"
#define WITH(more) "{" TO "," CONTENT "," more "}"
#define CONTENT_OF(data)                                                       \
	"{" TO ",\"Content\":{\"Raw\":{\"Data\":\"" data "\"}}}"

static const struct {
	const char *body;
	size_t recipients;
} accepted[] = {
	{ GOOD, 1 },
	{ "{" CONTENT "}", 2 }, /* from the header */
	{ "{\"Destination\":{\"ToAddresses\":[\"a@b.example\"],"
	  "\"CcAddresses\":[\"c@b.example\"],"
	  "\"BccAddresses\":[\"d@b.example\",\"e@b.example\"]}," CONTENT "}",
	    4 },
	{ WITH("\"FeedbackForwardingEmailAddress\":\"bounces@shop.example\","
	       "\"ConfigurationSetName\":\"postern\","
	       "\"EmailTags\":[{\"Name\":\"order\",\"Value\":\"42\"}],"
	       "\"ListManagementOptions\":{\"ContactListName\":\"l\"}"),
	    1 },
};

START_TEST(takes_a_signed_request)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = post(&r, accepted[_i].body);
	ck_assert_msg(a.status == 200, "%s", a.body);
	ck_assert_ptr_nonnull(strstr(a.body, "{\"MessageId\":\"0100"));
	ck_assert_ptr_nonnull(web_header(&a, "x-amzn-RequestId"));
	web_answer_free(&a);
	json_t *list = rig_control(&r, "GET", "/_sandbox/messages", NULL);
	json_t *m = json_array_get(list, 0);
	ck_assert_uint_eq(json_array_size(json_object_get(m, "recipients")),
	    accepted[_i].recipients);
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "subject")), "Order 42");
	json_decref(list);
	rig_stop(&r);
}
END_TEST

static const struct {
	const char *body, *type, *says;
} refused[] = {
	{ "", "SerializationException", "JSON" },
	{ "[1]", "SerializationException", "JSON" },
	{ "{" TO "}", "BadRequestException", "Raw" },
	{ "{" TO ",\"Content\":{\"Simple\":{}}}", "BadRequestException",
	    "Raw" },
	{ WITH("\"Destinations\":{}"), "BadRequestException",
	    "Destinations is not a member" },
	/* Cut inside a character, which JSON would not take. */
	{ WITH("\"abc\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	       "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	       "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	       "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	       "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	       "\xe2\x82\xac\":{}"),
	    "BadRequestException", "is not a member" },
	{ "{" TO ",\"Content\":{\"Raw\":{\"Data\":\"" DATA
	  "\",\"Date\":\"x\"}}}",
	    "BadRequestException", "Date is not a member" },
	{ "{\"Destination\":{\"To\":[]}," CONTENT "}", "BadRequestException",
	    "To is not a member" },
	{ "{\"Destination\":{\"ToAddresses\":\"a@b.example\"}," CONTENT "}",
	    "SerializationException", "ToAddresses has the wrong type" },
	{ "{\"Destination\":{}," CONTENT "}", "BadRequestException",
	    "no recipients" },
	{ "{\"Destination\":{\"ToAddresses\":[\"nobody\"]}," CONTENT "}",
	    "BadRequestException", "Missing final" },
	{ CONTENT_OF("!!!!"), "SerializationException", "not base64" },
	{ CONTENT_OF(""), "SerializationException", "not base64" },
	{ CONTENT_OF("eA=="), "BadRequestException", "empty line" },
	/* Subject: x */
	{ CONTENT_OF("U3ViamVjdDogeA0KDQp4DQo="), "BadRequestException",
	    "From" },
	/* two From fields */
	{ CONTENT_OF("RnJvbTogYUBiLmMNCkZyb206IGFAYi5jDQoNCngNCg=="),
	    "BadRequestException", "twice" },
	{ WITH("\"ConfigurationSetName\":\"a b\""), "BadRequestException",
	    "configuration set" },
	{ WITH("\"EmailTags\":[{\"Name\":\"a b\",\"Value\":\"1\"}]"),
	    "BadRequestException", "tag" },
	{ WITH("\"EmailTags\":[{\"Name\":\"a\"}]"), "BadRequestException",
	    "tag" },
	{ WITH("\"ListManagementOptions\":{}"), "BadRequestException",
	    "ContactListName" },
	{ WITH("\"FeedbackForwardingEmailAddress\":\"x\""),
	    "BadRequestException", "Missing final" },
};

START_TEST(refuses_what_breaks_a_rule)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = post(&r, refused[_i].body);
	ck_assert_int_eq(a.status, 400);
	ck_assert_str_eq(web_header(&a, "x-amzn-ErrorType"), refused[_i].type);
	ck_assert_msg(strstr(a.body, refused[_i].says) != NULL, "%s", a.body);
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "ses", "rejected"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(refuses_a_bad_signature)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", URL, sign(&r, "wrong", GOOD), GOOD);
	ck_assert_int_eq(a.status, 403);
	ck_assert_str_eq(
	    web_header(&a, "x-amzn-ErrorType"), "SignatureDoesNotMatch");
	web_answer_free(&a);
	a = rig_ask(&r, "POST", URL, sign(&r, SANDBOX_SES_SECRET, GOOD),
	    "{" CONTENT "}");
	ck_assert_int_eq(a.status, 403);
	web_answer_free(&a);
	a = rig_ask(
	    &r, "POST", URL, "Content-Type: application/json\r\n", GOOD);
	ck_assert_int_eq(a.status, 403);
	ck_assert_str_eq(web_header(&a, "x-amzn-ErrorType"),
	    "MissingAuthenticationTokenException");
	web_answer_free(&a);
	ck_assert_int_eq(
	    rig_status(&r, "POST", "/ses/v2/email/other", "", GOOD), 404);
	rig_stop(&r);
}
END_TEST

static void set_key(struct rig *r, const char *id, int expires_in_ms)
{
	char spec[256];

	(void)snprintf(spec, sizeof(spec),
	    "{\"key_id\":\"%s\",\"secret\":\"s3\",\"token\":\"t-1\","
	    "\"expires_in_ms\":%d}",
	    id, expires_in_ms);
	json_decref(rig_control(r, "POST", "/_sandbox/ses-keys", spec));
}

static void expect_error(
    struct rig *r, const char *id, const char *token, const char *type)
{
	struct web_answer a =
	    rig_ask(r, "POST", URL, sign_with(r, id, "s3", token, GOOD), GOOD);

	ck_assert_int_eq(a.status, *type ? 403 : 200);
	if (*type)
		ck_assert_str_eq(web_header(&a, "x-amzn-ErrorType"), type);
	web_answer_free(&a);
}

START_TEST(temporary_keys_need_their_token_and_end)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	expect_error(&r, "ASIA1", "t-1", "UnrecognizedClientException");
	set_key(&r, "ASIA1", 60000);
	set_key(&r, "ASIA2", 60000);
	expect_error(&r, "ASIA1", "t-1", "");
	expect_error(&r, "ASIA2", "t-1", "");
	expect_error(&r, "ASIA1", "t-2", "UnrecognizedClientException");
	expect_error(&r, "ASIA1", "", "UnrecognizedClientException");
	set_key(&r, "ASIA1", -1);
	expect_error(&r, "ASIA1", "t-1", "ExpiredTokenException");
	expect_error(&r, "ASIA2", "t-1", "");
	for (int i = 0; i < 20; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "ASIB%d", i);
		set_key(&r, id, 60000);
	}
	expect_error(&r, "ASIA2", "t-1", "UnrecognizedClientException");
	expect_error(&r, "ASIB19", "t-1", "");
	json_decref(rig_control(&r, "DELETE", "/_sandbox/ses-keys", NULL));
	expect_error(&r, "ASIB19", "t-1", "UnrecognizedClientException");
	rig_stop(&r);
}
END_TEST

START_TEST(takes_fifty_recipients_and_no_more)
{
	struct rig r = { .port = 0 };
	char body[8192];

	rig_start(&r);
	for (int n = 50; n <= 51; n++) {
		size_t at = (size_t)snprintf(
		    body, sizeof(body), "{\"Destination\":{\"BccAddresses\":[");
		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(body + at, sizeof(body) - at,
			    "%s\"u%d@dest.example\"", i ? "," : "", i);
		(void)snprintf(body + at, sizeof(body) - at, "]}," CONTENT "}");
		struct web_answer a = post(&r, body);
		ck_assert_int_eq(a.status, n == 50 ? 200 : 400);
		web_answer_free(&a);
	}
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/ses");
	TCase *t = tcase_create("ses");

	tcase_add_loop_test(t, takes_a_signed_request, 0,
	    sizeof(accepted) / sizeof(accepted[0]));
	tcase_add_loop_test(t, refuses_what_breaks_a_rule, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, refuses_a_bad_signature);
	tcase_add_test(t, temporary_keys_need_their_token_and_end);
	tcase_add_test(t, takes_fifty_recipients_and_no_more);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
