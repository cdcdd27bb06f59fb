/*
 * webhook: posts an event, which is JSON, to a URL of one's own, signed by
 * the convention of Standard Webhooks 1.0.0 (standardwebhooks.com), so that
 * receivers verify it with its libraries: three headers, and HMAC-SHA256 over
 * id, time of the attempt and body. The core uses it for `webhook`; it carries
 * no mail.
 */
#include <common/answer.h>
#include <common/base64.h>
#include <common/str.h>
#include <common/text.h>
#include <postern/provider.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"

enum {
	KEY_MIN = 24,
	KEY_MAX = 64,
	SIGNATURE_SIZE = 32
};

struct webhook_settings {
	const char *url;
	struct postern_secret secret, previous_secret;
};

static const struct postern_field webhook_fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_URL,
	    .offset = offsetof(struct webhook_settings, url),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Where events are posted to." },
	{ .name = "secret",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct webhook_settings, secret),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Signs them: whsec_ and 24 to 64 random bytes in base64." },
	{ .name = "previous_secret",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct webhook_settings, previous_secret),
	    .doc = "Signs them too, until every receiver knows the new one." },
	{ .name = NULL },
};

/* How many bytes the secret is; 0: it is none. */
static size_t decode_key(
    const struct postern_secret *secret, uint8_t out[KEY_MAX])
{
	size_t skip = strlen(SECRET_PREFIX);
	size_t len = 0;

	if (secret->len < skip || memcmp(secret->ptr, SECRET_PREFIX, skip) != 0)
		return 0;
	if (!base64_decode(str_make(secret->ptr + skip, secret->len - skip),
		out, KEY_MAX, &len))
		return 0;
	return len >= KEY_MIN ? len : 0;
}

static const char *webhook_check(const void *settings)
{
	const struct webhook_settings *s = settings;
	uint8_t key[KEY_MAX];
	const char *why = NULL;

	if (s->secret.ptr && decode_key(&s->secret, key) == 0)
		why = "secret must be whsec_ and 24 to 64 bytes in base64: "
		      "echo whsec_$(openssl rand -base64 32)";
	else if (s->previous_secret.ptr &&
		 decode_key(&s->previous_secret, key) == 0)
		why = "previous_secret must be whsec_ and 24 to 64 bytes in "
		      "base64, as secret is";
	explicit_bzero(key, sizeof(key));
	return why;
}

/* What is signed before the body: "id.time." */
static const char *sign_prefix(const struct postern_mail *mail,
    const char *time, const struct postern_host *host,
    struct postern_request *r)
{
	struct text t;

	text_init(&t, host, r);
	text_add_cstr(&t, mail->id);
	text_add_char(&t, '.');
	text_add_cstr(&t, time);
	text_add_char(&t, '.');
	return text_finish(&t);
}

static int add_signature(
    struct text *t, const struct postern_secret *secret, const char *prefix)
{
	uint8_t key[KEY_MAX], code[SIGNATURE_SIZE];
	size_t len = decode_key(secret, key);
	int rc = t->host->body_hmac_sha256(t->request,
	    str_make((const char *)key, len), str_make(prefix, strlen(prefix)),
	    code);
	const char *encoded = NULL;

	explicit_bzero(key, sizeof(key));
	if (rc == 0) {
		encoded = t->host->base64(
		    t->request, str_make((const char *)code, sizeof(code)));
		rc = encoded ? 0 : -ENOMEM;
	}
	if (rc)
		return rc;
	text_add_cstr(t, t->len > 0 ? " v1," : "v1,");
	text_add_cstr(t, encoded);
	return 0;
}

static int sign(const struct webhook_settings *s,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	char time[24];
	const char *prefix, *value;
	struct text t;
	int rc;

	(void)snprintf(time, sizeof(time), "%" PRId64, mail->now);
	prefix = sign_prefix(mail, time, host, r);
	if (!prefix)
		return -ENOMEM;
	text_init(&t, host, r);
	rc = add_signature(&t, &s->secret, prefix);
	if (rc == 0 && s->previous_secret.ptr)
		rc = add_signature(&t, &s->previous_secret, prefix);
	if (rc)
		return rc;
	value = text_finish(&t);
	if (!value)
		return -ENOMEM;
	(void)host->header(r, "webhook-id", mail->id);
	(void)host->header(r, "webhook-timestamp", time);
	return host->header(r, "webhook-signature", value);
}

static int webhook_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct webhook_settings *s = settings;
	int rc;

	/* A failure sticks in the request; the last result tells of it. */
	(void)host->method(r, "POST");
	(void)host->url(r, s->url);
	(void)host->header(r, "Content-Type", "application/json");
	rc = host->body_content(r);
	return rc ? rc : sign(s, mail, host, r);
}

/*
 * Only 2xx is success, and nothing is a reason to throw an event away: what
 * else comes is the receiver's fault, or its operator's, and may be mended
 * before the event is too old. An address or a key that is wrong (redirect,
 * 401, 403, 404, 405, 410 "gone") is so for all events: that is said at once,
 * and asked again now and then.
 */
static enum postern_class class_of(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 410:
		return POSTERN_ACCOUNT;
	case 429:
		return POSTERN_THROTTLED;
	default:
		break;
	}
	if (status >= 200 && status < 300)
		return POSTERN_ACCEPTED;
	return status >= 300 && status < 400 ? POSTERN_ACCOUNT
					     : POSTERN_TRANSIENT;
}

static void webhook_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	enum postern_class class = class_of(response->status);

	(void)settings;
	answer_set(out, class, STR(""), STR(""));
	if (class == POSTERN_THROTTLED || class == POSTERN_TRANSIENT)
		out->retry_after_ms = answer_retry_after_ms(response);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "webhook",
	.doc = "Posts signed events to a URL.",
	.flags = POSTERN_CARRIES_UTF8,
	.limits.recipients = 1,
	.fields = webhook_fields,
	.settings_size = sizeof(struct webhook_settings),
	.check = webhook_check,
	.build = webhook_build,
	.classify = webhook_classify,
};
