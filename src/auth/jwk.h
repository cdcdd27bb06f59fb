/*
 * An issuer's public keys (JWK set, RFC 7517) and what they verify (RFC 7518,
 * RFC 8037). Immutable; any thread. Private to auth.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stddef.h>

struct jwk_set;

enum {
	JWK_SET_BYTES_MAX = 256 * 1024,
	JWK_KEYS_MAX = 100
};

/*
 * Keys that verify nothing for us (other types, for encryption, without a
 * kid, RSA below 2048 bits) are left out; one must be left. NULL with e set.
 */
struct jwk_set *jwk_set_parse(struct span json, struct err *e);
struct jwk_set *jwk_set_ref(struct jwk_set *set);
void jwk_set_unref(struct jwk_set *set); /* accepts NULL */
size_t jwk_set_count(const struct jwk_set *set);

/* Whether a signature of that name is one we verify at all. */
bool jwk_is_algorithm(struct span name);
/*
 * Whether the key called kid, with an algorithm that is the key's own, made
 * this signature of text.
 */
bool jwk_verify(const struct jwk_set *set, struct span kid,
    struct span algorithm, struct span text, struct span signature);
