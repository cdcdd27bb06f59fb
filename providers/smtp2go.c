/*
 * smtp2go: SMTP2GO v3/email/send. An inline image is shown by its file name;
 * Reply-To is one of the header fields. Answers: smtp2go_answer.c.
 */
#include <common/letter.h>
#include <common/str.h>
#include <common/text.h>
#include <postern/provider.h>
#include <smtp2go_answer.h>

#include <stddef.h>

struct smtp2go_settings {
	const char *url;
	struct postern_secret api_key;
	int region; /* index into regions */
};

static const char *const regions[] = { "global", "us", "eu", "au", NULL };
static const char *const bases[] = { "https://api.smtp2go.com",
	"https://us-api.smtp2go.com", "https://eu-api.smtp2go.com",
	"https://au-api.smtp2go.com" };

#define SMTP2GO_FIELD(member)                                                  \
	.name = #member, .offset = offsetof(struct smtp2go_settings, member)

static const struct postern_field smtp2go_fields[] = {
	{ SMTP2GO_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key that may use /email/send (api-...)." },
	{ SMTP2GO_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "global",
	    .names = regions,
	    .doc = "Where requests go: global, which is the nearest, us, eu or "
		   "au." },
	{ SMTP2GO_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const struct letter_style style = {
	.addresses = LETTER_STRINGS,
	.content = "fileblob",
	.filename = "filename",
	.type = "mimetype",
	.is_named_by_id = true,
	.header_name = "header",
	.header_value = "value",
};

static int check(struct letter *l)
{
	if (l->mail->content->from_count != 1)
		return letter_refuse(
		    l, "SMTP2GO takes exactly one address in From");
	return letter_want_to(l, "SMTP2GO wants a To");
}

/* Of all fields of that name, as they stand: it is a header field there. */
static struct postern_str find_replies(const struct letter *l, struct text *t)
{
	for (size_t i = 0; i < l->mail->header_count; i++) {
		const struct postern_header *h = &l->mail->headers[i];

		if (!str_ieq(h->name, STR("Reply-To")) || h->value.len == 0)
			continue;
		text_add_cstr(t, t->len > 0 ? ", " : "");
		text_add(t, h->value);
	}
	return str_make(t->data, t->len);
}

static void add_headers(struct letter *l)
{
	struct text t;

	text_init(&t, l->w.host, l->w.r);
	const struct postern_header reply = { STR("Reply-To"),
		find_replies(l, &t) };
	letter_headers(
	    l, "custom_headers", NULL, &reply, reply.value.len > 0 ? 1 : 0);
}

static int add_body(struct letter *l)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "sender", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text_body", "html_body");
	add_headers(l);
	letter_parts(l, "inlines", LETTER_INLINE);
	letter_parts(l, "attachments", LETTER_FILES);
	return writer_close(&l->w, "}");
}

static int smtp2go_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct smtp2go_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = letter_key(&l, "X-Smtp2go-Api-Key", "", s->api_key);
	if (rc == 0)
		rc = letter_head(
		    &l, s->url ? s->url : bases[s->region], "/v3/email/send");
	return rc < 0 ? rc : add_body(&l);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "smtp2go",
	.doc = "SMTP2GO v3/email/send.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED,
	/* 100 in each list; 50 MB in all (developers.smtp2go.com). */
	.limits = { .recipients = 100, .message_size = 50000000 },
	.fields = smtp2go_fields,
	.settings_size = sizeof(struct smtp2go_settings),
	.build = smtp2go_build,
	.classify = smtp2go_classify,
};
