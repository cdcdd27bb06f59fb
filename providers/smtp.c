/*
 * smtp: hands the message to a mail server that sends it on (RFC 6409), with
 * TLS and a login, as other servers do with what they call a smarthost or a
 * relay host. Any provider has one beside its API, so it is the last of a list
 * when all APIs fail.
 */
#include <common/str.h>
#include <postern/provider.h>

#include "smtp_answer.h"

#include <stddef.h>

struct smtp_settings {
	const char *url;
	int tls; /* enum postern_smtp_tls */
	const char *user;
	struct postern_secret password;
};

static const char *const tls_names[] = { "required", "opportunistic", "none",
	NULL };

static const struct postern_field smtp_fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_SMTP_URL,
	    .offset = offsetof(struct smtp_settings, url),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "The server: smtp://host (port 587) or, with TLS from the "
		   "start, smtps://host (port 465)." },
	{ .name = "tls",
	    .type = POSTERN_TYPE_ENUM,
	    .offset = offsetof(struct smtp_settings, tls),
	    .preset = "required",
	    .names = tls_names,
	    .doc = "STARTTLS: required, opportunistic (where it is offered) or "
		   "none." },
	{ .name = "user",
	    .type = POSTERN_TYPE_STRING,
	    .offset = offsetof(struct smtp_settings, user),
	    .doc = "Name to log in with (AUTH PLAIN or LOGIN)." },
	{ .name = "password",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct smtp_settings, password),
	    .doc = "The password of user." },
	{ .name = NULL },
};

/* localhost, 127.x.x.x, [::1]: what never leaves this machine. */
static bool is_near(struct postern_str url)
{
	struct postern_str host = str_from(url, sizeof("smtp://") - 1);
	size_t len = 0;

	if (str_istarts(host, STR("[::1]")))
		return host.len == 5 || host.ptr[5] == ':';
	while (len < host.len && host.ptr[len] != ':')
		len++;
	host.len = len;
	if (str_ieq(host, STR("localhost")))
		return true;
	for (size_t i = 0; i < host.len; i++) {
		if (host.ptr[i] != '.' &&
		    (host.ptr[i] < '0' || host.ptr[i] > '9'))
			return false;
	}
	return str_istarts(host, STR("127."));
}

static const char *smtp_check(const void *settings)
{
	const struct smtp_settings *s = settings;
	struct postern_str url = str_of(s->url);

	if ((s->user != NULL) != (s->password.ptr != NULL))
		return "user and password go together";
	if (str_istarts(url, STR("smtps://")))
		return s->tls == POSTERN_SMTP_TLS_REQUIRED
			   ? NULL
			   : "with smtps:// all is in TLS: leave out tls";
	if (s->user && s->tls != POSTERN_SMTP_TLS_REQUIRED && !is_near(url))
		return "a password goes to another machine with tls: required "
		       "only";
	return NULL;
}

static int smtp_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct smtp_settings *s = settings;
	const struct postern_smtp how = { .size = sizeof(how),
		.tls = (enum postern_smtp_tls)s->tls,
		.user = s->user,
		.password = s->password,
		.is_direct = is_near(str_of(s->url)) };

	(void)mail; /* the core has the envelope */
	(void)host->url(r, s->url);
	(void)host->smtp(r, &how);
	return host->body_message(r, POSTERN_AS_IS);
}

/* It may be the SMTP service of any provider. */
static const char *const control_fields[] = { "", NULL };

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "smtp",
	.doc = "Hands the message to a mail server.",
	.flags = POSTERN_CARRIES_UTF8 | POSTERN_CARRIES_ALL_CONTENT |
		 POSTERN_SENDS_CONTROL_FIELDS | POSTERN_NEEDS_SHORT_LINES,
	/* RFC 5321 4.5.3.1.8: so many every server takes. */
	.limits.recipients = 100,
	.fields = smtp_fields,
	.settings_size = sizeof(struct smtp_settings),
	.check = smtp_check,
	.build = smtp_build,
	.classify = smtp_classify,
	.control_fields = control_fields,
};
