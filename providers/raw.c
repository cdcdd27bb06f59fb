/*
 * raw: posts the message as it is to a URL, envelope in two headers. The
 * smallest complete module, for tests, benchmarks and services of one's own;
 * README.md walks through it.
 */
#include <common/answer.h>
#include <common/str.h>
#include <common/text.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

struct raw_settings {
	const char *url;
	struct postern_secret token;
};

static const struct postern_field raw_fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_URL,
	    .offset = offsetof(struct raw_settings, url),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Where messages are posted to." },
	{ .name = "token",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct raw_settings, token),
	    .doc = "Sent as a bearer token when set." },
	{ .name = NULL },
};

/* Addresses separated by commas; a line break in one cannot get through. */
static const char *join(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	struct text t;

	text_init(&t, host, r);
	for (size_t i = 0; i < mail->recipient_count; i++) {
		text_add_cstr(&t, i > 0 ? ", " : "");
		text_add(&t, mail->recipients[i]);
	}
	return text_finish(&t);
}

static const char *prefixed(const char *prefix, struct postern_str value,
    const struct postern_host *host, struct postern_request *r)
{
	struct text t;

	text_init(&t, host, r);
	text_add_cstr(&t, prefix);
	text_add(&t, value);
	return text_finish(&t);
}

static int raw_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct raw_settings *s = settings;
	const char *sender = prefixed("", mail->sender, host, r);
	const char *recipients = join(mail, host, r);

	if (!sender || !recipients)
		return -ENOMEM;
	if (s->token.ptr) {
		const char *token = prefixed(
		    "Bearer ", str_make(s->token.ptr, s->token.len), host, r);
		if (!token)
			return -ENOMEM;
		(void)host->header(r, "Authorization", token);
	}
	/* A failure sticks in the request; the last result tells of it. */
	(void)host->method(r, "POST");
	(void)host->url(r, s->url);
	(void)host->header(r, "Content-Type", "message/rfc822");
	(void)host->header(r, "X-Postern-ID", mail->id);
	(void)host->header(r, "X-Postern-Sender", sender);
	(void)host->header(r, "X-Postern-Recipients", recipients);
	return host->body_message(r, POSTERN_AS_IS);
}

static void raw_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	(void)settings;
	answer_default(response, out);
	answer_allowance(response, "RateLimit-", out);
	if (response->status < 200 || response->status >= 300)
		return;
	/* Any 2xx is a success; its body means nothing, whole or cut off. */
	answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
	answer_set_id(out, answer_header(response, "X-Message-Id"));
}

/* A service of the operator's own may want to see all of them. */
static const char *const control_fields[] = { "", "X-Postern-", NULL };

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "raw",
	.doc = "Posts the message as it is to a URL.",
	.flags = POSTERN_CARRIES_UTF8 | POSTERN_CARRIES_ALL_CONTENT |
		 POSTERN_CARRIES_CONTROLS | POSTERN_SENDS_CONTROL_FIELDS,
	.fields = raw_fields,
	.settings_size = sizeof(struct raw_settings),
	.build = raw_build,
	.classify = raw_classify,
	.control_fields = control_fields,
};
