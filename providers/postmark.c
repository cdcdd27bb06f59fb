/*
 * postmark: Postmark /email. Recipients are lines of text; what X-PM-* fields
 * ask for becomes fields of the request. Answers: postmark_answer.c.
 */
#include <common/account.h>
#include <common/answer.h>
#include <common/letter.h>
#include <common/str.h>
#include <postern/provider.h>
#include <postmark_answer.h>

#include <stddef.h>
#include <string.h>

struct postmark_settings {
	const char *url;
	struct postern_secret server_token;
	const char *message_stream;
};

#define POSTMARK_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct postmark_settings, member)

static const struct postern_field postmark_fields[] = {
	{ POSTMARK_FIELD(server_token), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Token of the server; with POSTMARK_API_TEST messages are "
		   "checked but not sent." },
	{ POSTMARK_FIELD(message_stream), .type = POSTERN_TYPE_STRING,
	    .preset = "outbound",
	    .doc = "Id of the message stream; X-PM-Message-Stream of a "
		   "message goes before." },
	{ POSTMARK_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Postmark's own." },
	{ .name = NULL },
};

enum {
	TEXT_MAX = 5 * 1000 * 1000,
	METADATA_MAX = 10,
	METADATA_NAME_MAX = 20,
	METADATA_VALUE_MAX = 80
};

static const char *const control_fields[] = { "X-PM-", NULL };

static const struct letter_style style = {
	.addresses = LETTER_LINE,
	.content = "Content",
	.filename = "Name",
	.type = "ContentType",
	.has_type_parameters = true,
	.content_id = "ContentID",
	.id_prefix = "cid:",
	.header_name = "Name",
	.header_value = "Value",
	.control_fields = control_fields,
};

/* Kinds of attachments that are refused with ErrorCode 411. */
static const char *const forbidden[] = { "vbs", "exe", "bin", "bat", "chm",
	"com", "cpl", "crt", "hlp", "hta", "inf", "ins", "isp", "jse", "lnk",
	"mdb", "pcd", "pif", "reg", "scr", "sct", "shs", "vbe", "vba", "wsf",
	"wsh", "wsl", "msc", "msi", "msp", "mst", NULL };

/* The tenth is ours. */
static bool fits_metadata(const struct postern_controls *c)
{
	for (size_t i = 0; i < c->metadata_count; i++) {
		if (c->metadata[i].name.len > METADATA_NAME_MAX ||
		    c->metadata[i].value.len > METADATA_VALUE_MAX)
			return false;
	}
	return c->metadata_count < METADATA_MAX;
}

static int check(struct letter *l)
{
	const struct postern_content *c = l->mail->content;

	if (c->from_count != 1)
		return letter_refuse(
		    l, "Postmark takes exactly one address in From");
	if (c->text.len > TEXT_MAX || c->html.len > TEXT_MAX)
		return letter_refuse(
		    l, "Postmark takes text and HTML of at most 5 MB each");
	if (l->mail->controls->tag_count > 1)
		return letter_refuse(l, "Postmark takes one tag");
	if (!fits_metadata(l->mail->controls))
		return letter_refuse(l,
		    "Postmark takes 9 fields of metadata, with names of 20 "
		    "and values of 80 characters");
	for (size_t i = 0; i < c->part_count; i++) {
		if (letter_has_kind(&c->parts[i], forbidden))
			return letter_refuse_part(
			    l, "Postmark takes no such attachment", i);
	}
	return 0;
}

/* --- fields that steer Postmark's SMTP service --- */

/* The spelling of Postmark's guide, or another that is in use. */
static struct postern_str find_either(
    const struct letter *l, const char *name, const char *alias)
{
	struct postern_str value = letter_find(l->mail, name);

	return value.ptr ? value : letter_find(l->mail, alias);
}

/* What mail->controls says goes before. */
static void add_tag(struct letter *l)
{
	const struct postern_controls *c = l->mail->controls;
	struct postern_str tag =
	    c->tag_count > 0 ? c->tags[0] : letter_find_text(l, "X-PM-Tag");

	if (tag.len > 0)
		writer_text(&l->w, "Tag", tag);
}

static void add_tracking(struct letter *l)
{
	const struct postern_controls *c = l->mail->controls;
	struct postern_str links =
	    find_either(l, "X-PM-TrackLinks", "X-PM-Track-Links");
	struct postern_str opens =
	    find_either(l, "X-PM-TrackOpens", "X-PM-Track-Opens");

	if (c->track_clicks != POSTERN_UNSAID)
		links = c->track_clicks == POSTERN_YES ? STR("HtmlAndText")
						       : STR("None");
	if (c->track_opens != POSTERN_UNSAID)
		opens =
		    c->track_opens == POSTERN_YES ? STR("true") : STR("false");
	if (links.len > 0)
		writer_text(&l->w, "TrackLinks", links);
	if (opens.len > 0)
		writer_bool(&l->w, "TrackOpens", str_ieq(opens, STR("true")));
}

/*
 * The queue id comes back with the events, as does what the sender gave, who
 * cannot give another queue id.
 */
static void add_metadata(struct letter *l)
{
	const struct postern_str prefix = STR("X-PM-Metadata-");
	const struct postern_str own = STR("postern_id");
	const struct postern_controls *c = l->mail->controls;

	writer_open(&l->w, "Metadata", "{");
	writer_text(&l->w, own.ptr, str_of(l->mail->id));
	for (size_t i = 0; i < l->mail->header_count; i++) {
		const struct postern_header *h = &l->mail->headers[i];
		struct postern_str name = str_from(h->name, prefix.len);
		if (name.len > 0 && str_istarts(h->name, prefix) &&
		    !str_ieq(name, own))
			writer_pair(&l->w, name, letter_decode(l, h->value));
	}
	for (size_t i = 0; i < c->metadata_count; i++) {
		if (!str_ieq(c->metadata[i].name, own))
			writer_pair(
			    &l->w, c->metadata[i].name, c->metadata[i].value);
	}
	(void)writer_close(&l->w, "}");
}

/*
 * Without X-PM-KeepID Postmark makes an id of its own; X-PM-Bounce-Type is read
 * there by servers that are sandboxes.
 */
static void add_headers(struct letter *l)
{
	struct postern_str id = letter_find(l->mail, "Message-ID");
	struct postern_str bounce = letter_find(l->mail, "X-PM-Bounce-Type");
	struct postern_header keep[3];
	size_t count = 0;

	if (bounce.len > 0)
		keep[count++] =
		    (struct postern_header){ STR("X-PM-Bounce-Type"), bounce };
	if (id.len > 0) {
		keep[count++] =
		    (struct postern_header){ STR("Message-ID"), id };
		keep[count++] =
		    (struct postern_header){ STR("X-PM-KeepID"), STR("true") };
	}
	letter_headers(l, "Headers", NULL, keep, count);
}

static int add_body(struct letter *l, const struct postmark_settings *s)
{
	const struct postern_content *c = l->mail->content;
	struct postern_str stream = letter_find(l->mail, "X-PM-Message-Stream");

	writer_open(&l->w, NULL, "{");
	letter_address(l, "From", &c->from[0]);
	/* One of the three is enough. */
	letter_recipients(l, "To", "Cc", "Bcc");
	letter_addresses(l, "ReplyTo", c->reply_to, c->reply_to_count);
	writer_text(&l->w, "Subject", c->subject);
	letter_texts(l, "TextBody", "HtmlBody");
	writer_text(&l->w, "MessageStream",
	    stream.len > 0 ? stream : str_of(s->message_stream));
	add_tag(l);
	add_tracking(l);
	add_metadata(l);
	add_headers(l);
	letter_parts(l, "Attachments", LETTER_ALL);
	return writer_close(&l->w, "}");
}

static int postmark_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct postmark_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = letter_key(
		    &l, "X-Postmark-Server-Token", "", s->server_token);
	if (rc == 0)
		rc = letter_head(&l,
		    s->url ? s->url : "https://api.postmarkapp.com", "/email");
	return rc < 0 ? rc : add_body(&l, s);
}

