/*
 * The bytes of one message: an owned header block and a body that may be
 * large. Immutable once made, counted references, readable from any thread.
 * Lines end in CRLF; there is no bare CR, bare LF or NUL in it.
 *
 * Only message_read knows where a body lies, so that it can move from memory
 * to a file without anyone above noticing.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>

#include <stdint.h>
#include <sys/types.h>

struct message;

struct message_field {
	struct span name;  /* without the colon */
	struct span value; /* raw, folds included, without the final CRLF */
	struct span whole; /* name to final CRLF */
};

/*
 * Take header (ends with the empty line) and the bytes of body from offset
 * on. Takes the memory of both buffers on success and leaves them empty.
 * NULL for memory, or -EINVAL cases are the caller's duty: header must end
 * in CRLFCRLF.
 */
struct message *message_new(
    struct buf *header, struct buf *body, size_t body_offset);
struct message *message_ref(struct message *m);
void message_unref(struct message *m); /* accepts NULL */

uint64_t message_size(const struct message *m);
/* The header block with its final empty line. */
struct span message_header(const struct message *m);
/*
 * Copy up to len bytes from offset. Number of bytes, 0 at the end, or a
 * negative errno.
 */
ssize_t message_read(
    const struct message *m, uint64_t offset, void *out, size_t len);
/*
 * The whole body as one run of bytes when it is at hand, for parsers; ptr
 * NULL when it must be read piecewise.
 */
struct span message_body(const struct message *m);
/* CRC32C over the whole message; computed once. */
uint32_t message_crc(const struct message *m);
