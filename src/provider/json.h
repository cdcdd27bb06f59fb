/* The inside of JSON strings, made piece by piece. Pure; any thread. */
#pragma once

#include <base/buf.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	JSON_UNIT_MAX = 6 /* bytes one character becomes: \u001f */
};

/*
 * Escape the first character of in, which must not be empty. Returns how many
 * bytes of in it was, and its escaped form and length in out; 0 when more
 * bytes are needed to tell, which does not happen when is_last. Bytes that
 * are not UTF-8 become U+FFFD.
 */
size_t json_escape_unit(
    struct span in, bool is_last, char out[JSON_UNIT_MAX], size_t *out_len);
/* How many bytes at the start of in stand for themselves. */
size_t json_plain_run(struct span in);
/* Append text escaped, without quotes. 0 or a negative errno. */
int json_escape(struct span text, struct buf *out);
