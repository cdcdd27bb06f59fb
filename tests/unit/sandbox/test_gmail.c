/* The Gmail fake: tokens for signed claims, messages it takes. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <base/clock.h>
#include <base/rsa.h>
#include <sandbox/gmail_key.h>
#include <support/unit.h>

#define TOKEN_URL "/gmail/token"
#define URL "/gmail/upload/gmail/v1/users/me/messages/send?uploadType=media"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define HEAD "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ISS "\"iss\":\"" GMAIL_KEY_EMAIL "\","
#define AUD "\"aud\":\"" GMAIL_TOKEN_URI "\","
#define SCOPE "\"scope\":\"https://www.googleapis.com/auth/gmail.send\","
#define SUB "\"sub\":\"a@shop.example\","
#define MAIL "From: A <a@shop.example>\r\n\r\nHi\r\n"

enum {
	TEXT_SIZE = 4096
};

static void add_url64(char *text, const void *data, size_t len)
{
	char *out = text + strlen(text);
	size_t n = b64_encode(data, len, out);

	while (n > 0 && out[n - 1] == '=')
		n--;
	out[n] = '\0';
	for (; *out; out++)
		*out = *out == '+' ? '-' : *out == '/' ? '_' : *out;
}

static void add_dot(char *text)
{
	memcpy(text + strlen(text), ".", 2);
}

/* The form with claims that begin and end so many seconds from now. */
static void make_form(const char *head, const char *claims, long from, long to,
    char out[TEXT_SIZE])
{
	char all[TEXT_SIZE / 4], jwt[TEXT_SIZE / 2] = "";
	long now = (long)(clock_wall_ms() / 1000);
	uint8_t signature[RSA_SIGNATURE_MAX];
	size_t len;

	(void)snprintf(all, sizeof(all), "{%s\"iat\":%ld,\"exp\":%ld}", claims,
	    now + from, now + to);
	add_url64(jwt, head, strlen(head));
	add_dot(jwt);
	add_url64(jwt, all, strlen(all));
	ck_assert_int_eq(
	    rsa_sign(span_of(gmail_key_pem), span_of(jwt), signature, &len), 0);
	add_dot(jwt);
	add_url64(jwt, signature, len);
	(void)snprintf(out, TEXT_SIZE, "%s&assertion=%s", GRANT, jwt);
}

/* Its access token; the caller's to free. */
static char *fetch(struct rig *r)
{
	char form[TEXT_SIZE];

	make_form(HEAD, ISS AUD SCOPE SUB, -60, 3540, form);
	struct web_answer a = rig_ask(r, "POST", TOKEN_URL, FORM, form);
	ck_assert_msg(a.status == 200, "%s", a.body);
	json_t *body = json_loads(a.body, 0, NULL);
	char *copy =
	    strdup(json_string_value(json_object_get(body, "access_token")));
	web_answer_free(&a);
	json_decref(body);
	return copy;
}

static void check_mail(struct rig *r, const char *url, const char *token,
    const char *mail, int status, const char *says)
{
	char headers[512];

	(void)snprintf(headers, sizeof(headers),
	    "Authorization: Bearer %s\r\nContent-Type: message/rfc822\r\n",
	    token);
	struct web_answer a = rig_ask(r, "POST", url, headers, mail);
	ck_assert_msg(a.status == status, "%s: %d %s", mail, a.status, a.body);
	ck_assert_msg(strstr(a.body, says) != NULL, "%s: %s", mail, a.body);
	web_answer_free(&a);
}

START_TEST(mails_to_whom_the_header_names)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	char *token = fetch(&r);
	check_mail(&r, URL, token,
	    "To: b@dest.example\r\nBcc: c@dest.example\r\n" MAIL, 200,
	    "\"labelIds\":[\"SENT\"]");
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?provider=gmail", NULL);
	json_t *m = json_array_get(list, 0);
	ck_assert_uint_eq(json_array_size(json_object_get(m, "recipients")), 2);
	json_decref(list);
	ck_assert_int_eq(rig_count(&r, "gmail", "requests"), 1);
	free(token);
	rig_stop(&r);
}
END_TEST

