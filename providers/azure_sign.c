/*
 * HMAC-SHA256 with the decoded key over method, path and query, and the values
 * of date, host and digest.
 */
#include <azure_sign.h>

#include <common/base64.h>
#include <common/date.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>

#include <errno.h>

enum {
	KEY_MAX = 512,
	DIGEST_SIZE = 32
};

static bool decode(struct postern_secret key, uint8_t out[KEY_MAX], size_t *len)
{
	return key.len > 0 &&
	       base64_decode(str_make(key.ptr, key.len), out, KEY_MAX, len);
}

bool azure_is_key(struct postern_secret access_key)
{
	uint8_t key[KEY_MAX];
	size_t len;
	bool is_key = decode(access_key, key, &len);

	explicit_bzero(key, sizeof(key));
	return is_key;
}

static uint8_t digit_of(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The digest of the body, in base64; NULL after a failure. */
static const char *hash_body(
    const struct postern_host *host, struct postern_request *r)
{
	char hex[2 * DIGEST_SIZE + 1];
	char digest[DIGEST_SIZE];

	if (host->body_sha256(r, hex) < 0)
		return NULL;
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		digest[i] = (char)(digit_of(hex[2 * i]) << 4 |
				   digit_of(hex[2 * i + 1]));
	return host->base64(r, str_make(digest, DIGEST_SIZE));
}

static const char *sign(struct text *t, struct postern_secret access_key)
{
	uint8_t key[KEY_MAX], mac[DIGEST_SIZE];
	size_t len;

	if (!text_finish(t) || !decode(access_key, key, &len))
		return NULL;
	t->host->hmac_sha256(
	    str_make((const char *)key, len), str_make(t->data, t->len), mac);
	explicit_bzero(key, sizeof(key));
	return t->host->base64(
	    t->request, str_make((const char *)mac, sizeof(mac)));
}

int azure_sign(const char *url, struct postern_secret access_key, int64_t now,
    const struct postern_host *host, struct postern_request *r)
{
	const char *hash = hash_body(host, r), *signature;
	char date[DATE_HTTP_SIZE];
	struct text to_sign, value;

	if (!hash)
		return -ENOMEM;
	date_format_http(now, date);
	text_init(&to_sign, host, r);
	text_add_cstr(&to_sign, "POST\n");
	text_add_cstr(&to_sign, url_path(url));
	text_add_cstr(&to_sign, "\n");
	text_add_cstr(&to_sign, date);
	text_add_cstr(&to_sign, ";");
	text_add(&to_sign, url_host(url));
	text_add_cstr(&to_sign, ";");
	text_add_cstr(&to_sign, hash);
	signature = sign(&to_sign, access_key);
	text_init(&value, host, r);
	text_add_cstr(&value,
	    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
	    "&Signature=");
	text_add_cstr(&value, signature);
	if (!signature || !text_finish(&value))
		return -ENOMEM;
	(void)host->header(r, "x-ms-date", date);
	(void)host->header(r, "x-ms-content-sha256", hash);
	return host->header(r, "Authorization", value.data);
}
