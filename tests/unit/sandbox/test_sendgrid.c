/* The SendGrid fake: what it takes and each thing it refuses. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <support/unit.h>

#define URL "/sendgrid/v3/mail/send"

/* A good request in pieces, so that a test can replace one of them. */
#define TO "\"personalizations\":[{\"to\":[{\"email\":\"ann@dest.example\"}]}]"
#define FROM "\"from\":{\"email\":\"orders@shop.example\",\"name\":\"Shop\"}"
#define SUBJECT "\"subject\":\"Order 42\""
#define CONTENT "\"content\":[{\"type\":\"text/plain\",\"value\":\"Hi\"}]"
#define REST FROM "," SUBJECT "," CONTENT
#define GOOD "{" TO "," REST "}"
/* The good request with more members. */
#define WITH(more) "{" TO "," REST "," more "}"
#define PERSON(p) "{\"personalizations\":[" p "]," REST "}"

static const char *const accepted[] = {
	GOOD,
	PERSON("{\"to\":[{\"email\":\"a@b.example\",\"name\":\"A\"}],"
	       "\"cc\":[{\"email\":\"c@b.example\"}],"
	       "\"bcc\":[{\"email\":\"d@b.example\"}],"
	       "\"custom_args\":{\"id\":\"1\"},\"headers\":{\"X-A\":\"1\"}},"
	       "{\"to\":[{\"email\":\"e@b.example\"}]}"),
	WITH("\"reply_to_list\":[{\"email\":\"a@b.example\"}]"),
	WITH("\"reply_to\":{\"email\":\"a@b.example\"}"),
	WITH("\"attachments\":[{\"content\":\"UERG\",\"filename\":\"a.pdf\","
	     "\"type\":\"application/pdf\",\"disposition\":\"inline\","
	     "\"content_id\":\"x@y\"}]"),
	WITH("\"categories\":[\"a\",\"b\"],\"send_at\":1,\"batch_id\":\"x\""),
	WITH("\"tracking_settings\":{\"click_tracking\":{\"enable\":false,"
	     "\"enable_text\":false}}"),
	"{" TO "," FROM "," SUBJECT ",\"content\":["
	"{\"type\":\"text/plain\",\"value\":\"a\"},"
	"{\"type\":\"text/html\",\"value\":\"b\"},"
	"{\"type\":\"text/calendar\",\"value\":\"c\"}]}",
	"{" TO "," FROM ",\"template_id\":\"d-1\"}",
};

START_TEST(takes_a_good_request)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", URL, rig_sendgrid_headers, accepted[_i]);
	ck_assert_msg(a.status == 202, "%s", a.body);
	ck_assert_uint_eq(a.body_len, 0);
	ck_assert_ptr_nonnull(web_header(&a, "X-Message-Id"));
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

#define EURO "\xe2\x82\xac"
#define EUROS                                                                  \
	EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO

