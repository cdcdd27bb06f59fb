/* Requests of each API, taken apart by the spelling of its fake. */
#include <sandbox/decode.h>
#include <sandbox/fake.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mail/mime.h>
#include <support/unit.h>

#define ANN "{\"name\":\"\xc3\x84nn \\\"A\\\"\",\"address\":\"ann@d.example\"}"
#define BOB "{\"name\":\"\",\"address\":\"bob@d.example\"}"
#define CID "{\"name\":\"\",\"address\":\"cid@d.example\"}"
#define DAN "{\"name\":\"\",\"address\":\"dan@d.example\"}"
#define SHOP "{\"name\":\"Shop\",\"address\":\"a@shop.example\"}"
#define HELP "{\"name\":\"\",\"address\":\"help@shop.example\"}"

/* What everyone says who says all there is, but for what stands behind. */
#define SAYS(headers, parts, tags, metadata)                                   \
	"{\"from\":[" SHOP "],\"reply_to\":[" HELP "],\"to\":[" ANN "," BOB    \
	"],\"cc\":[" CID "],\"bcc\":[" DAN                                     \
	"],\"subject\":\"Hello\",\"text\":\"Hi\",\"html\":\"<p>Hi\","          \
	"\"headers\":[" headers "],\"parts\":[" parts "],\"tags\":[" tags      \
	"],\"metadata\":{" metadata "},\"error\":null}"
#define PART(index, name, type, how, id)                                       \
	"{\"index\":" #index ",\"name\":\"" name "\",\"type\":" type           \
	",\"disposition\":" how ",\"content_id\":" id ",\"size\":4}"
#define FIELD "[\"X-A\",\"1\"]"

/* Addresses as most APIs have them. */
#define PERSON(email, name) "{\"email\":\"" email "\",\"name\":\"" name "\"}"
#define LINE_ANN "\"\xc3\x84nn \\\\\\\"A\\\\\\\"\\\" <ann@d.example>"
#define PEOPLE(to, cc, bcc)                                                    \
	"\"" to "\":[{\"email\":\"ann@d.example\",\"name\":"                   \
	"\"\xc3\x84nn \\\"A\\\"\"},{\"email\":\"bob@d.example\"}],"            \
	"\"" cc "\":[{\"email\":\"cid@d.example\"}],"                          \
	"\"" bcc "\":[{\"email\":\"dan@d.example\"}]"
#define LINES                                                                  \
	"\"to\":[\"\\" LINE_ANN "\",\"bob@d.example\"],"                       \
	"\"cc\":[\"cid@d.example\"],\"bcc\":[\"<dan@d.example>\"]"
#define TEXTS "\"subject\":\"Hello\",\"text\":\"Hi\",\"html\":\"<p>Hi\""
#define HEADERS "\"headers\":{\"X-A\":\"1\"}"

