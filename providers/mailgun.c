/*
 * mailgun: Mailgun messages.mime. A multipart form: the envelope in `to`,
 * options, the raw message as a file. What steers it: mailgun_options.c;
 * answers: mailgun_answer.c.
 */
#include <common/basic.h>
#include <common/form.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>
#include <mailgun_answer.h>
#include <mailgun_options.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

struct mailgun_settings {
	const char *url;
	struct postern_secret api_key;
	const char *domain;
	int region; /* index into regions */
	struct postern_list tags;
	bool test_mode;
};

static const char *const regions[] = { "us", "eu", NULL };
static const char *const bases[] = { "https://api.mailgun.net",
	"https://api.eu.mailgun.net" };

#define MAILGUN_FIELD(member)                                                  \
	.name = #member, .offset = offsetof(struct mailgun_settings, member)

static const struct postern_field mailgun_fields[] = {
	{ MAILGUN_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Sending key of the domain, or the account's API key." },
	{ MAILGUN_FIELD(domain), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Sending domain as it is set up at Mailgun." },
	{ MAILGUN_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "us",
	    .names = regions, .doc = "Where the domain lives: us or eu." },
	{ MAILGUN_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for every message." },
	{ MAILGUN_FIELD(test_mode), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Have messages accepted but not delivered; they are "
		   "billed." },
	{ MAILGUN_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const char *mailgun_check(const void *settings)
{
	const struct mailgun_settings *s = settings;

	if (!s->domain[0] ||
	    s->domain[strspn(s->domain, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789.-_")] != '\0')
		return "domain must be a domain name in ASCII (xn--...)";
	return NULL;
}

/* --- request --- */

static void add_recipients(
    const struct form *f, const struct postern_mail *mail)
{
	form_begin(f, "to");
	for (size_t i = 0; i < mail->recipient_count; i++) {
		form_more(f, i > 0 ? STR(",") : STR(""));
		form_more(f, mail->recipients[i]);
	}
	form_end(f);
}

static void add_settings(const struct form *f, const struct mailgun_settings *s)
{
	const char *const *tags = s->tags.items;

	for (size_t i = 0; i < s->tags.count; i++)
		form_field(f, "o:tag", STR(""), str_of(tags[i]));
	if (s->test_mode)
		form_field(f, "o:testmode", STR(""), STR("yes"));
}

static const char *make_url(const struct mailgun_settings *s,
    const struct postern_host *host, struct postern_request *r)
{
	const char *domain = host->percent(r, str_of(s->domain));
	struct text path;

	text_init(&path, host, r);
	text_add_cstr(&path, "/v3/");
	text_add_cstr(&path, domain ? domain : "");
	text_add_cstr(&path, "/messages.mime");
	if (!domain || !text_finish(&path))
		return NULL;
	return url_join(host, r, s->url ? s->url : bases[s->region], path.data);
}

static int add_head(const struct form *f, const struct mailgun_settings *s)
{
	const struct postern_host *host = f->host;
	const char *url = make_url(s, host, f->r);
	const char *type = form_type(f);

	if (!url || !type)
		return -ENOMEM;
	(void)host->method(f->r, "POST");
	(void)host->url(f->r, url);
	(void)basic_authorize(host, f->r, "api", s->api_key);
	(void)host->header(f->r, "Accept", "application/json");
	return host->header(f->r, "Content-Type", type);
}

static int mailgun_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	struct form f;
	int rc;

	form_init(&f, mail->id, host, r);
	rc = add_head(&f, settings);
	if (rc < 0)
		return rc;
	add_recipients(&f, mail);
	add_settings(&f, settings);
	rc = mailgun_add_options(&f, mail);
	if (rc < 0)
		return rc;
	form_field(&f, "v:postern_id", STR(""), str_of(mail->id));
	return form_message(&f, "message");
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mailgun",
	.doc = "Mailgun messages.mime, raw message.",
	.flags = POSTERN_CARRIES_ALL_CONTENT | POSTERN_CARRIES_CONTROLS |
		 POSTERN_NEEDS_SHORT_LINES,
	.limits = { .recipients = 1000, .message_size = 25ull * 1024 * 1024 },
	.fields = mailgun_fields,
	.settings_size = sizeof(struct mailgun_settings),
	.check = mailgun_check,
	.build = mailgun_build,
	.classify = mailgun_classify,
	.control_fields = mailgun_control_fields,
};
