/*
 * Content made fit for lines of 76 ASCII characters (RFC 2045 6.7 and 6.8),
 * piece by piece. Pure. Reading it is GMime's business (mail/mime_stream).
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TRANSFER_BASE64_IN = 57,      /* bytes of a line of base64 */
	TRANSFER_BASE64_OUT = 76 + 2, /* the line with its CRLF */
	TRANSFER_QUOTED_GROWTH = 6    /* times: what one byte may become */
};

/*
 * Append in as quoted-printable to out, which has room for six times as much.
 * CRLF is a line break; all else that is not plain text is escaped, also what
 * a careless reader could take for a boundary or an end. *column, 0 at first,
 * is where the line stands. The last byte is left alone when what follows it
 * matters, unless is_last. Returns how many of in were used; *out_len is added
 * to.
 */
size_t transfer_quoted(
    struct span in, bool is_last, size_t *column, char *out, size_t *out_len);
/*
 * Append in as lines of base64, each with CRLF; all but the last piece must be
 * a multiple of TRANSFER_BASE64_IN. Returns how many characters.
 */
size_t transfer_base64(struct span in, char *out);
/* Characters that so many bytes become. */
uint64_t transfer_base64_size(uint64_t size);
