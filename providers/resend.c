/*
 * resend: Resend /emails. A repeated call is recognised by the key of the
 * try, for a day. Answers: resend_answer.c.
 */
#include <common/account.h>
#include <common/answer.h>
#include <common/labels.h>
#include <common/letter.h>
#include <common/str.h>
#include <postern/provider.h>
#include <resend_answer.h>

#include <stddef.h>

struct resend_settings {
	const char *url;
	struct postern_secret api_key;
};

#define RESEND_FIELD(member)                                                   \
	.name = #member, .offset = offsetof(struct resend_settings, member)

static const struct postern_field resend_fields[] = {
	{ RESEND_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key that may send (re_...)." },
	{ RESEND_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Resend's own." },
	{ .name = NULL },
};

/*
 * No type: it is told by the name, and a message whose names and types do not
 * fit together is accepted and never delivered.
 */
static const struct letter_style style = {
	.addresses = LETTER_STRINGS,
	.content = "content",
	.filename = "filename",
	.content_id = "content_id",
};

static int check(struct letter *l)
{
	const char *why = labels_check(l->mail->controls);

	if (l->mail->content->from_count != 1)
		return letter_refuse(
		    l, "Resend takes exactly one address in From");
	if (why)
		return letter_refuse(l, why);
	return letter_want_to(l, "Resend wants a To");
}

/* The queue id comes back with the events. */
static void add_tags(struct letter *l)
{
	writer_open(&l->w, "tags", "[");
	writer_open(&l->w, NULL, "{");
	writer_text(&l->w, "name", STR("postern_id"));
	writer_text(&l->w, "value", str_of(l->mail->id));
	(void)writer_close(&l->w, "}");
	labels_add(&l->w, l->mail->controls, "name", "value");
	(void)writer_close(&l->w, "]");
}

static int add_body(struct letter *l)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "from", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	letter_addresses(l, "reply_to", c->reply_to, c->reply_to_count);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text", "html");
	letter_headers(l, "headers", NULL, NULL, 0);
	add_tags(l);
	letter_parts(l, "attachments", LETTER_ALL);
	return writer_close(&l->w, "}");
}

static int resend_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct resend_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = letter_key(&l, "Authorization", "Bearer ", s->api_key);
	if (rc == 0)
		rc = host->header(r, "Idempotency-Key", mail->attempt_key);
	if (rc == 0)
		rc = letter_head(
		    &l, s->url ? s->url : "https://api.resend.com", "/emails");
	return rc < 0 ? rc : add_body(&l);
}

/* --- the account: only keys that may do anything can ask --- */

static bool read_domains(const json_t *body, struct postern_inquiry *q)
{
	(void)q;
	return json_is_array(json_object_get(body, "data"));
}

static void read_error(const json_t *body, struct postern_inquiry *q)
{
	q->is_send_only =
	    str_ieq(answer_member(body, "name"), STR("restricted_api_key"));
}

static int resend_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct resend_settings *s = settings;
	const struct account a = {
		.base = s->url ? s->url : "https://api.resend.com",
		.path = "/domains",
		.header = "Authorization",
		.scheme = "Bearer ",
		.key = s->api_key,
		.classify = resend_classify,
		.read = read_domains,
		.read_error = read_error,
	};

	return account_inquire(&a, settings, q, host, r);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "resend",
	.doc = "Resend /emails.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_TAGS |
		 POSTERN_CARRIES_METADATA,
	.limits = { .recipients = 50, .message_size = 40000000 },
	.fields = resend_fields,
	.settings_size = sizeof(struct resend_settings),
	.build = resend_build,
	.classify = resend_classify,
	.inquire = resend_inquire,
};
