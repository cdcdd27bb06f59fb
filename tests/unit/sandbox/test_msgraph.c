/* The Graph fake: tokens it gives, messages it takes, what it refuses. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <support/unit.h>

#define TOKEN_URL "/msgraph/shop.example/oauth2/v2.0/token"
#define URL "/msgraph/v1.0/users/a@shop.example/sendMail"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define GRANT "grant_type=client_credentials"
#define CLIENT "&client_id=c"
#define SECRET "&client_secret=sandbox%2D1"
#define SCOPE "&scope=https%3A%2F%2Fgraph.example%2F.default"
#define MAIL "From: A <a@shop.example>\r\n\r\nHi\r\n"

/* Its access token; the caller's to free. */
static char *fetch(struct rig *r)
{
	struct web_answer a =
	    rig_ask(r, "POST", TOKEN_URL, FORM, GRANT CLIENT SECRET SCOPE);
	json_t *body = json_loads(a.body, 0, NULL);
	const char *token =
	    json_string_value(json_object_get(body, "access_token"));

	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(token);
	char *copy = strdup(token);
	web_answer_free(&a);
	json_decref(body);
	return copy;
}

static struct web_answer send_mail(
    struct rig *r, const char *url, const char *token, const char *mail)
{
	char headers[512], body[1024];
	size_t n = b64_encode(mail, strlen(mail), body);

	body[n] = '\0';
	(void)snprintf(headers, sizeof(headers),
	    "Authorization: Bearer %s\r\nContent-Type: text/plain\r\n", token);
	return rig_ask(r, "POST", url, headers, body);
}

static void check_mail(struct rig *r, const char *url, const char *token,
    const char *mail, int status, const char *says)
{
	struct web_answer a = send_mail(r, url, token, mail);

	ck_assert_msg(a.status == status, "%s: %d %s", mail, a.status, a.body);
	ck_assert_msg(strstr(a.body, says) != NULL, "%s: %s", mail, a.body);
	web_answer_free(&a);
}

START_TEST(mails_to_whom_the_header_names)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	char *token = fetch(&r);
	struct web_answer a = send_mail(&r, URL, token,
	    "To: \"B, b\" <b@dest.example>,\r\n c@dest.example\r\n"
	    "cc: d@dest.example\r\nBcc: e@dest.example\r\n" MAIL);
	ck_assert_msg(a.status == 202, "%s", a.body);
	ck_assert_str_eq(a.body, "");
	ck_assert_ptr_nonnull(web_header(&a, "request-id"));
	web_answer_free(&a);
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?provider=msgraph", NULL);
	json_t *m = json_array_get(list, 0);
	ck_assert_uint_eq(json_array_size(json_object_get(m, "recipients")), 4);
	json_decref(list);
	/* Neither counts what asks for a token. */
	ck_assert_int_eq(rig_count(&r, "msgraph", "requests"), 1);
	free(token);
	rig_stop(&r);
}
END_TEST

START_TEST(refuses_what_graph_refuses)
{
	const char *to = "To: b@dest.example\r\n" MAIL;
	const char *headers = "Content-Type: text/plain\r\n";
	struct rig r = { .port = 0 };

	rig_start(&r);
	char *token = fetch(&r);
	check_mail(&r, URL, token, MAIL, 400, "ErrorInvalidRecipients");
	check_mail(&r, URL, token, "To: b@dest.example\r\n\r\nHi", 400, "From");
	check_mail(&r, URL, token, "", 400, "Invalid base64 string");
	check_mail(&r, "/msgraph/v1.0/users/b@shop.example/sendMail", token, to,
	    403, "ErrorSendAsDenied");
	check_mail(
	    &r, "/msgraph/v1.0/users/0-0-0/sendMail", token, to, 202, "");
	check_mail(&r, "/msgraph/v1.0/users/a/b/sendMail", token, to, 404, "");
	check_mail(&r, "/msgraph/v1.0/users//sendMail", token, to, 404, "");
	token[strlen(token) - 1] ^= 1;
	check_mail(&r, URL, token, to, 401, "InvalidAuthenticationToken");
	check_mail(&r, URL, "msgraph.1.00", to, 401, "");
	check_mail(&r, URL, "gmail.99999999999999.00", to, 401, "");
	ck_assert_int_eq(rig_status(&r, "POST", URL, headers, "SGk="), 401);
	ck_assert_int_eq(rig_status(&r, "GET", URL, headers, NULL), 405);
	free(token);
	rig_stop(&r);
}
END_TEST

static const struct {
	const char *headers, *form;
	int status;
	const char *error;
} forms[] = {
	{ "Content-Type: application/json\r\n", "{}", 400, "invalid_request" },
	{ FORM, "grant_type=password" CLIENT SECRET SCOPE, 400,
	    "unsupported_grant_type" },
	{ FORM, GRANT CLIENT SECRET, 400, "invalid_scope" },
	{ FORM, GRANT CLIENT SECRET "&scope=Mail.Send", 400, "invalid_scope" },
	{ FORM, GRANT SECRET SCOPE, 400, "unauthorized_client" },
	{ FORM, GRANT "&client_id=" SECRET SCOPE, 400, "unauthorized_client" },
	{ FORM, GRANT CLIENT SCOPE, 401, "invalid_client" },
	{ FORM, GRANT CLIENT SECRET SECRET SCOPE, 401, "invalid_client" },
	{ FORM, GRANT CLIENT SCOPE "&client_secret=sandbox%2", 401,
	    "invalid_client" },
	{ FORM, GRANT CLIENT SCOPE "&client_secret=sandbox%zz", 401,
	    "invalid_client" },
	{ FORM, GRANT CLIENT SCOPE "&client_secret=sandbox%00", 401,
	    "invalid_client" },
	{ FORM, GRANT CLIENT SCOPE "&client_secret=other", 401,
	    "invalid_client" },
};

START_TEST(gives_tokens_to_none_but_its_own)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", TOKEN_URL, forms[_i].headers, forms[_i].form);
	ck_assert_msg(a.status == forms[_i].status, "%d %s", a.status, a.body);
	ck_assert_msg(strstr(a.body, forms[_i].error) != NULL, "%s", a.body);
	web_answer_free(&a);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("sandbox/msgraph");
	TCase *t = tcase_create("msgraph");

	tcase_add_test(t, mails_to_whom_the_header_names);
	tcase_add_test(t, refuses_what_graph_refuses);
	tcase_add_loop_test(t, gives_tokens_to_none_but_its_own, 0,
	    (int)(sizeof(forms) / sizeof(forms[0])));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
