/*
 * Temporary keys the SES fake takes, beside the one that is always good: what
 * STS, an agent or an instance would have handed out. Bounded: the oldest
 * goes for the newest. The sandbox's loop.
 */
#pragma once

#include <jansson.h>

#include <stddef.h>
#include <stdint.h>

enum {
	KEYRING_KEYS = 16,
	KEYRING_TEXT_SIZE = 129,
	KEYRING_TOKEN_SIZE = 2049
};

struct keyring_key {
	char key_id[KEYRING_TEXT_SIZE], secret[KEYRING_TEXT_SIZE];
	char token[KEYRING_TOKEN_SIZE];
	int64_t expires_ms; /* wall clock */
};

struct keyring {
	struct keyring_key keys[KEYRING_KEYS];
	size_t count; /* ever added; the next goes to count % KEYRING_KEYS */
};

/*
 * Add {"key_id", "secret", "token", "expires_in_ms"}, or replace the one of
 * that id. NULL, or what is wrong with it (static text).
 */
const char *keyring_add(struct keyring *k, const json_t *spec, int64_t now_ms);
void keyring_clear(struct keyring *k);
/* The i-th of those there are, newest first; NULL behind the last. */
const struct keyring_key *keyring_at(const struct keyring *k, size_t i);
