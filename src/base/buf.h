/*
 * A byte queue with a mandatory maximum: bytes are appended at the end and
 * consumed at the start. Never holds more than max bytes, whatever a peer
 * sends; the memory for them may be half as much again. Not thread-safe; owned
 * by the object that embeds it.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buf {
	char *data;
	size_t start, end; /* live bytes are data[start, end) */
	size_t cap;        /* allocated */
	size_t max;        /* limit on live bytes */
	/* Set and reset by the user: memory is overwritten before it goes. */
	bool is_secret;
};

void buf_init(struct buf *b, size_t max);
/* Free the memory; the buffer is empty and usable again afterwards. */
void buf_finish(struct buf *b);
/*
 * Overwrite what was held before freeing it: for passwords and tokens. Reserve
 * their full size first: growing frees the smaller memory as it is.
 */
void buf_finish_secret(struct buf *b);
/*
 * Overwrite what was consumed and the room behind the live bytes, where older
 * ones may have been moved from. The live bytes stay where they are.
 */
void buf_cleanse_consumed(struct buf *b);
static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}
static inline struct span buf_span(const struct buf *b)
{
	return span_make(b->data ? b->data + b->start : "", buf_len(b));
}
/* Make room for n more bytes. 0, -ENOMEM, or -EMSGSIZE above max. */
int buf_reserve(struct buf *b, size_t n);
/* Where n reserved bytes may be written; then buf_commit(n). */
char *buf_tail(struct buf *b);
void buf_commit(struct buf *b, size_t n);
/* Append. 0, -ENOMEM, or -EMSGSIZE; on failure nothing was added. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_span(struct buf *b, struct span s);
int buf_add_str(struct buf *b, const char *cstr);
int buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Drop n bytes from the start; memory is kept for the next ones. */
void buf_consume(struct buf *b, size_t n);
/* Drop all bytes, keep the memory. */
void buf_clear(struct buf *b);
/* Give memory above keep bytes back when the buffer is empty. */
void buf_shrink(struct buf *b, size_t keep);
/* Give the memory behind the live bytes back. Not for secrets. */
void buf_fit(struct buf *b);
/*
 * NUL-terminate and hand the memory to the caller (free it); the buffer is
 * empty afterwards. NULL for memory.
 */
char *buf_take_cstr(struct buf *b);
