/*
 * msgraph: Microsoft Graph, user: sendMail with the message in MIME format
 * (learn.microsoft.com/graph: outlook-send-mime-message, user-sendmail,
 * deployments; the token by the client credentials flow of Microsoft Entra).
 * It is mailed to whom its header names, from the mailbox of `user`, which
 * keeps it in Sent Items. Answers: msgraph_answer.c.
 */
#include <common/addressed.h>
#include <common/header.h>
#include <common/oauth.h>
#include <common/text.h>
#include <common/url.h>
#include <msgraph_answer.h>
#include <msgraph_settings.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

static const char *const names[] = { "global", "usgov", "dod", "china", NULL };
static const struct cloud {
	const char *graph, *authority;
} clouds[] = {
	{ "https://graph.microsoft.com", "https://login.microsoftonline.com" },
	{ "https://graph.microsoft.us", "https://login.microsoftonline.us" },
	{ "https://dod-graph.microsoft.us",
	    "https://login.microsoftonline.us" },
	{ "https://microsoftgraph.chinacloudapi.cn",
	    "https://login.chinacloudapi.cn" },
};

#define MSGRAPH_FIELD(member)                                                  \
	.name = #member, .offset = offsetof(struct msgraph_settings, member)

static const struct postern_field msgraph_fields[] = {
	{ MSGRAPH_FIELD(tenant), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Id or domain of the tenant." },
	{ MSGRAPH_FIELD(client_id), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Id of the application, which has the permission Mail.Send "
		   "of its own." },
	{ MSGRAPH_FIELD(client_secret), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "A secret of that application." },
	{ MSGRAPH_FIELD(user), .type = POSTERN_TYPE_STRING,
	    .doc = "Mailbox that sends, its id or user principal name; the "
		   "address of From when missing." },
	{ MSGRAPH_FIELD(cloud), .type = POSTERN_TYPE_ENUM, .preset = "global",
	    .names = names,
	    .doc = "Where the tenant lives: global, usgov, dod or china." },
	{ MSGRAPH_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of Graph instead of the cloud's own." },
	{ MSGRAPH_FIELD(authority), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the token service instead of the cloud's own." },
	{ .name = NULL },
};

static const char *msgraph_check(const void *settings)
{
	const struct msgraph_settings *s = settings;

	if (!s->tenant[0])
		return "tenant must not be empty";
	if (!s->client_id[0])
		return "client_id must not be empty";
	return s->user && !s->user[0] ? "user must not be empty" : NULL;
}

/* before, one segment of a path encoded, behind it what follows. */
static const char *make_url(const struct postern_host *host,
    struct postern_request *r, const char *base, const char *const path[2],
    struct postern_str segment)
{
	const char *encoded = host->percent(r, segment);
	struct text t;

	text_init(&t, host, r);
	text_add_cstr(&t, path[0]);
	text_add_cstr(&t, encoded);
	text_add_cstr(&t, path[1]);
	if (!encoded || !text_finish(&t))
		return NULL;
	return url_join(host, r, base, t.data);
}

/* --- token --- */

/* Whatever url says, the resource is the cloud's: so it is registered. */
static int ask_token(const struct msgraph_settings *s, struct oauth *o)
{
	static const char *const path[2] = { "/", "/oauth2/v2.0/token" };
	const struct cloud *cloud = &clouds[s->cloud];
	const char *url = make_url(o->step.host, o->step.r,
	    s->authority ? s->authority : cloud->authority, path,
	    str_of(s->tenant));
	struct text scope;
	int rc;

	text_init(&scope, o->step.host, o->step.r);
	text_add_cstr(&scope, cloud->graph);
	text_add_cstr(&scope, "/.default");
	if (!url || !text_finish(&scope))
		return -ENOMEM;
	rc = oauth_ask(o, url, s->client_id);
	oauth_field(o, "grant_type", STR("client_credentials"));
	oauth_field(o, "client_id", str_of(s->client_id));
	oauth_field(o, "client_secret",
	    str_make(s->client_secret.ptr, s->client_secret.len));
	oauth_field(o, "scope", str_make(scope.data, scope.len));
	return rc;
}

static int msgraph_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	struct oauth o = { .step = { p, host, r } };

	if (!p->response && !p->fault)
		return ask_token(settings, &o);
	return oauth_take(&o);
}

/* --- request --- */

/* Exchange keeps S/MIME whole; of PGP/MIME Microsoft says no such thing. */
static bool is_pgp(const struct postern_mail *mail)
{
	struct postern_str type = header_value(mail, "Content-Type");

	return str_has(type, "application/pgp-encrypted") ||
	       str_has(type, "application/pgp-signature");
}

static int msgraph_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	static const char *const path[2] = { "/v1.0/users/", "/sendMail" };
	const struct msgraph_settings *s = settings;
	struct postern_str user = str_of(s->user);
	const char *url;
	int rc;

	if (is_pgp(mail))
		return host->refuse(r,
		    "Microsoft 365 keeps signed and encrypted mail whole when "
		    "it is S/MIME, not PGP/MIME");
	if (!s->user && mail->content->from_count != 1)
		return host->refuse(r,
		    "Microsoft Graph sends from one mailbox: From must be one "
		    "address");
	if (!s->user)
		user = mail->content->from[0].address;
	url = make_url(
	    host, r, s->url ? s->url : clouds[s->cloud].graph, path, user);
	if (!url)
		return -ENOMEM;
	(void)host->method(r, "POST");
	(void)host->url(r, url);
	rc = oauth_authorize(host, r);
	if (rc < 0)
		return rc;
	(void)host->header(r, "Accept", "application/json");
	(void)host->header(r, "Content-Type", "text/plain");
	return addressed_body(mail, host, r, POSTERN_BASE64);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "msgraph",
	.doc = "Microsoft Graph sendMail, raw message.",
	/* Exchange takes the message apart and writes its own. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_NEEDS_SHORT_LINES |
		 POSTERN_CARRIES_SIGNED | POSTERN_CARRIES_ENCRYPTED |
		 POSTERN_CARRIES_INLINE | POSTERN_CARRIES_NESTED,
	/* A request of 4 MB, which is the message in base64. */
	.limits = { .recipients = 500, .message_size = 4000000 },
	.fields = msgraph_fields,
	.settings_size = sizeof(struct msgraph_settings),
	.check = msgraph_check,
	.build = msgraph_build,
	.classify = msgraph_classify,
	.prepare = msgraph_prepare,
};
