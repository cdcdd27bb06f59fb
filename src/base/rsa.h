/*
 * RSA signatures with SHA-256 (RS256: RSASSA-PKCS1-v1_5, RFC 8017 8.2), as
 * tokens carry them. Keys are PEM, without a password. Any thread.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RSA_BITS_MIN = 2048,
	RSA_SIGNATURE_MAX = 1024 /* bytes: of 8192 bits */
};

/*
 * The signature of data; out holds RSA_SIGNATURE_MAX bytes. 0, -EINVAL when
 * pem is no private RSA key of 2048 to 8192 bits, or -ENOMEM.
 */
int rsa_sign(struct span pem, struct span data, uint8_t *out, size_t *out_len);
/* Whether that private key made the signature. */
bool rsa_is_signed(struct span pem, struct span data, struct span signature);
