/*
 * mailersend: MailerSend v1/email. Plans decide whether header fields may go
 * along (mailersend_fields.c); what looks like one of its variables cannot.
 * Answers: mailersend_answer.c.
 */
#include <common/letter.h>
#include <common/str.h>
#include <mailersend_answer.h>
#include <mailersend_fields.h>
#include <postern/provider.h>

#include <stddef.h>
#include <string.h>

struct mailersend_settings {
	const char *url;
	struct postern_secret api_key;
	bool headers, allow_placeholders;
	struct postern_list tags;
};

#define MAILERSEND_FIELD(member)                                               \
	.name = #member, .offset = offsetof(struct mailersend_settings, member)

static const struct postern_field mailersend_fields[] = {
	{ MAILERSEND_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API token that may send e-mail (mlsn...)." },
	{ MAILERSEND_FIELD(headers), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Pass header fields on; only some plans have it, others "
		   "refuse the message." },
	{ MAILERSEND_FIELD(allow_placeholders), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Send also what holds {{ or {$, which MailerSend may take "
		   "for its variables." },
	{ MAILERSEND_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for every message, with those of X-MailerSend-Tags "
		   "at most 5." },
	{ MAILERSEND_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of MailerSend's own." },
	{ .name = NULL },
};

enum {
	TO_MAX = 50,
	COPIES_MAX = 10, /* in cc, and in bcc */
	SUBJECT_MAX = 998,
	TEXT_MAX = 2 * 1000 * 1000,
	FILES_MAX = 25 * 1000 * 1000,
	/* Those as base64, and the texts. */
	SIZE_MAX_BYTES = 38000000
};

static const char *const control_fields[] = { "X-MailerSend-", NULL };

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.unwanted = ",;",
	.content = "content",
	.filename = "filename",
	.disposition = "disposition",
	.content_id = "id",
	.header_name = "name",
	.header_value = "value",
	.control_fields = control_fields,
};

static const char *const allowed[] = { "txt", "csv", "log", "css", "ics", "xml",
	"jpg", "jpe", "jpeg", "gif", "png", "bmp", "psd", "tif", "tiff", "svg",
	"indd", "ai", "eps", "doc", "docx", "rtf", "odt", "ott", "pdf", "pub",
	"pages", "mobi", "epub", "mp3", "m4a", "m4v", "wma", "ogg", "flac",
	"wav", "aif", "aifc", "aiff", "mp4", "mov", "avi", "mkv", "mpeg", "mpg",
	"wmv", "xls", "xlsx", "ods", "numbers", "odp", "ppt", "pptx", "pps",
	"key", "zip", "vcf", "eml", "p7c", "p7m", "p7s", "pgp", "asc", "sig",
	NULL };

static const char *mailersend_check(const void *settings)
{
	const struct mailersend_settings *s = settings;

	return s->tags.count > MAILERSEND_TAGS_MAX ? "there are at most 5 tags"
						   : NULL;
}

/* --- what cannot be carried --- */

static bool has_placeholder(struct postern_str text)
{
	return text.len > 0 && (memmem(text.ptr, text.len, "{{", 2) ||
				   memmem(text.ptr, text.len, "{$", 2));
}

static int check_content(struct letter *l, const struct mailersend_settings *s)
{
	const struct postern_content *c = l->mail->content;
	uint64_t files = 0;

	if (letter_length(c->subject) > SUBJECT_MAX)
		return letter_refuse(
		    l, "MailerSend takes a Subject of at most 998 characters");
	if (c->text.len > TEXT_MAX || c->html.len > TEXT_MAX)
		return letter_refuse(
		    l, "MailerSend takes text and HTML of at most 2 MB each");
	if (!s->allow_placeholders &&
	    (has_placeholder(c->subject) || has_placeholder(c->text) ||
		has_placeholder(c->html)))
		return letter_refuse(l,
		    "MailerSend would take {{ or {$ in the text for one of "
		    "its variables");
	for (size_t i = 0; i < c->part_count; i++) {
		if (!letter_has_kind(&c->parts[i], allowed))
			return letter_refuse_part(
			    l, "MailerSend takes no such attachment", i);
		files += c->parts[i].size;
	}
	if (files > FILES_MAX)
		return letter_refuse(
		    l, "MailerSend takes attachments of at most 25 MB");
	return 0;
}

static int check(struct letter *l, const struct mailersend_settings *s)
{
	const struct postern_content *c = l->mail->content;
	int rc = letter_want_to(l, "MailerSend wants a To");

	if (rc < 0)
		return rc;
	if (c->from_count != 1)
		return letter_refuse(
		    l, "MailerSend takes exactly one address in From");
	if (c->reply_to_count > 1)
		return letter_refuse(
		    l, "MailerSend takes one address in Reply-To");
	if (l->lists.cc_count > COPIES_MAX || l->lists.bcc_count > COPIES_MAX)
		return letter_refuse_together(l,
		    "MailerSend takes 10 copies and 10 blind copies in one "
		    "call");
	return check_content(l, s);
}

/* --- request --- */

static int add_body(struct letter *l, const struct mailersend_settings *s)
{
	const struct postern_content *c = l->mail->content;
	int rc;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "from", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	if (c->reply_to_count > 0)
		letter_address(l, "reply_to", &c->reply_to[0]);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text", "html");
	mailersend_add_threading(l);
	if (s->headers)
		letter_headers(l, "headers", mailersend_may_pass, NULL, 0);
	rc = mailersend_add_tags(l, &s->tags);
	mailersend_add_tracking(l);
	letter_parts(l, "attachments", LETTER_ALL);
	return rc < 0 ? rc : writer_close(&l->w, "}");
}

static int mailersend_build(const void *settings,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	const struct mailersend_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l, s);
	if (rc == 0)
		rc = letter_key(&l, "Authorization", "Bearer ", s->api_key);
	if (rc == 0)
		rc = letter_head(&l,
		    s->url ? s->url : "https://api.mailersend.com",
		    "/v1/email");
	return rc < 0 ? rc : add_body(&l, s);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mailersend",
	.doc = "MailerSend v1/email.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_TAGS |
		 POSTERN_CARRIES_TRACKING,
	.limits = { .recipients = TO_MAX, .message_size = SIZE_MAX_BYTES },
	.fields = mailersend_fields,
	.settings_size = sizeof(struct mailersend_settings),
	.check = mailersend_check,
	.build = mailersend_build,
	.classify = mailersend_classify,
	.control_fields = control_fields,
};
