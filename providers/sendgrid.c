/*
 * sendgrid: SendGrid v3 mail/send. The API knows no raw message, so the parts
 * of the parsed one are written as JSON; attachments are streamed as base64.
 * Answers: sendgrid_answer.c.
 */
#include <common/account.h>
#include <common/letter.h>
#include <common/str.h>
#include <postern/provider.h>
#include <sendgrid_answer.h>
#include <sendgrid_controls.h>

#include <stddef.h>
#include <string.h>

struct sendgrid_settings {
	const char *url;
	struct postern_secret api_key;
	int region; /* index into regions */
	bool sandbox;
};

static const char *const regions[] = { "global", "eu", NULL };
static const char *const bases[] = { "https://api.sendgrid.com",
	"https://api.eu.sendgrid.com" };

#define SENDGRID_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct sendgrid_settings, member)

static const struct postern_field sendgrid_fields[] = {
	{ SENDGRID_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key with the permission Mail Send." },
	{ SENDGRID_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "global",
	    .names = regions, .doc = "Where the account lives: global or eu." },
	{ SENDGRID_FIELD(sandbox), .type = POSTERN_TYPE_BOOL, .preset = "false",
	    .doc = "Have messages checked but not sent." },
	{ SENDGRID_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const char *const control_fields[] = { "X-SMTPAPI", NULL };

/* SendGrid takes no comma, semicolon or quote in a display name. */
static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.unwanted = ",;\"",
	.content = "content",
	.type = "type",
	.filename = "filename",
	.disposition = "disposition",
	.content_id = "content_id",
	.control_fields = control_fields,
};

/* The queue id comes back with the events. */
static void end_personalization(struct letter *l)
{
	writer_open(&l->w, "custom_args", "{");
	writer_text(&l->w, "postern_id", str_of(l->mail->id));
	(void)writer_close(&l->w, "}");
	(void)writer_close(&l->w, "}");
}

/*
 * An address may be in the whole array once, and each element needs a To:
 * when nobody is visible every recipient gets an element of his own.
 */
static void add_personalizations(struct letter *l)
{
	const struct split *s = &l->lists;

	writer_open(&l->w, "personalizations", "[");
	if (s->to_count > 0) {
		writer_open(&l->w, NULL, "{");
		letter_addresses(l, "to", s->to, s->to_count);
		letter_addresses(l, "cc", s->cc, s->cc_count);
		letter_addresses(l, "bcc", s->bcc, s->bcc_count);
		end_personalization(l);
	}
	for (size_t i = 0; s->to_count == 0 && i < l->mail->recipient_count;
	     i++) {
		const struct postern_address to = {
			.address = l->mail->recipients[i]
		};

		writer_open(&l->w, NULL, "{");
		letter_addresses(l, "to", &to, 1);
		end_personalization(l);
	}
	(void)writer_close(&l->w, "]");
}

static void add_text(
    struct letter *l, struct postern_str type, struct postern_str value)
{
	writer_open(&l->w, NULL, "{");
	writer_text(&l->w, "type", type);
	writer_text(&l->w, "value", value);
	(void)writer_close(&l->w, "}");
}

/* At least one element, none of them empty. */
static void add_content(struct letter *l)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, "content", "[");
	if (c->text.len > 0 || c->html.len == 0)
		add_text(l, STR("text/plain"), letter_or_space(c->text));
	if (c->html.len > 0)
		add_text(l, STR("text/html"), c->html);
	(void)writer_close(&l->w, "]");
}

/* Why the API cannot carry this message, or NULL. */
static const char *find_obstacle(const struct postern_mail *mail)
{
	const struct postern_content *c = mail->content;

	if (c->from_count != 1)
		return "SendGrid takes exactly one address in From";
	for (size_t i = 0; i < c->part_count; i++) {
		if (c->parts[i].size == 0)
			return "SendGrid takes no empty attachment";
	}
	return NULL;
}

static int add_body(struct letter *l, const struct sendgrid_settings *s)
{
	const struct postern_content *c = l->mail->content;
	int rc;

	writer_open(&l->w, NULL, "{");
	add_personalizations(l);
	letter_address(l, "from", &c->from[0]);
	letter_addresses(l, "reply_to_list", c->reply_to, c->reply_to_count);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	add_content(l);
	letter_parts(l, "attachments", LETTER_ALL);
	letter_headers(l, "headers", NULL, NULL, 0);
	rc = sendgrid_add_controls(l, s->sandbox);
	return rc < 0 ? rc : writer_close(&l->w, "}");
}

static int sendgrid_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct sendgrid_settings *s = settings;
	const char *obstacle = find_obstacle(mail);
	struct letter l;
	int rc;

	if (obstacle)
		return host->refuse(r, obstacle);
	rc = letter_init(&l, &style, mail, host, r);
	if (rc == 0 && l.lists.cc_count > 0)
		rc = letter_want_to(&l, "SendGrid wants a To");
	if (rc == 0)
		rc = letter_key(&l, "Authorization", "Bearer ", s->api_key);
	if (rc == 0)
		rc = letter_head(
		    &l, s->url ? s->url : bases[s->region], "/v3/mail/send");
	return rc < 0 ? rc : add_body(&l, s);
}

/* --- the account: what the key may do --- */

static bool read_scopes(const json_t *body, struct postern_inquiry *q)
{
	const json_t *scopes = json_object_get(body, "scopes");

	for (size_t i = 0; i < json_array_size(scopes); i++) {
		const char *scope =
		    json_string_value(json_array_get(scopes, i));
		if (scope && strcmp(scope, "mail.send") == 0)
			return true;
	}
	q->result = POSTERN_ACCOUNT;
	account_say(q, "the key lacks the permission Mail Send (mail.send)");
	return json_is_array(scopes);
}

static void classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	const struct sendgrid_settings *s = settings;

	sendgrid_classify(s->sandbox, response, out);
}

static int sendgrid_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct sendgrid_settings *s = settings;
	const struct account a = {
		.base = s->url ? s->url : bases[s->region],
		.path = "/v3/scopes",
		.header = "Authorization",
		.scheme = "Bearer ",
		.key = s->api_key,
		.classify = classify,
		.read = read_scopes,
	};

	return account_inquire(&a, settings, q, host, r);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "sendgrid",
	.doc = "SendGrid v3 mail/send.",
	/* Parts become fields and files: a signature does not survive. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_CONTROLS,
	.limits = { .recipients = 1000, .message_size = 30000000 },
	.fields = sendgrid_fields,
	.settings_size = sizeof(struct sendgrid_settings),
	.build = sendgrid_build,
	.classify = classify,
	.inquire = sendgrid_inquire,
	.control_fields = control_fields,
};
