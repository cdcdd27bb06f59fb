/*
 * Digests and random bytes; with rsa.c, net/tls*.c, auth/password.c and
 * auth/jwk.c the only place that knows OpenSSL. CRC32C guards stored bodies.
 * Any thread. Where a function cannot report a failure, one (no memory, a
 * broken installation) aborts: nothing unsigned or unguarded may leave instead.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HASH_SHA256_SIZE = 32
};

struct hash_sha256; /* incremental; one thread at a time */

struct hash_sha256 *hash_sha256_new(void); /* NULL for memory */
void hash_sha256_add(struct hash_sha256 *h, const void *data, size_t len);
/* Writes the digest and frees h. */
void hash_sha256_end(struct hash_sha256 *h, uint8_t out[HASH_SHA256_SIZE]);

void hash_sha256(struct span data, uint8_t out[HASH_SHA256_SIZE]);
void hash_hmac_sha256(
    struct span key, struct span data, uint8_t out[HASH_SHA256_SIZE]);
struct hash_hmac; /* incremental HMAC-SHA256; one thread at a time */

struct hash_hmac *hash_hmac_new(struct span key); /* NULL for memory */
void hash_hmac_add(struct hash_hmac *h, const void *data, size_t len);
/* Writes the code and frees h. */
void hash_hmac_end(struct hash_hmac *h, uint8_t out[HASH_SHA256_SIZE]);
/* Continue a CRC32C (Castagnoli); start with crc = 0. */
uint32_t hash_crc32c(uint32_t crc, const void *data, size_t len);
/* Of a followed by b, which is len_b bytes, from the CRC of each. */
uint32_t hash_crc32c_join(uint32_t a, uint32_t b, uint64_t len_b);
/* Cryptographically strong; aborts when the system has none to give. */
void hash_random(void *out, size_t len);
/* Compare secrets without leaking where they differ. */
bool hash_eq(const void *a, const void *b, size_t len);
/* Overwrite a secret so that the compiler cannot drop it. */
void hash_cleanse(void *data, size_t len);