/* says: part of the message; field: of the error, NULL for null. */
static const struct {
	const char *body, *says, *field;
} refused[] = {
	{ "", "Bad Request", NULL },
	{ "[]", "Bad Request", NULL },
	{ "{\"a\":1", "Bad Request", NULL },
	{ "{" REST "}", "required", "personalizations" },
	{ "{\"personalizations\":{}," REST "}", "Bad Request", NULL },
	{ PERSON("{}"), "to array", "personalizations.0.to" },
	{ PERSON("{\"to\":[]}"), "to array", "personalizations.0.to" },
	{ PERSON("{\"to\":[\"a@b.example\"]}"), "Bad Request", NULL },
	{ PERSON("{\"to\":[{\"email\":\"nobody\"}]}"), "valid address",
	    "personalizations.0.to.0.email" },
	{ PERSON("{\"to\":[{\"email\":\"A <a@b.example>\"}]}"), "valid address",
	    "personalizations.0.to.0.email" },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"},"
		 "{\"email\":\"A@B.example\"}]}"),
	    "unique", "personalizations.0.to.1" },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"}]},"
		 "{\"to\":[{\"email\":\"c@b.example\"}],"
		 "\"bcc\":[{\"email\":\"a@b.example\"}]}"),
	    "unique", "personalizations.1.bcc.0" },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"}],\"subject\":\"\"}"),
	    "at least one character", "personalizations.0.subject" },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"}],"
		 "\"headers\":{\"Subject\":\"x\"}}"),
	    "reserved", "personalizations.0.Subject" },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"}],\"x\":1}"),
	    "Additional property x", NULL },
	{ PERSON("{\"to\":[{\"email\":\"a@b.example\"}],"
		 "\"custom_args\":{\"a\":1}}"),
	    "Bad Request", NULL },
	{ "{" TO "," SUBJECT "," CONTENT "}", "from object", "from" },
	{ "{" TO ",\"from\":{\"email\":\"x\"}," SUBJECT "," CONTENT "}",
	    "valid address", "from.email" },
	{ "{" TO ",\"from\":\"a@b.example\"," SUBJECT "," CONTENT "}",
	    "Bad Request", NULL },
	{ "{" TO "," FROM "," CONTENT "}", "subject is required", "subject" },
	{ "{" TO "," FROM ",\"subject\":\"\"," CONTENT "}",
	    "subject is required", "subject" },
	{ "{" TO "," FROM "," SUBJECT "}", "content parameter", "content" },
	{ "{" TO "," FROM "," SUBJECT ",\"content\":[]}", "content parameter",
	    "content" },
	{ "{" TO "," FROM "," SUBJECT
	  ",\"content\":[{\"type\":\"text/plain\",\"value\":\"\"}]}",
	    "at least one character", "content.0.value" },
	{ "{" TO "," FROM "," SUBJECT
	  ",\"content\":[{\"type\":\"text/plain; charset=utf-8\","
	  "\"value\":\"a\"}]}",
	    "without ';'", "content.0.type" },
	{ "{" TO "," FROM "," SUBJECT
	  ",\"content\":[{\"type\":\"text/html\",\"value\":\"a\"},"
	  "{\"type\":\"text/plain\",\"value\":\"a\"}]}",
	    "must come first", "content" },
	{ "{" TO "," FROM "," SUBJECT
	  ",\"content\":[{\"type\":\"text/plain\",\"value\":\"a\"},"
	  "{\"type\":\"text/plain\",\"value\":\"a\"}]}",
	    "only be provided once", "content" },
	{ WITH("\"reply_to\":{\"email\":\"a@b.example\"},"
	       "\"reply_to_list\":[{\"email\":\"a@b.example\"}]"),
	    "Only one", "reply_to" },
	{ WITH("\"reply_to_list\":[{\"email\":\"a@b.example\"},"
	       "{\"email\":\"a@b.example\"}]"),
	    "unique", "reply_to_list" },
	{ WITH("\"headers\":{\"DKIM-signature\":\"x\"}"), "reserved",
	    "headers.DKIM-signature" },
	{ WITH("\"headers\":{\"X A\":\"x\"}"), "without spaces",
	    "headers.X A" },
	{ WITH("\"headers\":{\"X-A\":1}"), "Bad Request", NULL },
	/* Cut inside a character, which JSON would not take. */
	{ WITH("\"headers\":{\"" EUROS "\":\"x\"}"), "without spaces",
	    "headers.????????????????????????????????????????" },
	{ WITH("\"" EUROS EUROS "\":1"), "Additional property ?", NULL },
	{ WITH("\"attachments\":[{\"content\":\"!\",\"filename\":\"a\"}]"),
	    "base64", "attachments.0.content" },
	{ WITH("\"attachments\":[{\"content\":\"\",\"filename\":\"a\"}]"),
	    "base64", "attachments.0.content" },
	{ WITH("\"attachments\":[{\"content\":\"UERG\"}]"), "filename",
	    "attachments.0.filename" },
	{ WITH("\"attachments\":[{\"content\":\"UERG\",\"filename\":\"a\","
	       "\"disposition\":\"x\"}]"),
	    "disposition", "attachments.0.disposition" },
	{ WITH("\"attachments\":[{\"content\":\"UERG\",\"filename\":\"a\","
	       "\"content_id\":\"<x>\"}]"),
	    "content id", "attachments.0.content_id" },
	{ WITH("\"attachments\":[{\"content\":\"UERG\",\"filename\":\"a\","
	       "\"type\":\"text/plain; charset=x\"}]"),
	    "attachment type", "attachments.0.type" },
	{ WITH("\"categories\":[\"a\",\"a\"]"), "unique", "categories.1" },
	{ WITH("\"categories\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
	       "\"8\",\"9\",\"10\",\"11\"]"),
	    "up to 10", "categories" },
	{ WITH("\"send_at\":99999999999"), "72 hours", "send_at" },
	{ WITH("\"send_at\":\"now\""), "Bad Request", NULL },
	{ WITH("\"ip_pool_name\":\"x\""), "2 to 64", "ip_pool_name" },
	{ WITH("\"asm\":{}"), "group_id", "asm.group_id" },
	{ WITH("\"mail_settings\":{\"sandbox\":{}}"),
	    "Additional property sandbox", NULL },
	{ WITH("\"tracking_settings\":{\"open_tracking\":{\"enable\":1}}"),
	    "Bad Request", NULL },
	{ WITH("\"bcc\":[]"), "Additional property bcc", NULL },
};

