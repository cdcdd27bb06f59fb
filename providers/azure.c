/*
 * azure: Azure Communication Services Email. Each request is signed with the
 * access key of the resource (azure_sign.c) and has an id by which a repeated
 * one is known. Answers: azure_answer.c.
 */
#include <azure_answer.h>
#include <azure_sign.h>
#include <common/letter.h>
#include <common/str.h>
#include <common/url.h>
#include <common/uuid.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

/* The first version in which an attachment has a Content-ID. */
#define PATH "/emails:send?api-version=2025-09-01"

struct azure_settings {
	const char *url, *endpoint;
	struct postern_secret access_key;
	bool sender_name;
};

#define AZURE_FIELD(member)                                                    \
	.name = #member, .offset = offsetof(struct azure_settings, member)

static const struct postern_field azure_fields[] = {
	{ AZURE_FIELD(endpoint), .type = POSTERN_TYPE_URL,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Endpoint of the resource: "
		   "https://NAME.communication.azure.com." },
	{ AZURE_FIELD(access_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "One of its two keys: accesskey of the connection string." },
	{ AZURE_FIELD(sender_name), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Send the name in From, too, which is said to work with "
		   "custom domains; else the sender has the name that the "
		   "domain's MailFrom addresses give it." },
	{ AZURE_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of endpoint." },
	{ .name = NULL },
};

static const struct letter_style style = {
	.email = "address",
	.name = "displayName",
	.content = "contentInBase64",
	.filename = "name",
	.type = "contentType",
	.content_id = "contentId",
};

/* It reads them among the others, so they are not in the style. */
static const char *const control_fields[] = { "X-MS-AcsEmail-", NULL };

/* Of the sender, who is a string. */
static const struct letter_style line = { .addresses = LETTER_STRINGS };

static const char *azure_check(const void *settings)
{
	const struct azure_settings *s = settings;

	return azure_is_key(s->access_key) ? NULL : "access_key must be base64";
}

/* --- what cannot be carried --- */

/* Azure refuses the second of a name. */
static bool has_repeated_id(const struct postern_content *c)
{
	for (size_t i = 0; i < c->part_count; i++) {
		for (size_t j = 0; c->parts[i].is_inline && j < i; j++) {
			if (c->parts[j].is_inline &&
			    str_ieq(
				c->parts[i].content_id, c->parts[j].content_id))
				return true;
		}
	}
	return false;
}

static int check(struct letter *l)
{
	const struct postern_controls *c = l->mail->controls;

	if (l->mail->content->from_count != 1)
		return letter_refuse(
		    l, "Azure takes exactly one address in From");
	if (c->track_opens != c->track_clicks)
		return letter_refuse(
		    l, "Azure tracks opens and clicks together, or neither");
	if (has_repeated_id(l->mail->content))
		return letter_refuse(l, "Azure takes a Content-ID once");
	return letter_want_to(l, "Azure wants a To");
}

/* --- request --- */

static int add_head(struct letter *l, const char *base)
{
	char id[UUID_SIZE];
	int rc = letter_head(l, base, PATH);

	if (rc < 0)
		return rc;
	/* The same for each try of this call. */
	uuid_of(l->w.host, l->mail->attempt_key, id);
	return l->w.host->header(l->w.r, "Operation-Id", id);
}

static void add_sender(struct letter *l, const struct azure_settings *s)
{
	struct postern_address sender = l->mail->content->from[0];

	if (!s->sender_name)
		sender.name = STR("");
	l->style = &line;
	letter_address(l, "senderAddress", &sender);
	l->style = &style;
}

/* Azure keeps an id that is one, and makes its own otherwise. */
static void add_headers(struct letter *l)
{
	const struct postern_header id = { STR("Message-ID"),
		letter_find(l->mail, "Message-ID") };

	letter_headers(l, "headers", NULL, &id, id.value.len > 0 ? 1 : 0);
}

static int add_body(struct letter *l, const struct azure_settings *s)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	add_sender(l, s);
	writer_open(&l->w, "recipients", "{");
	letter_recipients(l, "to", "cc", "bcc");
	(void)writer_close(&l->w, "}");
	letter_addresses(l, "replyTo", c->reply_to, c->reply_to_count);
	writer_open(&l->w, "content", "{");
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "plainText", "html");
	(void)writer_close(&l->w, "}");
	add_headers(l);
	letter_parts(l, "attachments", LETTER_ALL);
	/* What the domain tracks; a message can only be left out of it. */
	if (l->mail->controls->track_opens != POSTERN_UNSAID)
		writer_bool(&l->w, "userEngagementTrackingDisabled",
		    l->mail->controls->track_opens == POSTERN_NO);
	return writer_close(&l->w, "}");
}

static int azure_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct azure_settings *s = settings;
	const char *base = s->url ? s->url : s->endpoint;
	const char *url = url_join(host, r, base, PATH);
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (!url)
		return -ENOMEM;
	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = add_head(&l, base);
	if (rc == 0)
		rc = add_body(&l, s);
	return rc < 0 ? rc : azure_sign(url, s->access_key, mail->now, host, r);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "azure",
	.doc = "Azure Communication Services Email.",
	/* Messages are not among the attachments it is said to take. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_TRACKING,
	.limits = { .recipients = 50, .message_size = 10000000 },
	.fields = azure_fields,
	.settings_size = sizeof(struct azure_settings),
	.check = azure_check,
	.build = azure_build,
	.classify = azure_classify,
	.control_fields = control_fields,
};
