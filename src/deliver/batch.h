/*
 * What goes into one call to a provider: how many recipients, and the key by
 * which the provider knows the call again. Pure.
 */
#pragma once

#include <base/hash.h>
#include <base/id.h>
#include <base/span.h>
#include <store/store.h>

#include <stddef.h>
#include <stdint.h>

struct config_provider;

enum {
	BATCH_KEY_SIZE = ID_TEXT_SIZE + 32 + STORE_NAME_SIZE
};

/* Recipients of one call at most: SIZE_MAX when there is no limit. */
size_t batch_limit(const struct config_provider *p);

/* Zeroed: of nobody yet. */
struct batch_key {
	uint8_t digest[HASH_SHA256_SIZE];
};

/*
 * The key that lets a provider recognise a repetition: the same recipients at
 * the same provider give the same key, now and after a restart, and others
 * another, as a key must not come back with a different request: the provider
 * would drop that. A person who wants it sent again asks for another key
 * (turn). A message may make thousands of calls, so 64 bits.
 */
void batch_key_add(struct batch_key *k, struct span address, uint16_t turn);
void batch_key_text(const struct batch_key *k, const char *id,
    const char *provider, char out[BATCH_KEY_SIZE]);
