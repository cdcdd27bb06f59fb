/*
 * A message taken apart for providers that want fields instead of MIME.
 * Bounded against hostile structure. Text is kept, of parts only where they
 * lie in the message: neither the message nor a part is ever in memory as a
 * whole because of it. Taken apart off the loop when the message is large; any
 * thread, one at a time per view.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>
#include <mail/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mime_view;

enum {
	/*
	 * Of all texts, and of all HTML, as they lie in the message; what goes
	 * beyond is a file.
	 */
	MIME_TEXT_MAX = 4 * 1024 * 1024
};

struct mime_address {
	struct span name, address;
};

enum mime_kind {
	MIME_FILE = 0,
	MIME_CALENDAR,   /* an invitation: text/calendar as POSTERN_CARRIES_ */
	MIME_ALTERNATIVE /* another form of the text, such as AMP */
};

struct mime_part {
	struct span type, filename, content_id;
	struct span disposition; /* lower case, "" when not said */
	struct span charset;     /* of text, as it is said, or "" */
	struct span method;      /* of a calendar, as it is said, or "" */
	enum mime_kind kind;
	bool is_inline;
	uint64_t size; /* decoded */
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

/*
 * NULL with e filled: too deep, too many parts, memory, or m cannot be read.
 * m is borrowed until the view is gone.
 */
struct mime_view *mime_view_new(const struct message *m, struct err *e);
void mime_view_free(struct mime_view *v);
const struct mime_fields *mime_view_fields(const struct mime_view *v);
/*
 * Copy len decoded bytes of part i at offset, all of which exist. Cheap when
 * read in order; going back starts over. 0 or a negative errno.
 */
int mime_view_read(
    struct mime_view *v, size_t i, uint64_t offset, void *out, size_t len);
/* Bytes of memory it takes. */
uint64_t mime_view_held(const struct mime_view *v);
