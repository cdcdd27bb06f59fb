/* Base64 (RFC 4648 section 4) and hexadecimal. */
#pragma once

#include <base/span.h>

#include <stddef.h>

/* Characters for n bytes, padded, without NUL. */
static inline size_t b64_encoded_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Writes b64_encoded_len(len) characters and no NUL; returns that count. */
size_t b64_encode(const void *data, size_t len, char *out);
/*
 * Strict: only the alphabet, length a multiple of 4, correct padding, zero
 * trailing bits. out holds at least text.len / 4 * 3 bytes. Returns the
 * decoded length or -EINVAL.
 */
ptrdiff_t b64_decode(struct span text, void *out);
/*
 * As strict, of base64url without padding (section 5). out holds at least
 * (text.len + 3) / 4 * 3 bytes.
 */
ptrdiff_t b64url_decode(struct span text, void *out);
/* Lower-case hexadecimal, NUL-terminated: out holds 2 * len + 1. */
void hex_encode(const void *data, size_t len, char *out);