static const struct {
	const char *provider, *request, *says;
} rows[] = {
	{ "sendgrid",
	    "{\"personalizations\":[{\"to\":[{\"email\":\"ann@d.example\","
	    "\"name\":\"\xc3\x84nn \\\"A\\\"\"}],\"subject\":\"Hello\","
	    "\"custom_args\":{\"k\":\"v\"}},"
	    "{\"to\":[{\"email\":\"bob@d.example\"}],"
	    "\"cc\":[{\"email\":\"cid@d.example\"}],"
	    "\"bcc\":[{\"email\":\"dan@d.example\"}]}],"
	    "\"from\":" PERSON("a@shop.example",
		"Shop") ","
			"\"reply_to\":{\"email\":\"help@shop.example\"},"
			"\"subject\":\"other\",\"content\":["
			"{\"type\":\"text/plain\",\"value\":\"Hi\"},"
			"{\"type\":\"text/html\",\"value\":\"<p>Hi\"}]," HEADERS
			","
			"\"attachments\":[{\"filename\":\"a.png\",\"content\":"
			"\"AAECAw==\","
			"\"type\":\"image/png\",\"disposition\":\"inline\","
			"\"content_id\":\"p\"}],\"categories\":[\"x\",\"y\"]}",
	    SAYS(FIELD,
		PART(0, "a.png", "\"image/png\"", "\"inline\"", "\"p\""),
		"\"x\",\"y\"", "\"k\":\"v\"") },
	{ "brevo",
	    "{\"sender\":" PERSON("a@shop.example",
		"Shop") ","
			"\"replyTo\":{\"email\":\"help@shop.example\"}," PEOPLE(
			    "to", "cc",
			    "bcc") ",\"subject\":\"Hello\","
				   "\"textContent\":\"Hi\",\"htmlContent\":\"<"
				   "p>Hi\"," HEADERS ","
				   "\"attachment\":[{\"name\":\"a.pdf\","
				   "\"content\":\"AAECAw==\"}],"
				   "\"tags\":[\"x\"]}",
	    SAYS(
		FIELD, PART(0, "a.pdf", "null", "null", "null"), "\"x\"", "") },
	{ "sendlayer",
	    "{\"From\":" PERSON("a@shop.example",
		"Shop") ","
			"\"ReplyTo\":[{\"email\":\"help@shop.example\"}]"
			"," PEOPLE("To", "CC",
			    "BCC") ",\"Subject\":\"Hello\","
				   "\"ContentType\":\"HTML\",\"HTMLContent\":"
				   "\"<p>Hi\","
				   "\"PlainContent\":\"Hi\",\"Tags\":[\"x\"],"
				   "\"Headers\":{\"X-A\":\"1\"},"
				   "\"Attachments\":[{\"Content\":\"AAECAw==\","
				   "\"Type\":\"image/png\","
				   "\"Filename\":\"a.png\",\"Disposition\":"
				   "\"inline\","
				   "\"ContentId\":\"p\"}]}",
	    SAYS(FIELD,
		PART(0, "a.png", "\"image/png\"", "\"inline\"", "\"p\""),
		"\"x\"", "") },
	{ "resend",
	    "{\"from\":\"Shop <a@shop.example>\","
	    "\"reply_to\":[\"help@shop.example\"]," LINES "," TEXTS "," HEADERS
	    ",\"attachments\":[{\"filename\":\"a.png\","
	    "\"content\":\"AAECAw==\",\"content_type\":\"image/png\","
	    "\"content_id\":\"p\"}],"
	    "\"tags\":[{\"name\":\"k\",\"value\":\"v\"}]}",
	    SAYS(FIELD, PART(0, "a.png", "\"image/png\"", "null", "\"p\""), "",
		"\"k\":\"v\"") },
	{ "postmark",
	    "{\"From\":\"Shop <a@shop.example>\","
	    "\"ReplyTo\":\"help@shop.example\","
	    "\"To\":\"\\" LINE_ANN ", bob@d.example\","
	    "\"Cc\":\"cid@d.example\",\"Bcc\":\"dan@d.example\","
	    "\"Subject\":\"Hello\",\"TextBody\":\"Hi\",\"HtmlBody\":\"<p>Hi\","
	    "\"Tag\":\"x\",\"Metadata\":{\"k\":\"v\"},"
	    "\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"}],"
	    "\"Attachments\":[{\"Name\":\"a.png\",\"Content\":\"AAECAw==\","
	    "\"ContentType\":\"image/png\",\"ContentID\":\"cid:p\"}]}",
	    SAYS(FIELD, PART(0, "a.png", "\"image/png\"", "null", "\"p\""),
		"\"x\"", "\"k\":\"v\"") },
	{ "mailjet",
	    "{\"Messages\":[{\"From\":{\"Email\":\"a@shop.example\","
	    "\"Name\":\"Shop\"},\"ReplyTo\":{\"Email\":\"help@shop.example\"},"
	    "\"To\":[{\"Email\":\"ann@d.example\","
	    "\"Name\":\"\xc3\x84nn \\\"A\\\"\"}],"
	    "\"Cc\":[{\"Email\":\"cid@d.example\"}],\"Subject\":\"Hello\","
	    "\"TextPart\":\"Hi\",\"HTMLPart\":\"<p>Hi\","
	    "\"Headers\":{\"X-A\":\"1\"},\"CustomID\":\"7\","
	    "\"CustomCampaign\":\"x\",\"InlinedAttachments\":["
	    "{\"ContentType\":\"image/png\",\"Filename\":\"a.png\","
	    "\"ContentID\":\"p\",\"Base64Content\":\"AAECAw==\"}],"
	    "\"Attachments\":[{\"ContentType\":\"a/b\",\"Filename\":\"b\","
	    "\"Base64Content\":\"AAECAw==\"}]},"
	    "{\"To\":[{\"Email\":\"bob@d.example\"}],"
	    "\"Bcc\":[{\"Email\":\"dan@d.example\"}]}]}",
	    SAYS(FIELD,
		PART(0, "a.png", "\"image/png\"", "\"inline\"",
		    "\"p\"") "," PART(1, "b", "\"a/b\"", "\"attachment\"",
		    "null"),
		"\"x\"", "\"CustomID\":\"7\"") },
	{ "mailersend",
	    "{\"from\":" PERSON("a@shop.example",
		"Shop") ","
			"\"reply_to\":{\"email\":\"help@shop.example\"}"
			"," PEOPLE("to", "cc",
			    "bcc") "," TEXTS ","
				   "\"headers\":[{\"name\":\"X-A\",\"value\":"
				   "\"1\"}],"
				   "\"tags\":[\"x\"],\"attachments\":[{"
				   "\"content\":\"AAECAw==\","
				   "\"filename\":\"a.png\",\"disposition\":"
				   "\"inline\",\"id\":\"p\"}]}",
	    SAYS(FIELD, PART(0, "a.png", "null", "\"inline\"", "\"p\""),
		"\"x\"", "") },
	{ "smtp2go",
	    "{\"sender\":\"Shop <a@shop.example>\"," LINES ","
	    "\"subject\":\"Hello\",\"text_body\":\"Hi\","
	    "\"html_body\":\"<p>Hi\",\"custom_headers\":["
	    "{\"header\":\"X-A\",\"value\":\"1\"},"
	    "{\"header\":\"Reply-To\",\"value\":\"help@shop.example\"}],"
	    "\"inlines\":[{\"filename\":\"p\",\"fileblob\":\"AAECAw==\","
	    "\"mimetype\":\"image/png\"}],"
	    "\"attachments\":[{\"filename\":\"b\",\"fileblob\":\"AAECAw==\","
	    "\"mimetype\":\"a/b\"}]}",
	    SAYS(FIELD ",[\"Reply-To\",\"help@shop.example\"]",
		PART(0, "p", "\"image/png\"", "\"inline\"", "\"p\"") "," PART(
		    1, "b", "\"a/b\"", "\"attachment\"", "null"),
		"", "") },
	{ "mailtrap",
	    "{\"from\":" PERSON("a@shop.example",
		"Shop") ","
			"\"reply_to\":{\"email\":\"help@shop.example\"}"
			"," PEOPLE("to", "cc",
			    "bcc") "," TEXTS "," HEADERS ","
				   "\"category\":\"x\",\"custom_variables\":{"
				   "\"k\":\"v\"},"
				   "\"attachments\":[{\"content\":\"AAECAw==\","
				   "\"filename\":\"a.png\","
				   "\"type\":\"image/"
				   "png\",\"disposition\":\"inline\","
				   "\"content_id\":\"p\"}]}",
	    SAYS(FIELD,
		PART(0, "a.png", "\"image/png\"", "\"inline\"", "\"p\""),
		"\"x\"", "\"k\":\"v\"") },
	{ "scaleway",
	    "{\"from\":" PERSON("a@shop.example", "Shop") "," PEOPLE("to", "cc",
		"bcc") "," TEXTS ",\"additional_headers\":["
		       "{\"key\":\"X-A\",\"value\":\"1\"},"
		       "{\"key\":\"Reply-To\",\"value\":\"help@shop.example\"}]"
		       ","
		       "\"attachments\":[{\"name\":\"a.pdf\",\"type\":\"a/b\","
		       "\"content\":\"AAECAw==\"}]}",
	    SAYS(FIELD ",[\"Reply-To\",\"help@shop.example\"]",
		PART(0, "a.pdf", "\"a/b\"", "null", "null"), "", "") },
	{ "azure",
	    "{\"senderAddress\":\"Shop <a@shop.example>\",\"replyTo\":["
	    "{\"address\":\"help@shop.example\"}],\"recipients\":{\"to\":["
	    "{\"address\":\"ann@d.example\",\"displayName\":"
	    "\"\xc3\x84nn \\\"A\\\"\"},{\"address\":\"bob@d.example\"}],"
	    "\"cc\":[{\"address\":\"cid@d.example\"}],"
	    "\"bcc\":[{\"address\":\"dan@d.example\"}]},"
	    "\"content\":{\"subject\":\"Hello\",\"plainText\":\"Hi\","
	    "\"html\":\"<p>Hi\"}," HEADERS ",\"attachments\":["
	    "{\"name\":\"a.png\",\"contentType\":\"image/png\","
	    "\"contentInBase64\":\"AAECAw==\",\"contentId\":\"p\"}]}",
	    SAYS(FIELD, PART(0, "a.png", "\"image/png\"", "null", "\"p\""), "",
		"") },
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0])
};

