/* Reading base64 (RFC 4648 section 4); the core writes it. Pure. */
#pragma once

#include <postern/field.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Strict: the alphabet, whole groups of four with their padding, no bits left
 * over. False for anything else, and for more than max bytes.
 */
bool base64_decode(
    struct postern_str text, uint8_t *out, size_t max, size_t *out_len);