/* --- the account: the server of the token --- */

static bool read_server(const json_t *body, struct postern_inquiry *q)
{
	struct postern_str type = answer_member(body, "DeliveryType");

	if (str_ieq(type, STR("Sandbox")))
		account_say(q, "the server is a sandbox: Postmark takes "
			       "messages and delivers none");
	return json_is_integer(json_object_get(body, "ID"));
}

static int postmark_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct postmark_settings *s = settings;
	const struct account a = {
		.base = s->url ? s->url : "https://api.postmarkapp.com",
		.path = "/server",
		.header = "X-Postmark-Server-Token",
		.scheme = "",
		.key = s->server_token,
		.classify = postmark_classify,
		.read = read_server,
	};

	if (strcmp(s->server_token.ptr, "POSTMARK_API_TEST") == 0) {
		q->result = POSTERN_ACCOUNT;
		q->is_send_only = true;
		account_say(q, "POSTMARK_API_TEST belongs to no server: "
			       "messages are checked and not sent");
		return 0;
	}
	return account_inquire(&a, settings, q, host, r);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "postmark",
	.doc = "Postmark /email.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_CONTROLS,
	/* Postmark counts attachments in base64, as the core does. */
	.limits = { .recipients = 50, .message_size = 10000000 },
	.fields = postmark_fields,
	.settings_size = sizeof(struct postmark_settings),
	.build = postmark_build,
	.classify = postmark_classify,
	.inquire = postmark_inquire,
	.control_fields = control_fields,
};
