/* An identity provider for tests: keys of every kind, JWKs of them, tokens. */
#pragma once

#include <base/span.h>

enum issuer_key {
	ISSUER_RSA = 0,
	ISSUER_P256,
	ISSUER_P384,
	ISSUER_ED25519,
	ISSUER_SMALL, /* RSA, 1024 bits */
	ISSUER_KEYS
};

enum {
	ISSUER_TEXT_SIZE = 16384
};

/* For tcase_add_unchecked_fixture: making keys takes a while. */
void issuer_open(void);
void issuer_close(void);

/* The key's JWK: kid "rsa", "p256", ... unless another one is given; more is
 * added to its members, as ",\"use\":\"sig\"". */
const char *issuer_jwk(
    enum issuer_key key, const char *kid, const char *more, char *out);
/* A set of the first four, with their own kids. */
const char *issuer_jwks(char *out);
/* A JSON object of JWK texts. */
const char *issuer_set(const char *keys, char *out);

/* header "." claims "." signature; the texts are JSON. */
const char *issuer_sign(enum issuer_key key, const char *algorithm,
    const char *header, const char *claims, char *out);
/* The same with the header {"alg":algorithm,"kid":the key's own}. */
const char *issuer_token(
    enum issuer_key key, const char *algorithm, const char *claims, char *out);
/* header "." claims "." and these bytes. */
const char *issuer_raw(
    const char *header, const char *claims, struct span signature, char *out);
