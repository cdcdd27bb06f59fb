/*
 * sendlayer: SendLayer api/v1/email. Few recipients a call; answers:
 * sendlayer_answer.c.
 */
#include <common/letter.h>
#include <common/str.h>
#include <postern/provider.h>
#include <sendlayer_answer.h>

#include <stddef.h>

struct sendlayer_settings {
	const char *url;
	struct postern_secret api_key;
	struct postern_list tags;
};

#define SENDLAYER_FIELD(member)                                                \
	.name = #member, .offset = offsetof(struct sendlayer_settings, member)

static const struct postern_field sendlayer_fields[] = {
	{ SENDLAYER_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED, .doc = "API key." },
	{ SENDLAYER_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for every message." },
	{ SENDLAYER_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of SendLayer's own." },
	{ .name = NULL },
};

enum {
	RECIPIENTS_MAX = 10, /* in To, and in CC */
	BCC_MAX = 5
};

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.content = "Content",
	.type = "Type",
	.filename = "Filename",
	.disposition = "Disposition",
	.content_id = "ContentId",
};

static int check(struct letter *l)
{
	if (l->mail->content->from_count != 1)
		return letter_refuse(
		    l, "SendLayer takes exactly one address in From");
	if (l->lists.bcc_count > BCC_MAX)
		return letter_refuse_together(
		    l, "SendLayer takes 5 blind copies in one call");
	return letter_want_to(l, "SendLayer wants a To");
}

static void add_text(struct letter *l)
{
	const struct postern_content *c = l->mail->content;
	bool has_html = c->html.len > 0;

	writer_text(&l->w, "ContentType", has_html ? STR("HTML") : STR("Text"));
	if (has_html)
		writer_text(&l->w, "HTMLContent", c->html);
	if (c->text.len > 0 || !has_html)
		writer_text(&l->w, "PlainContent", letter_or_space(c->text));
}

static int add_body(struct letter *l, const struct sendlayer_settings *s)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "From", &c->from[0]);
	letter_recipients(l, "To", "CC", "BCC");
	letter_addresses(l, "ReplyTo", c->reply_to, c->reply_to_count);
	writer_text(&l->w, "Subject", letter_or_space(c->subject));
	add_text(l);
	letter_tags(l, "Tags", &s->tags, STR(""));
	letter_headers(l, "Headers", NULL, NULL, 0);
	letter_parts(l, "Attachments", LETTER_ALL);
	return writer_close(&l->w, "}");
}

static int sendlayer_build(const void *settings,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	const struct sendlayer_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = letter_key(&l, "Authorization", "Bearer ", s->api_key);
	if (rc == 0)
		rc = letter_head(&l,
		    s->url ? s->url : "https://console.sendlayer.com",
		    "/api/v1/email");
	return rc < 0 ? rc : add_body(&l, s);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "sendlayer",
	.doc = "SendLayer api/v1/email.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_TAGS,
	.limits = { .recipients = RECIPIENTS_MAX, .message_size = 10000000 },
	.fields = sendlayer_fields,
	.settings_size = sizeof(struct sendlayer_settings),
	.build = sendlayer_build,
	.classify = sendlayer_classify,
};
