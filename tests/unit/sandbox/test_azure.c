/*
 * The fake of Azure: what it takes, and each thing it refuses. The signer here
 * is the tests' own; it shares only the hash functions with the verifier.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <base/b64.h>
#include <base/hash.h>
#include <support/unit.h>

#define URL "/azure/emails:send?api-version=2025-09-01"
#define UUID "8540c0de-899f-4cce-acb5-3ec493af3800"

struct call {
	const char *method, *target; /* as they are signed, NULL: as sent */
	const char *key;             /* NULL: the right one */
	time_t ahead;                /* of the clock */
	const char *body;            /* that is signed; NULL: as sent */
};

static void base64(const void *data, size_t len, char out[64])
{
	out[b64_encode(data, len, out)] = '\0';
}

/* Header lines for a POST of body to target, signed as c says. */
static const char *sign(const struct rig *r, const char *target,
    const char *body, const struct call *c)
{
	static char headers[1024];
	const char *key = c->key ? c->key : "sandbox-azure-access-key";
	char date[64], digest[64], signature[64], text[512];
	time_t now = time(NULL) + c->ahead;
	uint8_t hash[32];
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	hash_sha256(span_of(c->body ? c->body : body), hash);
	base64(hash, sizeof(hash), digest);
	(void)snprintf(text, sizeof(text), "%s\n%s\n%s;127.0.0.1:%d;%s",
	    c->method ? c->method : "POST", c->target ? c->target : target,
	    date, r->port, digest);
	hash_hmac_sha256(span_of(key), span_of(text), hash);
	base64(hash, sizeof(hash), signature);
	(void)snprintf(headers, sizeof(headers),
	    "Content-Type: application/json\r\nx-ms-date: %s\r\n"
	    "x-ms-content-sha256: %s\r\nAuthorization: HMAC-SHA256 "
	    "SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=%s\r\n",
	    date, digest, signature);
	return headers;
}

static struct web_answer ask(
    struct rig *r, const char *target, const char *more, const char *body)
{
	static const struct call usual = { .ahead = 0 };
	char headers[1200];

	(void)snprintf(headers, sizeof(headers), "%s%s", more,
	    sign(r, target, body, &usual));
	return rig_ask(r, "POST", target, headers, body);
}

#define FROM "\"senderAddress\":\"S <a@b.example>\""
#define TO(list)                                                               \
	"\"recipients\":{\"to\":[{\"address\":\"c@d.example\"}]" list "}"
#define TEXT "\"content\":{\"subject\":\"Order\",\"plainText\":\"Hi\"}"
#define GOOD "{" FROM "," TO("") "," TEXT "}"
#define WITH(more) "{" FROM "," TO("") "," TEXT "," more "}"
#define PICTURE                                                                \
	"{\"name\":\"a\",\"contentType\":\"image/png\",\"contentId\":\"i\","   \
	"\"contentInBase64\":\"UERG\"}"
#define PICTURES "\"attachments\":[" PICTURE "," PICTURE "]"
#define PERSON ",{\"address\":\"x@d.example\"}"
#define TEN                                                                    \
	PERSON PERSON PERSON PERSON PERSON PERSON PERSON PERSON PERSON PERSON

static const struct row {
	const char *body;
	int status;
	const char *says;
} rows[] = {
	{ GOOD, 202, "\"status\":\"Running\"" },
	{ WITH("\"replyTo\":[{\"address\":\"a@b.example\",\"displayName\":"
	       "\"A\"}],\"headers\":{\"X-A\":\"1\"},"
	       "\"userEngagementTrackingDisabled\":true,"
	       "\"attachments\":[" PICTURE "]"),
	    202, "Running" },
	{ "{" FROM "," TO(
	      ",\"bcc\":[{\"address\":\"inactive@d.example\"}]") "," TEXT "}",
	    202, "Running" },
	{ "{" FROM ",\"recipients\":{\"to\":[{\"address\":"
	  "\"inactive@d.example\"}]}," TEXT "}",
	    202, "EmailDroppedAllRecipientsSuppressed" },
	{ "[]", 400, "{\"error\":{\"code\":\"BadRequest\"" },
	{ "{" TO("") "," TEXT "}", 400, "property 'senderAddress'" },
	{ "{\"senderAddress\":\"x\"," TO("") "," TEXT "}", 400,
	    "property 'senderAddress'" },
	{ "{" FROM ",\"recipients\":{\"to\":[]}," TEXT "}", 400,
	    "property 'recipients.to'" },
	{ "{" FROM "," TO(",\"cc\":[{\"address\":\"x\"}]") "," TEXT "}", 400,
	    "property 'recipients.cc'" },
	{ "{" FROM "," TO(",\"bcc\":[{\"address\":\"x\"}]") "," TEXT "}", 400,
	    "property 'recipients.bcc'" },
	{ "{" FROM
	  ",\"recipients\":{\"to\":[{\"address\":\"c@d.example\"}" TEN TEN TEN
		TEN TEN "]}," TEXT "}",
	    400, "property 'recipients'" },
	{ "{" FROM "," TO("") ",\"content\":{\"subject\":\"x\"}}", 400,
	    "property 'content'" },
	{ "{" FROM "," TO("") ",\"content\":{\"html\":\"x\"}}", 400,
	    "property 'subject'" },
	{ WITH("\"attachments\":[{\"name\":\"a\",\"contentType\":\"a/b\","
	       "\"contentInBase64\":\"a b\"}]"),
	    400, "property 'contentInBase64'" },
	{ WITH(PICTURES), 400, "property 'attachments'" },
	{ WITH(PICTURES ",\"headers\":{"
			"\"x-ms-acsemail-ignore-duplicate-content-id\":"
			"\"true\"}"),
	    202, "Running" },
	{ WITH("\"tags\":[]"), 400, "no known field" },
};

