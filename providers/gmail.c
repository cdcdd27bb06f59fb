/*
 * gmail: Gmail API, users.messages.send, the message itself as a media upload
 * (developers.google.com/gmail/api: reference, guides/uploads). It is mailed
 * to whom its header names, as the user for whom a service account acts by
 * domain-wide delegation. Tokens: gmail_token.c. Answers: gmail_answer.c.
 */
#include <common/addressed.h>
#include <common/oauth.h>
#include <common/url.h>
#include <gmail_answer.h>
#include <gmail_token.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

#define GMAIL_FIELD(member)                                                    \
	.name = #member, .offset = offsetof(struct gmail_settings, member)

static const struct postern_field gmail_fields[] = {
	{ GMAIL_FIELD(service_account_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED | POSTERN_FIELD_LINES,
	    .doc = "Key of a service account with domain-wide delegation for "
		   "the scope gmail.send: the JSON file as Google gives it." },
	{ GMAIL_FIELD(user), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Address of the user as whom it sends." },
	{ GMAIL_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Google's own." },
	{ GMAIL_FIELD(token_url), .type = POSTERN_TYPE_URL,
	    .doc = "Where tokens are asked for instead of the key's own." },
	{ .name = NULL },
};

static const char *gmail_check(const void *settings)
{
	const struct gmail_settings *s = settings;

	if (!strchr(s->user, '@'))
		return "user must be the address of a user of the Workspace";
	return gmail_key_check(s);
}

static int gmail_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct gmail_settings *s = settings;
	const char *url =
	    url_join(host, r, s->url ? s->url : "https://gmail.googleapis.com",
		"/upload/gmail/v1/users/me/messages/send?uploadType=media");
	int rc;

	if (!url)
		return -ENOMEM;
	(void)host->method(r, "POST");
	(void)host->url(r, url);
	rc = oauth_authorize(host, r);
	if (rc < 0)
		return rc;
	(void)host->header(r, "Accept", "application/json");
	(void)host->header(r, "Content-Type", "message/rfc822");
	return addressed_body(mail, host, r, POSTERN_AS_IS);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "gmail",
	.doc = "Gmail API users.messages.send, raw message.",
	/* To, which a signature of DKIM covers, is written anew. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_NEEDS_SHORT_LINES |
		 (POSTERN_CARRIES_ALL_CONTENT &
		     ~(POSTERN_CARRIES_DKIM | POSTERN_CARRIES_DATE_AND_ID)),
	/* maxSize of the upload in Google's description of the API. */
	.limits = { .recipients = 500, .message_size = 36700160 },
	.fields = gmail_fields,
	.settings_size = sizeof(struct gmail_settings),
	.check = gmail_check,
	.build = gmail_build,
	.classify = gmail_classify,
	.prepare = gmail_prepare,
};
