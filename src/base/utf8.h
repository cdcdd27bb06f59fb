/* UTF-8, one character at a time (RFC 3629). Pure; any thread. */
#pragma once

#include <base/span.h>

#include <stddef.h>
#include <stdint.h>

/*
 * Decode the first character of s. Returns how many bytes it takes, or 0 when
 * s is empty or does not start with a well-formed character: overlong forms,
 * surrogates and values above U+10FFFF are not. *out_char is set only on
 * success.
 */
size_t utf8_decode(struct span s, uint32_t *out_char);