START_TEST(checks_each_request)
{
	const struct row *row = &rows[_i];
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = ask(&r, URL, "", row->body);
	ck_assert_msg(
	    a.status == row->status, "%s: %d %s", row->body, a.status, a.body);
	ck_assert_msg(
	    strstr(a.body, row->says) != NULL, "%s: %s", row->body, a.body);
	ck_assert_int_eq(rig_count(&r, "azure", "accepted"),
	    row->status < 300 && !strstr(row->says, "Dropped"));
	web_answer_free(&a);
	rig_stop(&r);
}
END_TEST

START_TEST(takes_only_what_is_signed_now_as_it_is)
{
	static const struct {
		struct call call;
		int status;
	} calls[] = {
		{ { .ahead = 0 }, 202 },
		{ { .ahead = 10 * 60 }, 202 },
		{ { .ahead = -10 * 60 }, 202 },
		{ { .ahead = 20 * 60 }, 401 },
		{ { .ahead = -20 * 60 }, 401 },
		{ { .key = "another" }, 401 },
		{ { .method = "PUT" }, 401 },
		{ { .target = "/emails:send?api-version=2025-09-01" }, 401 },
		{ { .body = "{}" }, 401 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const char *headers = sign(&r, URL, GOOD, &calls[i].call);

		ck_assert_int_eq(rig_status(&r, "POST", URL, headers, GOOD),
		    calls[i].status);
	}
	ck_assert_int_eq(rig_status(&r, "POST", URL,
			     "Content-Type: application/json\r\n", GOOD),
	    401);
	rig_stop(&r);
}
END_TEST

START_TEST(knows_path_version_and_operation)
{
	static const struct {
		const char *target, *more;
		int status;
		const char *says;
	} calls[] = {
		{ "/azure/emails?api-version=2025-09-01", "", 404,
		    "x-ms-error-code: ResourceNotFound" },
		{ "/azure/emails:send", "", 400, "api-version" },
		{ "/azure/emails:send?api-version=2023-03-31", "", 400,
		    "api-version" },
		{ URL, "Operation-Id: 1\r\n", 400, "Operation-Id" },
		{ URL, "Operation-Id: " UUID "0\r\n", 400, "Operation-Id" },
		{ URL, "Operation-Id: " UUID "\r\n", 202,
		    "{\"id\":\"" UUID "\"" },
		{ URL, "Operation-Id: " UUID "\r\n", 202,
		    "Operation-Location: /azure/emails/operations/" UUID },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct web_answer a =
		    ask(&r, calls[i].target, calls[i].more, GOOD);

		ck_assert_msg(a.status == calls[i].status, "%s: %d %s",
		    calls[i].target, a.status, a.body);
		ck_assert_msg(strstr(a.head, calls[i].says) ||
				  strstr(a.body, calls[i].says),
		    "%s: %s%s", calls[i].target, a.head, a.body);
		web_answer_free(&a);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(shows_subject_and_text)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = ask(&r, URL, "", GOOD);
	web_answer_free(&a);
	json_t *list = rig_control(&r, "GET", "/_sandbox/messages", NULL);
	const json_t *m = json_array_get(list, 0);
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "subject")), "Order");
	ck_assert_str_eq(json_string_value(json_object_get(m, "text")), "Hi");
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "sender")), "a@b.example");
	json_decref(list);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/azure");
	TCase *t = tcase_create("azure");

	tcase_add_loop_test(
	    t, checks_each_request, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, takes_only_what_is_signed_now_as_it_is);
	tcase_add_test(t, knows_path_version_and_operation);
	tcase_add_test(t, shows_subject_and_text);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
