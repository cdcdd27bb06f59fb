/*
 * brevo: Brevo (once Sendinblue) v3/smtp/email. It knows no inline images and
 * tells an attachment's type by its name; a repeated call is recognised by a
 * key. Answers: brevo_answer.c.
 */
#include <brevo_answer.h>
#include <common/account.h>
#include <common/letter.h>
#include <common/str.h>
#include <common/text.h>
#include <common/uuid.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

struct brevo_settings {
	const char *url;
	struct postern_secret api_key;
	struct postern_list tags;
	bool sandbox;
};

#define BREVO_FIELD(member)                                                    \
	.name = #member, .offset = offsetof(struct brevo_settings, member)

static const struct postern_field brevo_fields[] = {
	{ BREVO_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED, .doc = "API key (xkeysib-...)." },
	{ BREVO_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for every message." },
	{ BREVO_FIELD(sandbox), .type = POSTERN_TYPE_BOOL, .preset = "false",
	    .doc = "Have messages checked but not sent." },
	{ BREVO_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Brevo's own." },
	{ .name = NULL },
};

static const char *const control_fields[] = { "X-Mailin-", "X-Sib-", NULL };

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.encodes_names = true,
	.content = "content",
	.filename = "name",
	.control_fields = control_fields,
};

static const char *const allowed[] = { "xlsx", "xls", "ods", "docx", "docm",
	"doc", "csv", "pdf", "txt", "gif", "jpg", "jpeg", "png", "tif", "tiff",
	"rtf", "bmp", "cgm", "css", "shtml", "html", "htm", "zip", "xml", "ppt",
	"pptx", "tar", "ez", "ics", "mobi", "msg", "pub", "eps", "odt", "mp3",
	"m4a", "m4v", "wma", "ogg", "flac", "wav", "aif", "aifc", "aiff", "mp4",
	"mov", "avi", "mkv", "mpeg", "mpg", "wmv", "pkpass", "xlsm", NULL };

static int check(struct letter *l)
{
	/* The older form of all that steers its SMTP service, as JSON. */
	static const char *const unsupported[] = { "X-Sib-API", NULL };
	const struct postern_content *c = l->mail->content;
	int rc = letter_refuse_fields(
	    l, unsupported, "Brevo's API has no place for that field");

	if (rc < 0)
		return rc;
	if (c->from_count != 1)
		return letter_refuse(
		    l, "Brevo takes exactly one address in From");
	if (c->reply_to_count > 1)
		return letter_refuse(l, "Brevo takes one address in Reply-To");
	for (size_t i = 0; i < c->part_count; i++) {
		if (!letter_has_kind(&c->parts[i], allowed))
			return letter_refuse_part(
			    l, "Brevo takes no such attachment", i);
	}
	return 0;
}

/* Brevo would decode encoded words, and send what comes out as it is. */
static bool may_pass(const struct postern_header *h)
{
	for (size_t i = 0; i < h->value.len; i++) {
		if ((unsigned char)h->value.ptr[i] >= 0x80)
			return false;
	}
	return !str_has(h->value, "=?");
}

static int add_headers(struct letter *l, const struct brevo_settings *s)
{
	struct postern_str custom = letter_find(l->mail, "X-Mailin-custom");
	struct text own;
	char key[UUID_SIZE];

	/* It comes back with the events. */
	text_init(&own, l->w.host, l->w.r);
	text_add_cstr(&own, "postern_id:");
	text_add_cstr(&own, l->mail->id);
	if (!text_finish(&own))
		return -ENOMEM;
	/* The same for each try of this call. */
	uuid_of(l->w.host, l->mail->attempt_key, key);
	const struct postern_header more[] = {
		{ STR("idempotencyKey"), str_of(key) },
		{ STR("X-Mailin-custom"),
		    custom.len > 0 ? custom : str_of(own.data) },
		{ STR("X-Sib-Sandbox"), STR("drop") },
	};
	letter_headers(l, "headers", may_pass, more,
	    s->sandbox || letter_find(l->mail, "X-Sib-Sandbox").len > 0 ? 3
									: 2);
	return 0;
}

static int add_body(struct letter *l, const struct brevo_settings *s)
{
	const struct postern_content *c = l->mail->content;
	int rc;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "sender", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	if (c->reply_to_count > 0)
		letter_address(l, "replyTo", &c->reply_to[0]);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "textContent", "htmlContent");
	letter_parts(l, "attachment", LETTER_ALL);
	rc = add_headers(l, s);
	letter_tags(l, "tags", &s->tags, letter_find_text(l, "X-Mailin-Tag"));
	return rc < 0 ? rc : writer_close(&l->w, "}");
}

static int brevo_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct brevo_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = letter_want_to(&l, "Brevo wants a To");
	if (rc == 0)
		rc = letter_key(&l, "api-key", "", s->api_key);
	if (rc == 0)
		rc = letter_head(&l, s->url ? s->url : "https://api.brevo.com",
		    "/v3/smtp/email");
	return rc < 0 ? rc : add_body(&l, s);
}

/* --- the account --- */

static bool read_account(const json_t *body, struct postern_inquiry *q)
{
	const json_t *relay = json_object_get(body, "relay");

	q->is_closed = json_is_false(json_object_get(relay, "enabled"));
	if (q->is_closed)
		account_say(q, "transactional e-mail is not enabled for this "
			       "account (relay.enabled false)");
	return json_is_string(json_object_get(body, "email"));
}

static int brevo_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct brevo_settings *s = settings;
	const struct account a = {
		.base = s->url ? s->url : "https://api.brevo.com",
		.path = "/v3/account",
		.header = "api-key",
		.scheme = "",
		.key = s->api_key,
		.classify = brevo_classify,
		.read = read_account,
	};

	return account_inquire(&a, settings, q, host, r);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "brevo",
	.doc = "Brevo v3/smtp/email.",
	/* X-Mailin-custom would show metadata to the recipient. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_TAGS,
	/* The size is what is said of it; no document tells. */
	.limits = { .recipients = 99, .message_size = 20000000 },
	.fields = brevo_fields,
	.settings_size = sizeof(struct brevo_settings),
	.build = brevo_build,
	.classify = brevo_classify,
	.inquire = brevo_inquire,
	.control_fields = control_fields,
};
