/*
 * mandrill: Mailchimp Transactional, messages/send-raw. The message goes as
 * the text of a JSON string, the envelope in `to`, the key in the body: the
 * API takes it nowhere else. Follows its documentation of messages/send-raw
 * and of the X-MC-* fields, which work in the message as they do by SMTP.
 * Fields that are added: mandrill_fields.c; answers: mandrill_answer.c.
 */
#include <common/split.h>
#include <common/url.h>
#include <common/writer.h>
#include <mandrill_answer.h>
#include <mandrill_fields.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

enum {
	/* With more it takes them all and tells of none what became of it. */
	RECIPIENTS_MAX = 10
};

struct mandrill_settings {
	const char *url;
	struct postern_secret api_key;
	const char *subaccount;
	const char *return_path_domain;
};

#define MANDRILL_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct mandrill_settings, member)

static const struct postern_field mandrill_fields[] = {
	{ MANDRILL_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key that may use messages/send-raw." },
	{ MANDRILL_FIELD(subaccount), .type = POSTERN_TYPE_STRING,
	    .doc = "Subaccount of messages that name none themselves." },
	{ MANDRILL_FIELD(return_path_domain), .type = POSTERN_TYPE_STRING,
	    .doc = "Verified domain for bounces instead of Mandrill's own." },
	{ MANDRILL_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Mandrill's own." },
	{ .name = NULL },
};

static const char *mandrill_check(const void *settings)
{
	const struct mandrill_settings *s = settings;

	for (const char *c = s->subaccount ? s->subaccount : ""; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return "subaccount must be an id in ASCII, without "
			       "spaces";
	}
	return NULL;
}

/* X-MC-BccAddress would send a copy to somebody who is no recipient. */
static int add_body(const struct mandrill_settings *s,
    const struct postern_mail *mail, struct postern_str fields,
    struct writer *w)
{
	static const char *const without[] = { "X-MC-BccAddress", NULL };

	writer_open(w, NULL, "{");
	writer_text(w, "key", str_make(s->api_key.ptr, s->api_key.len));
	writer_begin(w, "raw_message");
	(void)w->host->body_changed(w->r, fields, without, POSTERN_JSON_STRING);
	writer_end(w);
	writer_open(w, "to", "[");
	for (size_t i = 0; i < mail->recipient_count; i++)
		writer_text(w, NULL, mail->recipients[i]);
	(void)writer_close(w, "]");
	writer_bool(w, "async", false);
	if (s->return_path_domain)
		writer_text(
		    w, "return_path_domain", str_of(s->return_path_domain));
	return writer_close(w, "}");
}

/*
 * Of recipients whom the header does not name it is documented that their
 * mail is a copy of their own or that they join the To, as the account is set
 * up: each of them goes alone, so that nobody sees another.
 */
static int check_blind(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	struct split lists;
	int rc = split_recipients(mail, host, r, &lists);

	if (rc == 0 && lists.bcc_count > 0 && mail->recipient_count > 1)
		rc = host->refuse_together(r,
		    "Mandrill may show blind copies to each other: they go "
		    "one by one");
	return rc;
}

static int mandrill_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct mandrill_settings *s = settings;
	const char *url =
	    url_join(host, r, s->url ? s->url : "https://mandrillapp.com",
		"/api/1.0/messages/send-raw.json");
	struct postern_str fields = STR("");
	struct writer w;
	int rc = check_blind(mail, host, r);

	if (rc == 0)
		rc =
		    mandrill_make_fields(s->subaccount, mail, host, r, &fields);
	if (rc < 0)
		return rc;
	if (!url)
		return -ENOMEM;
	(void)host->method(r, "POST");
	(void)host->url(r, url);
	(void)host->header(r, "Accept", "application/json");
	(void)host->header(r, "Content-Type", "application/json");
	writer_init(&w, host, r);
	return add_body(s, mail, fields, &w);
}

static const char *const control_fields[] = { "X-MC-", NULL };

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mandrill",
	.doc = "Mandrill (Mailchimp Transactional), raw message.",
	/* It writes its own Message-ID; of DKIM it does not say. */
	.flags = POSTERN_NEEDS_CONTENT |
		 (POSTERN_CARRIES_ALL_CONTENT &
		     ~(POSTERN_CARRIES_DKIM | POSTERN_CARRIES_DATE_AND_ID)) |
		 POSTERN_CARRIES_CONTROLS | POSTERN_SENDS_CONTROL_FIELDS |
		 POSTERN_NEEDS_7BIT | POSTERN_NEEDS_SHORT_LINES,
	.limits = { .recipients = RECIPIENTS_MAX, .message_size = 25000000 },
	.fields = mandrill_fields,
	.settings_size = sizeof(struct mandrill_settings),
	.check = mandrill_check,
	.build = mandrill_build,
	.classify = mandrill_classify,
	.control_fields = control_fields,
};