START_TEST(refuses_what_gmail_refuses)
{
	const char *to = "To: b@dest.example\r\n" MAIL;
	struct rig r = { .port = 0 };

	rig_start(&r);
	char *token = fetch(&r);
	check_mail(&r, URL, token, MAIL, 400, "Recipient address required");
	check_mail(&r, URL, token, "To: b@dest.example\r\n\r\nHi", 400,
	    "invalidArgument");
	check_mail(&r, "/gmail/upload/gmail/v1/users/me/messages/send", token,
	    to, 400, "Media type");
	check_mail(
	    &r, "/gmail/gmail/v1/users/me/messages/send", token, to, 404, "");
	check_mail(&r, URL, "gmail.1.00", to, 401, "authError");
	check_mail(&r, URL, "msgraph.99999999999999.00", to, 401, "");
	free(token);
	rig_stop(&r);
}
END_TEST

static const struct {
	const char *head, *claims;
	long from, to;
	const char *says;
} claims[] = {
	{ "{\"alg\":\"none\"}", ISS AUD SCOPE SUB, 0, 3600, "Signature" },
	{ HEAD, AUD SCOPE SUB, 0, 3600, "issuer" },
	{ HEAD, ISS SCOPE SUB, 0, 3600, "audience" },
	{ HEAD, ISS AUD SCOPE SUB, 0, 3601, "short-lived" },
	{ HEAD, ISS AUD SCOPE SUB, -3700, -100, "short-lived" },
	{ HEAD, ISS AUD SCOPE SUB, 400, 3600, "short-lived" },
	{ HEAD, ISS AUD SCOPE, 0, 3600, "User ID" },
	{ HEAD, ISS AUD SUB, 0, 3600, "unauthorized_client" },
};

START_TEST(gives_tokens_for_no_other_claims)
{
	struct rig r = { .port = 0 };
	char form[TEXT_SIZE];

	rig_start(&r);
	make_form(claims[_i].head, claims[_i].claims, claims[_i].from,
	    claims[_i].to, form);
	struct web_answer a = rig_ask(&r, "POST", TOKEN_URL, FORM, form);
	ck_assert_int_ge(a.status, 400);
	ck_assert_msg(strstr(a.body, claims[_i].says) != NULL, "%s", a.body);
	web_answer_free(&a);
	rig_stop(&r);
}
END_TEST

START_TEST(gives_tokens_for_its_own_signature_only)
{
	struct rig r = { .port = 0 };
	char form[TEXT_SIZE], *last;

	rig_start(&r);
	make_form(HEAD, ISS AUD SCOPE SUB, 0, 3600, form);
	ck_assert_int_eq(rig_status(&r, "POST", TOKEN_URL, FORM, form), 200);
	last = strrchr(form, '.') + 1;
	*last = *last == 'A' ? 'B' : 'A';
	ck_assert_int_eq(rig_status(&r, "POST", TOKEN_URL, FORM, form), 400);
	*last = '\0';
	ck_assert_int_eq(rig_status(&r, "POST", TOKEN_URL, FORM, form), 400);
	ck_assert_int_eq(rig_status(&r, "POST", TOKEN_URL, FORM, GRANT), 400);
	ck_assert_int_eq(rig_status(&r, "POST", TOKEN_URL, FORM,
			     "grant_type=x&assertion=a.b.c"),
	    400);
	ck_assert_int_eq(
	    rig_status(&r, "POST", TOKEN_URL, FORM, GRANT "&assertion=..."),
	    400);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("sandbox/gmail");
	TCase *t = tcase_create("gmail");

	tcase_add_test(t, mails_to_whom_the_header_names);
	tcase_add_test(t, refuses_what_gmail_refuses);
	tcase_add_loop_test(t, gives_tokens_for_no_other_claims, 0,
	    (int)(sizeof(claims) / sizeof(claims[0])));
	tcase_add_test(t, gives_tokens_for_its_own_signature_only);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
