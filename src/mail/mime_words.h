/*
 * Encoded words (RFC 2047) as GMime 3.2 reads them right. Of adjacent words in
 * base64 and one charset it puts the base64 together before it decodes, and
 * stops at the padding of the first: what follows would be lost.
 */
#pragma once

#include <base/buf.h>
#include <base/span.h>

struct _GMimeObject;

/*
 * Append a header value with each such run as one word, of any length: what is
 * split within a character is whole again. Pure. 1; 0 when there is no run, so
 * that value will do; or a negative errno.
 */
int mime_words_join(struct span value, struct buf *out);
/*
 * The same for all fields of an entity just parsed, so that names in its
 * addresses and parameters are right as well. 0 or a negative errno. In
 * mime_library.c.
 */
int mime_words_mend(struct _GMimeObject *entity);
