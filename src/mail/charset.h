/*
 * Text in any charset made UTF-8. What cannot be read becomes U+FFFD and NUL
 * is dropped, so the result is always valid. Pure; any thread.
 */
#pragma once

#include <base/buf.h>
#include <base/span.h>

/*
 * Append text, converted. An empty, unknown or US-ASCII charset is taken as
 * what such text usually is: UTF-8 when it is well-formed, else
 * Windows-1252. 0 or a negative errno.
 */
int charset_to_utf8(struct span text, struct span charset, struct buf *out);
/* Append text that should be UTF-8 already. 0 or a negative errno. */
int charset_clean_utf8(struct span text, struct buf *out);