static void assert_says(const struct letter *l, const char *says)
{
	json_t *got = decode_letter(l), *meant = json_loads(says, 0, NULL);
	char *text = json_dumps(got, JSON_INDENT(1));

	ck_assert_ptr_nonnull(meant);
	ck_assert_msg(json_equal(got, meant), "%s: %s\nmeant: %s", l->provider,
	    text, says);
	free(text);
	json_decref(meant);
	json_decref(got);
}

START_TEST(reads_a_request_as_its_api_spells_it)
{
	struct letter *l = letter_new(
	    rows[_i].provider, LETTER_JSON, span_of(rows[_i].request));
	struct buf bytes;

	buf_init(&bytes, 64);
	ck_assert_ptr_nonnull(l);
	assert_says(l, rows[_i].says);
	ck_assert_int_eq(decode_part(l, 0, &bytes), 0);
	ck_assert(span_eq(buf_span(&bytes), SPAN("\0\1\2\3")));
	ck_assert_int_eq(decode_part(l, 9, &bytes), -ENOENT);
	buf_finish(&bytes);
	letter_free(l);
}
END_TEST

/* A new fake that takes JSON needs a spelling, and a row above. */
START_TEST(knows_every_fake)
{
	static const char *const others[] = { "ses", "mailgun", "msgraph",
		"gmail", "mandrill", "sparkpost", "raw", "smtp" };
	const char *name = fakes[_i]->name;
	bool is_known = false;

	for (size_t i = 0; i < ROWS; i++)
		is_known |= strcmp(rows[i].provider, name) == 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		is_known |= strcmp(others[i], name) == 0;
	ck_assert_msg(is_known, "%s has no row", name);
}
END_TEST

