/*
 * Header fields of a message: found, checked, fixed as RFC 6409 section 8
 * allows a submission server to. Pure functions.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>
#include <mail/envelope.h>
#include <mail/message.h>

#include <stdbool.h>

/*
 * Cut the next field off *rest. True and *out filled; false at the empty
 * line or the end. A line without a colon, or with something else than a
 * field name before it, gives an empty name.
 */
bool header_next(struct span *rest, struct message_field *out);
/* First field of that name; false when absent. */
bool header_find(
    struct span block, struct span name, struct message_field *out);
/* Unfold: CRLF and the white space after it become one space. Appends. */
int header_unfold(struct span value, struct buf *out);
/*
 * Length of the header block with its empty line, or 0 when there is none:
 * then the whole of raw is header.
 */
size_t header_length(struct span raw);

/* 0 = no limit. */
struct header_limits {
	size_t bytes, fields, field_bytes, hops;
};

/* Which Received fields of others do not go on. */
enum header_strip {
	HEADER_STRIP_NONE = 0,
	HEADER_STRIP_INTERNAL, /* those that name private networks */
	HEADER_STRIP_ALL
};

/* What the submission fixes need to know. */
struct header_stamp {
	const char *hostname;
	const char *queue_id;
	int64_t now_ms;          /* wall clock */
	const char *protocol;    /* "ESMTPSA" */
	const char *tls_version; /* NULL without TLS */
	const char *tls_cipher;
	bool hide_client; /* leave client, TLS and user out */
	bool add_sender;  /* where From does not name the envelope's sender */
	enum header_strip strip;
	const struct envelope *envelope;
};

enum header_verdict {
	HEADER_OK = 0,
	HEADER_BAD, /* 554 5.6.0 */
	HEADER_LOOP /* 554 5.4.6 */
};

enum {
	HEADER_OWN_HOPS_MAX = 1 /* a second time here is once too often */
};

/*
 * Write the header as it will be stored into out: a Received field first,
 * Date and Message-ID when missing or broken, without Bcc, Resent-Bcc,
 * Return-Path, Content-Length and Authentication-Results; ends with the empty
 * line, which block may lack. Of a message with a DKIM
 * signature, Date and Message-ID stay as they are: a signature may cover them.
 *
 * On a verdict other than OK why says what the client should change and out is
 * of no use. -ENOMEM is reported as HEADER_BAD with why->code set; else
 * why->code is -EINVAL. With OK, a text in why is a note for the log.
 */
enum header_verdict header_rewrite(struct span block,
    const struct header_limits *limits, const struct header_stamp *stamp,
    struct buf *out, struct err *why);
