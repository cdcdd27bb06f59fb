/*
 * The bytes of a message as GMime wants them, and those of its parts decoded:
 * read where they lie, in pieces, never as a whole. Private to mail/mime.
 */
#pragma once

#include <mail/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct _GMimeObject;
struct _GMimeStream;

enum {
	MIME_WINDOW = 4096, /* decoded at a time */
	MIME_KEPT = 8       /* decoded before that, to go back a little */
};

/* Where the encoded bytes of a part are in the message. */
struct mime_place {
	uint64_t offset, length;
	int encoding; /* GMime's number */
};

/* Where the bytes of a leaf lie; of length 0 when it has none. */
struct mime_place mime_place_of(struct _GMimeObject *leaf);

/* Once, in mime_library_init. */
void mime_stream_library_init(void);
/* The whole message, seekable. m is borrowed until the stream is gone. */
struct _GMimeStream *mime_stream_new(const struct message *m);
/* What went wrong when it was read: 0 or a negative errno. */
int mime_stream_error(const struct _GMimeStream *stream);

/*
 * Reads decoded bytes. Zeroed but for message: ready. One thread at a time.
 */
struct mime_reader {
	const struct message *message;
	struct _GMimeStream *decoder; /* of the part at hand, or NULL */
	uint64_t place;               /* where that part begins */
	uint64_t start;               /* of the window in the decoded part */
	size_t filled;
	char window[MIME_KEPT + MIME_WINDOW];
};

void mime_reader_finish(struct mime_reader *r);
/*
 * Copy len decoded bytes of the part at offset, all of which exist. Reading on
 * is cheap; going back by more than MIME_KEPT starts over. 0 or a negative
 * errno.
 */
int mime_reader_read(struct mime_reader *r, const struct mime_place *place,
    uint64_t offset, void *out, size_t len);
/*
 * How many decoded bytes there are; reads them. 0 or a negative errno:
 * -EBADMSG when too much in a row stands for nothing to be read on a loop.
 */
int mime_reader_measure(
    struct mime_reader *r, const struct mime_place *place, uint64_t *size);
