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

/* A body that lies elsewhere. Its owner embeds this. Any thread. */
struct message_source {
	const struct message_source_ops *ops;
	uint64_t size;
	uint32_t crc; /* CRC32C */
};
struct message_source_ops {
	/* As message_read, of the body alone. */
	ssize_t (*read)(
	    struct message_source *s, uint64_t offset, void *out, size_t len);
	/* The message is gone. */
	void (*release)(struct message_source *s);
};

/* Like message_new with the body of s, which does not change any more. */
struct message *message_new_from(struct buf *header, struct message_source *s);
/* NULL when the body is in memory. */
struct message_source *message_source(const struct message *m);

struct message *message_ref(struct message *m);
void message_unref(struct message *m); /* accepts NULL */

uint64_t message_size(const struct message *m);
/* The header block with its final empty line. */
struct span message_header(const struct message *m);
/* The memory it takes, without what lies elsewhere. */
uint64_t message_held(const struct message *m);
/*
 * Copy up to len bytes from offset. Number of bytes, 0 at the end, or a
 * negative errno.
 */
ssize_t message_read(
    const struct message *m, uint64_t offset, void *out, size_t len);
/* Copy len bytes from offset, all of which exist. 0 or a negative errno. */
int message_read_all(
    const struct message *m, uint64_t offset, void *out, size_t len);
/* The whole body when it is in memory; else ptr is NULL. */
struct span message_body(const struct message *m);
/*
 * What it holds that a provider may not be able to carry: bits of
 * POSTERN_CARRIES_*. Set by who makes the message, before others see it.
 */
void message_set_traits(struct message *m, unsigned traits);
unsigned message_traits(const struct message *m);
/* CRC32C over the whole message; computed once. */
uint32_t message_crc(const struct message *m);

/*
 * Bytes of content in memory in this process: what messages hold, and what
 * receivers say they hold of those to come. Any thread.
 */
uint64_t message_memory(void);
void message_memory_change(uint64_t from, uint64_t to);