START_TEST(refuses_what_breaks_a_rule)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", URL, rig_sendgrid_headers, refused[_i].body);
	json_t *body = json_loads(a.body, 0, NULL);
	json_t *error = json_array_get(json_object_get(body, "errors"), 0);
	const char *says = json_string_value(json_object_get(error, "message"));
	const char *field = json_string_value(json_object_get(error, "field"));
	ck_assert_int_eq(a.status, 400);
	ck_assert_msg(says && strstr(says, refused[_i].says), "%s", a.body);
	if (refused[_i].field)
		ck_assert_str_eq(field, refused[_i].field);
	else
		ck_assert(json_is_null(json_object_get(error, "field")));
	json_decref(body);
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "rejected"), 1);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 0);
	rig_stop(&r);
}
END_TEST

START_TEST(checks_the_head_first)
{
	static const struct {
		const char *method, *target, *headers;
		int status;
	} cases[] = {
		{ "POST", URL, "Content-Type: application/json\r\n", 401 },
		{ "POST", URL,
		    "Authorization: Bearer key\r\n"
		    "Content-Type: application/json\r\n",
		    401 },
		{ "POST", URL,
		    "Authorization: Bearer SG.\r\n"
		    "Content-Type: application/json\r\n",
		    401 },
		{ "POST", URL, "Authorization: Bearer SG.x\r\n", 415 },
		{ "GET", URL, rig_sendgrid_headers, 405 },
		{ "POST", "/sendgrid/v3/mail", rig_sendgrid_headers, 404 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_eq(rig_status(&r, cases[i].method,
				     cases[i].target, cases[i].headers, GOOD),
		    cases[i].status);
	rig_stop(&r);
}
END_TEST

START_TEST(sandbox_mode_checks_and_keeps_nothing)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	ck_assert_int_eq(
	    rig_status(&r, "POST", URL, rig_sendgrid_headers,
		WITH("\"mail_settings\":{\"sandbox_mode\":{\"enable\":true}}")),
	    200);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 0);
	rig_stop(&r);
}
END_TEST

START_TEST(counts_recipients_up_to_the_limit)
{
	enum {
		SIZE = 64 * 1024
	};
	struct rig r = { .port = 0 };
	char *body = malloc(SIZE);

	rig_start(&r);
	for (int n = 1000; n <= 1001; n++) {
		size_t at = (size_t)snprintf(
		    body, SIZE, "{\"personalizations\":[{\"to\":[");
		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(body + at, SIZE - at,
			    "%s{\"email\":\"u%d@dest.example\"}", i ? "," : "",
			    i);
		(void)snprintf(body + at, SIZE - at, "]}]," REST "}");
		ck_assert_int_eq(
		    rig_status(&r, "POST", URL, rig_sendgrid_headers, body),
		    n == 1000 ? 202 : 400);
	}
	free(body);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/sendgrid");
	TCase *t = tcase_create("sendgrid");

	tcase_add_loop_test(
	    t, takes_a_good_request, 0, sizeof(accepted) / sizeof(accepted[0]));
	tcase_add_loop_test(t, refuses_what_breaks_a_rule, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, checks_the_head_first);
	tcase_add_test(t, sandbox_mode_checks_and_keeps_nothing);
	tcase_add_test(t, counts_recipients_up_to_the_limit);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
