/* Reply lines for the client. Pure. */
#pragma once

#include <base/span.h>

#include <stddef.h>

enum {
	SMTP_REPLY_MAX = 512 /* RFC 5321 4.5.3.1.5, with CRLF */
};

struct smtp_reply {
	unsigned code;        /* 200..599 */
	const char *enhanced; /* "5.5.1", or NULL where none belongs */
	const char *text;     /* one line; anything, it is made printable */
	const char *ref;      /* session or queue id: what to quote; or NULL */
};

/*
 * One line with CRLF, never longer than SMTP_REPLY_MAX: text is cut to fit.
 * A reference is shown in failures (4xx, 5xx) only. Returns its length.
 */
size_t smtp_reply_format(const struct smtp_reply *r, char out[SMTP_REPLY_MAX]);
