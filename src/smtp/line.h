/*
 * Command lines: only CRLF ends one, and no line grows past its limit. Holds
 * some flags and an offset; the bytes stay in the connection's buffer.
 */
#pragma once

#include <base/buf.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	SMTP_LINE_MAX = 4096,      /* with CRLF: every command but AUTH */
	SMTP_LINE_AUTH_MAX = 12288 /* RFC 4954 4: AUTH and its responses */
};

struct smtp_line_reader {
	bool takes_lf;      /* for old devices: a bare LF ends a line, too */
	size_t scanned;     /* bytes of the buffer known to hold no line end */
	bool is_discarding; /* inside a line that was too long */
	bool was_cr;        /* the last byte discarded was a CR */
};

enum smtp_line_result {
	SMTP_LINE_NONE = 0, /* more bytes are needed */
	SMTP_LINE_OK,
	SMTP_LINE_TOO_LONG /* it was dropped, up to its end */
};

/* Ready for a first line, strict; zeroed memory will do as well. */
void smtp_line_init(struct smtp_line_reader *r);
/*
 * Take one line off in. limit counts its end. *out_line is without it and
 * valid until in changes.
 */
enum smtp_line_result smtp_line_next(struct smtp_line_reader *r, struct buf *in,
    size_t limit, struct span *out_line);
