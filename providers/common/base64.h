/* Base64 (RFC 4648): what the core, which writes it, does not do. Pure. */
#pragma once

#include <postern/provider.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Strict: the alphabet, whole groups of four with their padding, no bits left
 * over. False for anything else, and for more than max bytes.
 */
bool base64_decode(
    struct postern_str text, uint8_t *out, size_t max, size_t *out_len);
/* base64url without padding (section 5), NUL-terminated; NULL for memory. */
const char *base64_url(const struct postern_host *host,
    struct postern_request *r, struct postern_str data);
