/*
 * The keys of the configured issuer, from a file or a URL: read when first
 * needed, again when they are old or a token names one that is not there.
 * Private to auth.
 */
#pragma once

#include <auth/auth.h>
#include <auth/jwk.h>
#include <config/config.h>

#include <stdbool.h>

struct keyring;

/* NULL for memory. config is borrowed for the keyring's life. */
struct keyring *keyring_new(const struct config *config);
void keyring_free(struct keyring *k); /* accepts NULL */
/* A reference to what was read last, NULL when there is none. Any thread. */
struct jwk_set *keyring_keys(struct keyring *k);
/*
 * Whether to read them before answering: there are none, they are old, or
 * none of them made a signature. Not right after they were read. Any thread.
 */
bool keyring_is_due(struct keyring *k, bool is_key_missing);
/*
 * Read them now; what went wrong goes to the log, and what was there stays.
 * Blocks: pool threads only. fetch NULL: URLs cannot be read.
 */
void keyring_refresh(struct keyring *k, auth_fetch *fetch);
