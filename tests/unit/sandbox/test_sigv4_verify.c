/* The verifier against a signature that botocore confirmed. */
#include <stdio.h>
#include <string.h>

#include <sandbox/sigv4_verify.h>
#include <support/unit.h>

enum {
	SIGNED_AT = 1440938160 /* 2015-08-30T12:36:00Z */
};

static const struct sigv4_keys keys = { "AKIDEXAMPLE",
	"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "ses" };

#define PLAIN_AUTHORIZATION                                                    \
	"AWS4-HMAC-SHA256 "                                                    \
	"Credential=AKIDEXAMPLE/20150830/us-east-1/ses/aws4_request, "         \
	"SignedHeaders=content-type;host;x-amz-date, "                         \
	"Signature="                                                           \
	"77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370"

#define TOKEN_AUTHORIZATION                                                    \
	"AWS4-HMAC-SHA256 "                                                    \
	"Credential=AKIDEXAMPLE/20150830/eu-west-1/ses/aws4_request, "         \
	"SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "    \
	"Signature="                                                           \
	"ba4c99b87820ff21c40b92fc92f89ddf94c8631c7788fc3374b8792074a5a9a2"

static char body[4096];
static size_t body_len;

static void load_body(void)
{
	FILE *f = fopen("unit/sandbox/ses-request-body.json", "r");

	ck_assert_ptr_nonnull(f);
	body_len = fread(body, 1, sizeof(body), f);
	(void)fclose(f);
	ck_assert_uint_gt(body_len, 1000);
}

static enum sigv4_verdict verify(const struct sigv4_header *headers,
    size_t count, int64_t now_s, struct err *why)
{
	const struct sigv4_request r = {
		.method = "POST",
		.path = SPAN("/v2/email/outbound-emails"),
		.query = SPAN(""),
		.headers = headers,
		.header_count = count,
		.body = span_make(body, body_len),
	};

	return sigv4_verify(&r, &keys, now_s, why);
}

START_TEST(accepts_the_reference_signatures)
{
	const struct sigv4_header plain[] = {
		{ "Content-Type", "application/json" },
		{ "Host", "email.us-east-1.amazonaws.com" },
		{ "User-Agent", "not signed" },
		{ "X-Amz-Date", "20150830T123600Z" },
		{ "Authorization", PLAIN_AUTHORIZATION },
	};
	const struct sigv4_header token[] = {
		{ "Authorization", TOKEN_AUTHORIZATION },
		{ "X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763f"
					  "bf315fa00fa31553b73ebf194267" },
		{ "x-amz-date", "20150830T123600Z" },
		{ "host", "email.eu-west-1.amazonaws.com" },
		{ "content-type", "  application/json " },
	};
	struct err why = { 0 };

	load_body();
	ck_assert_msg(
	    verify(plain, 5, SIGNED_AT, &why) == SIGV4_OK, "%s", why.text);
	ck_assert_int_eq(verify(plain, 5, SIGNED_AT + 900, NULL), SIGV4_OK);
	ck_assert_int_eq(verify(plain, 5, SIGNED_AT - 900, NULL), SIGV4_OK);
	ck_assert_msg(
	    verify(token, 5, SIGNED_AT, &why) == SIGV4_OK, "%s", why.text);
}
END_TEST

/* One header of the good request replaced (NULL: left out). */
static const struct {
	const char *name, *value;
	enum sigv4_verdict verdict;
} spoiled[] = {
	{ "Authorization", NULL, SIGV4_MISSING },
	{ "Authorization", "Bearer x", SIGV4_INCOMPLETE },
	{ "Authorization", "AWS4-HMAC-SHA256 Credential=a", SIGV4_INCOMPLETE },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 "
	    "Credential=OTHER/20150830/us-east-1/ses/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date, Signature="
	    "77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370",
	    SIGV4_UNKNOWN_KEY },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20150830/us-east-1/email/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date, Signature="
	    "77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370",
	    SIGV4_MISMATCH },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20150830/us-east-2/ses/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date, Signature="
	    "77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370",
	    SIGV4_MISMATCH },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20150830/us-east-1/ses/aws4_request, "
	    "SignedHeaders=host;content-type;x-amz-date, Signature="
	    "77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370",
	    SIGV4_INCOMPLETE },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 "
	    "Credential=AKIDEXAMPLE/20150830/us-east-1/ses/aws4_request, "
	    "SignedHeaders=host;x-amz-date, Signature="
	    "77b32f6a817cf270b4baaf41cf4e9b4b605daaf7d1796b547aa5d19b8fd6c370",
	    SIGV4_INCOMPLETE },
	{ "X-Amz-Date", NULL, SIGV4_INCOMPLETE },
	{ "X-Amz-Date", "20150831T123600Z", SIGV4_INCOMPLETE },
	{ "X-Amz-Date", "20150830T12:36:0", SIGV4_INCOMPLETE },
	{ "X-Amz-Date", "20150830T122000Z", SIGV4_EXPIRED },
	{ "X-Amz-Date", "20150830T125200Z", SIGV4_EXPIRED },
	{ "X-Amz-Date", "20150830T123601Z", SIGV4_MISMATCH },
	{ "Host", "127.0.0.1:8025", SIGV4_MISMATCH },
	{ "Content-Type", "text/plain", SIGV4_MISMATCH },
	{ "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", SIGV4_INCOMPLETE },
	{ "X-Amz-Meta", "not signed", SIGV4_INCOMPLETE },
};

/* Replace, remove (value NULL) or add a header; the new count. */
static size_t spoil(struct sigv4_header *headers, size_t count,
    const char *name, const char *value)
{
	size_t i = 0;

	while (i < count && strcmp(headers[i].name, name) != 0)
		i++;
	if (!value) {
		headers[i] = headers[count - 1];
		return count - 1;
	}
	headers[i] = (struct sigv4_header){ name, value };
	return i == count ? count + 1 : count;
}

START_TEST(refuses_what_is_not_right)
{
	struct sigv4_header headers[6] = {
		{ "Content-Type", "application/json" },
		{ "Host", "email.us-east-1.amazonaws.com" },
		{ "X-Amz-Date", "20150830T123600Z" },
		{ "Authorization", PLAIN_AUTHORIZATION },
	};
	size_t count = spoil(headers, 4, spoiled[_i].name, spoiled[_i].value);
	struct err why = { 0 };

	load_body();
	ck_assert_int_eq(
	    verify(headers, count, SIGNED_AT, &why), spoiled[_i].verdict);
	ck_assert_uint_gt(strlen(why.text), 0);
}
END_TEST

START_TEST(refuses_a_changed_body)
{
	const struct sigv4_header plain[] = {
		{ "Content-Type", "application/json" },
		{ "Host", "email.us-east-1.amazonaws.com" },
		{ "X-Amz-Date", "20150830T123600Z" },
		{ "Authorization", PLAIN_AUTHORIZATION },
	};

	load_body();
	body[100]++;
	ck_assert_int_eq(verify(plain, 4, SIGNED_AT, NULL), SIGV4_MISMATCH);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/sigv4_verify");
	TCase *t = tcase_create("sigv4_verify");

	tcase_add_test(t, accepts_the_reference_signatures);
	tcase_add_loop_test(t, refuses_what_is_not_right, 0,
	    sizeof(spoiled) / sizeof(spoiled[0]));
	tcase_add_test(t, refuses_a_changed_body);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
