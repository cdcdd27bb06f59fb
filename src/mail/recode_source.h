/*
 * The bytes of a message that was re-encoded: stretches of the original,
 * lines of text between them, and leaves encoded while they are read. Private
 * to mail/recode.
 */
#pragma once

#include <mail/message.h>
#include <mail/mime_stream.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum recode_kind {
	RECODE_RAW = 0, /* of the original: place, as it is */
	RECODE_TEXT,
	RECODE_QUOTED, /* the leaf at place */
	RECODE_BASE64
};

struct recode_piece {
	enum recode_kind kind;
	uint64_t start, size;    /* in the result */
	struct mime_place place; /* in the original */
	uint64_t decoded;        /* bytes of a leaf */
	const char *text;        /* static */
};

enum {
	RECODE_IN = 32 * 57, /* bytes of a leaf that are encoded at a time */
	RECODE_KEPT = 8      /* of what they became, to go back a little */
};

/* Where the encoding of a leaf stands. */
struct recode_cursor {
	const struct recode_piece *piece; /* or NULL */
	uint64_t used;                    /* of its decoded bytes */
	size_t column;
	uint64_t start; /* of the window in the encoded piece */
	size_t filled;
	char window[RECODE_KEPT + 6 * RECODE_IN];
};

struct recode_source {
	struct message_source source; /* its body, when it is one */
	struct message *original;
	struct recode_piece *pieces;
	size_t count, cap;
	uint64_t size;   /* of all pieces */
	uint64_t header; /* how many of them the header has */
	pthread_mutex_t lock;
	/* Under it. */
	struct mime_reader reader;
	struct recode_cursor cursor;
};

/* Empty, with a reference to m. NULL for memory. */
struct recode_source *recode_source_new(struct message *m);
void recode_source_free(struct recode_source *s); /* accepts NULL */
/* Append, unless it is empty. 0 or a negative errno. */
int recode_source_add_raw(
    struct recode_source *s, uint64_t offset, uint64_t length);
int recode_source_add_text(struct recode_source *s, const char *text);
/* kind is QUOTED or BASE64; decoded as mime_reader_measure says it, size as
 * recode_source_measure or transfer_base64_size. */
int recode_source_add_leaf(struct recode_source *s, enum recode_kind kind,
    const struct mime_place *place, uint64_t decoded, uint64_t size);
/*
 * How many bytes a leaf has as quoted-printable, which takes reading it; more
 * than most when it is more. 0 or a negative errno.
 */
int recode_source_measure(struct recode_source *s,
    const struct mime_place *place, uint64_t decoded, uint64_t most,
    uint64_t *size);
/* As message_read, of all pieces. Any thread. */
ssize_t recode_source_read(
    struct recode_source *s, uint64_t offset, void *out, size_t len);
/*
 * Make it the body of a message with that header, which is gone then. NULL for
 * memory; s is still the caller's then.
 */
struct message *recode_source_give(struct recode_source *s, struct buf *header);
