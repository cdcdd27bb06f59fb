/*
 * A message taken apart for providers that want fields instead of MIME: the
 * only file that knows GMime. Bounded against hostile structure. Runs off
 * the loop for large messages: any thread, one at a time per view.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>
#include <mail/message.h>

#include <stddef.h>

struct mime_view;

struct mime_address {
	struct span name, address;
};

struct mime_part {
	struct span type, filename, content_id;
	bool is_inline;
	struct span bytes; /* decoded */
};

struct mime_addresses {
	const struct mime_address *items;
	size_t count;
};

/* All spans live as long as the view. Text is valid UTF-8 without NUL. */
struct mime_fields {
	struct mime_addresses from, to, cc, reply_to, sender;
	struct span subject, text, html;
	const struct mime_part *parts;
	size_t part_count;
};

/* Process-wide, once in main before threads. */
void mime_library_init(void);

/*
 * Append the text of an unstructured header value: unfolded, encoded words
 * (RFC 2047) decoded, UTF-8 without control characters. 0 or a negative
 * errno. The caller bounds value.
 */
int mime_decode_text(struct span value, struct buf *out);

/* NULL with e filled: too deep, too many parts, or memory. */
struct mime_view *mime_view_new(const struct message *m, struct err *e);
void mime_view_free(struct mime_view *v);
const struct mime_fields *mime_view_fields(const struct mime_view *v);