START_TEST(reads_a_message_and_who_is_hidden)
{
	struct letter *l = letter_new("ses", LETTER_MIME,
	    SPAN("From: Shop <a@shop.example>\r\n"
		 "Reply-To: help@shop.example\r\n"
		 "To: \"\xc3\x84nn \\\"A\\\"\" <ANN@d.example>, "
		 "bob@d.example\r\n"
		 "Cc: cid@d.example\r\n"
		 "Subject: =?utf-8?q?H=C3=A9llo?=\r\n"
		 "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		 "--b\r\n\r\nHi\r\n"
		 "--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
		 "Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n"
		 "--b--\r\n"));
	struct buf bytes;
	json_t *out;
	const char *subject, *text, *hidden, *field, *value;

	buf_init(&bytes, 64);
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(letter_add_recipient(l, SPAN("ann@d.example")), 0);
	ck_assert_int_eq(letter_add_recipient(l, SPAN("dan@d.example")), 0);
	out = decode_letter(l);
	ck_assert_int_eq(json_unpack(out, "{s:s, s:s, s:[{s:s}!], s:n, s:n}",
			     "subject", &subject, "text", &text, "bcc",
			     "address", &hidden, "html", "error"),
	    0);
	ck_assert_str_eq(subject, "H\xc3\xa9llo");
	ck_assert_str_eq(text, "Hi");
	ck_assert_str_eq(hidden, "dan@d.example");
	ck_assert_int_eq(
	    json_unpack(json_array_get(json_object_get(out, "headers"), 4),
		"[s, s]", &field, &value),
	    0);
	ck_assert_str_eq(field, "Subject");
	ck_assert_str_eq(value, subject);
	json_decref(out);
	ck_assert_int_eq(decode_part(l, 0, &bytes), 0);
	ck_assert(span_eq(buf_span(&bytes), SPAN("\0\1\2\3")));
	ck_assert_int_eq(decode_part(l, 1, &bytes), -ENOENT);
	buf_finish(&bytes);
	letter_free(l);
}
END_TEST

START_TEST(says_why_there_is_nothing)
{
	static const struct {
		const char *provider, *raw, *error;
		enum letter_kind kind;
	} bad[] = {
		{ "ses", "no header at all", "it has no header", LETTER_MIME },
		{ "raw", "{\"to\":", "it is no JSON", LETTER_JSON },
		{ "raw", "[1]", NULL, LETTER_JSON },
		{ "brevo", "{\"to\":[1],\"attachment\":[7],\"tags\":{}}", NULL,
		    LETTER_JSON },
		{ "raw", "plain", NULL, LETTER_OTHER },
		{ "raw", "\xff", NULL, LETTER_OTHER },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct letter *l = letter_new(
		    bad[i].provider, bad[i].kind, span_of(bad[i].raw));
		json_t *out = decode_letter(l);
		const char *error =
		    json_string_value(json_object_get(out, "error"));

		ck_assert_ptr_nonnull(out);
		ck_assert_msg((error == NULL) == (bad[i].error == NULL) &&
				  (!error || strcmp(error, bad[i].error) == 0),
		    "%s: %s", bad[i].raw, error);
		json_decref(out);
		letter_free(l);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/decode");
	TCase *t = tcase_create("decode");

	mime_library_init();
	tcase_add_loop_test(t, reads_a_request_as_its_api_spells_it, 0, ROWS);
	tcase_add_loop_test(t, knows_every_fake, 0, FAKES_ALL);
	tcase_add_test(t, reads_a_message_and_who_is_hidden);
	tcase_add_test(t, says_why_there_is_nothing);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
