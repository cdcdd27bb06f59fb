/*
 * The leaves of a message whose encoding may be changed: found by GMime, also
 * within attached messages, and given out in the order they lie in.
 */
#pragma once

#include <mail/message.h>
#include <mail/mime_stream.h>

#include <stdbool.h>
#include <stdint.h>

enum mime_leaf_encoding {
	MIME_LEAF_PLAIN = 0, /* its bytes are what they are */
	MIME_LEAF_QUOTED,
	MIME_LEAF_BASE64,
	MIME_LEAF_OTHER /* uuencode */
};

struct mime_leaf {
	/* Its header begins here, and goes to where place begins. */
	uint64_t header;
	struct mime_place place;
	enum mime_leaf_encoding encoding; /* as GMime reads the header */
	bool is_text;                     /* text/... */
	bool is_whole; /* of a message: the header is that, too */
};

/*
 * Call found for each, until it gives a negative errno. Not among them is what
 * somebody has signed (multipart/signed, and all of a message with a
 * DKIM-Signature or ARC-Message-Signature), the part that says how the other is
 * encrypted (RFC 1847), a part whose header does not begin right behind its
 * boundary, so that readers may find another one, and message/..., which is
 * never encoded (RFC 2046 5.2): message/rfc822 and its like are gone into
 * instead. 0, what found gave, -E2BIG for more than a
 * parser should be made to build, or another negative errno. Any thread.
 */
int mime_leaves_each(const struct message *m,
    int (*found)(void *ctx, const struct mime_leaf *leaf), void *ctx);
