/* The Mailgun fake: forms it takes and each thing it refuses. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <support/unit.h>

#define URL "/mailgun/v3/shop.example/messages.mime"
/* base64 of "api:key-test" */
#define HEADERS                                                                \
	"Authorization: Basic YXBpOmtleS10ZXN0\r\n"                            \
	"Content-Type: multipart/form-data; boundary=X\r\n"
#define FIELD(name, value)                                                     \
	"--X\r\nContent-Disposition: form-data; name=\"" name                  \
	"\"\r\n\r\n" value "\r\n"
#define FILE_PART(text)                                                        \
	"--X\r\nContent-Disposition: form-data; name=\"message\"; "            \
	"filename=\"message.mime\"\r\n"                                        \
	"Content-Type: application/octet-stream\r\n\r\n" text "\r\n"
#define MAIL                                                                   \
	"From: Shop <orders@shop.example>\r\nTo: Ann <ann@dest.example>\r\n"   \
	"Subject: =?utf-8?q?Order_=E2=9C=93?=\r\n"                             \
	"Message-ID: <42.1@shop.example>\r\n\r\nThanks.\r\n"
#define TO FIELD("to", "ann@dest.example,Bob <bob@dest.example>")
#define END "--X--\r\n"

START_TEST(takes_a_message_and_decodes_it)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = rig_ask(&r, "POST", URL, HEADERS,
	    TO FIELD("to", "carl@dest.example") FIELD("o:tag", "order") FIELD(
		"o:tracking", "no") FIELD("v:id", "1") FILE_PART(MAIL) END);
	ck_assert_msg(a.status == 200, "%s", a.body);
	ck_assert_str_eq(a.body, "{\"id\":\"<42.1@shop.example>\","
				 "\"message\":\"Queued. Thank you.\"}");
	web_answer_free(&a);
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?provider=mailgun", NULL);
	json_t *m = json_array_get(list, 0);
	const char *subject, *text, *id, *provider_id;
	ck_assert_uint_eq(json_array_size(json_object_get(m, "recipients")), 3);
	ck_assert_int_eq(
	    json_unpack(m, "{s:s, s:s, s:s, s:s}", "subject", &subject, "text",
		&text, "id", &id, "provider_id", &provider_id),
	    0);
	ck_assert_str_eq(subject, "Order \xe2\x9c\x93");
	ck_assert_ptr_nonnull(strstr(text, "Thanks."));
	ck_assert_str_eq(provider_id, "<42.1@shop.example>");
	char path[128];
	(void)snprintf(path, sizeof(path), "/_sandbox/messages/%s/raw", id);
	a = rig_ask(&r, "GET", path, "", NULL);
	ck_assert_str_eq(a.body, MAIL);
	ck_assert_str_eq(web_header(&a, "Content-Type"), "message/rfc822");
	web_answer_free(&a);
	json_decref(list);
	rig_stop(&r);
}
END_TEST

START_TEST(makes_an_id_where_the_message_has_none)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = rig_ask(&r, "POST", URL, HEADERS,
	    TO FILE_PART("From: a@shop.example\r\n\r\nx\r\n") END);
	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(strstr(a.body, "@shop.example>"));
	web_answer_free(&a);
	rig_stop(&r);
}
END_TEST

static const struct {
	const char *body, *says;
} refused[] = {
	{ "", "malformed multipart" },
	{ TO FILE_PART(MAIL), "malformed multipart" },
	{ FILE_PART(MAIL) END, "to parameter is missing" },
	{ FIELD("to", "") FILE_PART(MAIL) END, "not a valid address" },
	{ FIELD("to", "a@b.example, nobody") FILE_PART(MAIL) END,
	    "not a valid address" },
	{ TO END, "message parameter is missing" },
	{ TO FIELD("message", MAIL) END, "is not a file" },
	{ TO FILE_PART(MAIL) FILE_PART(MAIL) END, "given twice" },
	{ TO FILE_PART("Subject: x\r\n\r\nx\r\n") END,
	    "from parameter is missing" },
	{ TO FILE_PART("no header") END, "no empty line" },
	{ TO FIELD("o:tracking", "maybe") FILE_PART(MAIL) END, "tracking" },
	{ TO FIELD("o:dkim", "2") FILE_PART(MAIL) END, "option value" },
	{ TO FIELD("o:tag", "") FILE_PART(MAIL) END, "o:tag" },
	{ TO FIELD("o:deliverytime", "soon") FILE_PART(MAIL) END, "RFC-2822" },
	{ TO FIELD("too", "a@b.example") FILE_PART(MAIL) END,
	    "unknown parameter" },
};

START_TEST(refuses_what_breaks_a_rule)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", URL, HEADERS, refused[_i].body);
	ck_assert_int_eq(a.status, 400);
	ck_assert_msg(strstr(a.body, refused[_i].says) != NULL, "%s", a.body);
	ck_assert_ptr_nonnull(strstr(a.body, "{\"message\":"));
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "mailgun", "rejected"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(checks_the_head_first)
{
	static const struct {
		const char *target, *headers;
		int status;
	} cases[] = {
		{ URL, "", 401 },
		{ URL, "Authorization: Basic !\r\n", 401 },
		/* api:wrong */
		{ URL, "Authorization: Basic YXBpOndyb25n\r\n", 401 },
		/* api:key- */
		{ URL, "Authorization: Basic YXBpOmtleS0=\r\n", 401 },
		{ "/mailgun/v3/messages.mime", HEADERS, 404 },
		{ "/mailgun/v3//messages.mime", HEADERS, 404 },
		{ "/mailgun/v3/a/b/messages.mime", HEADERS, 404 },
		{ "/mailgun/v3/shop.example/messages", HEADERS, 404 },
		{ URL, "Authorization: Basic YXBpOmtleS10ZXN0\r\n", 400 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_eq(rig_status(&r, "POST", cases[i].target,
				     cases[i].headers, TO FILE_PART(MAIL) END),
		    cases[i].status);
	struct web_answer a = rig_ask(&r, "POST", URL, "", "");
	ck_assert_str_eq(a.body, "Forbidden");
	web_answer_free(&a);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/mailgun");
	TCase *t = tcase_create("mailgun");

	tcase_add_test(t, takes_a_message_and_decodes_it);
	tcase_add_test(t, makes_an_id_where_the_message_has_none);
	tcase_add_loop_test(t, refuses_what_breaks_a_rule, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, checks_the_head_first);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
