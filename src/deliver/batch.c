/* See batch.h. */
#include <deliver/batch.h>

#include <deliver/deliver_internal.h>

#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <config/config.h>
#include <postern/provider.h>

enum {
	ADDRESS_MAX = 512 /* a path has at most 256 (RFC 5321 4.5.3.1.3) */
};

size_t batch_limit(const struct config_provider *p)
{
	size_t limit = p->module->limits.recipients;

	if (p->max_recipients > 0 &&
	    (limit == 0 || (size_t)p->max_recipients < limit))
		limit = (size_t)p->max_recipients;
	return limit > 0 ? limit : SIZE_MAX;
}

/* A chain, so that it matters where one address ends. */
void batch_key_add(struct batch_key *k, struct span address, uint16_t turn)
{
	char link[HASH_SHA256_SIZE + ADDRESS_MAX + 2];
	struct span kept = span_first(address, ADDRESS_MAX);
	size_t len = sizeof(k->digest) + kept.len;

	memcpy(link, k->digest, sizeof(k->digest));
	memcpy(link + sizeof(k->digest), kept.ptr, kept.len);
	len += delivery_turn(turn, (uint8_t *)link + len);
	hash_sha256(span_make(link, len), k->digest);
}

void batch_key_text(const struct batch_key *k, const char *id,
    const char *provider, char out[BATCH_KEY_SIZE])
{
	char text[17];

	hex_encode(k->digest, (sizeof(text) - 1) / 2, text);
	(void)snprintf(out, BATCH_KEY_SIZE, "%s-%s-%s", id, text, provider);
}
