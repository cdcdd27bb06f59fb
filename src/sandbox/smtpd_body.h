/*
 * The message as it comes after DATA: finds CRLF.CRLF and takes the dots off
 * (RFC 5321 4.5.2). The cut between two feeds may be anywhere. Shares no code
 * with the server's own (smtp/data.h), so that each checks the other. Pure.
 */
#pragma once

#include <base/buf.h>
#include <base/span.h>

#include <stdbool.h>

enum smtpd_body_state {
	SMTPD_BODY_START = 0, /* of a line */
	SMTPD_BODY_DOT,       /* one dot there */
	SMTPD_BODY_DOT_CR,
	SMTPD_BODY_TEXT, /* inside a line */
	SMTPD_BODY_DONE
};

/* Zeroed: ready for the first byte. */
struct smtpd_body {
	enum smtpd_body_state state;
	char last;         /* byte of a line that goes on */
	bool is_too_large; /* or there is no memory: the rest was dropped */
};

/* Bytes taken: all, unless state became DONE. */
size_t smtpd_body_feed(struct smtpd_body *b, struct span in, struct buf *out);
/* Whether there is a CR without an LF, or an LF without a CR. */
bool smtpd_body_has_bare_ends(struct span text);
