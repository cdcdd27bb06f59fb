/*
 * Content being received, as it will be stored: in memory while it is small,
 * beyond that in a file of the store, with its header block still in memory.
 * Loop thread only; nothing here waits.
 *
 *   out = smtp_body_out(b), add to *out, smtp_body_settle(b), and again;
 *   stop while smtp_body_must_wait(b), until on_room runs.
 */
#pragma once

#include <base/buf.h>

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct message;
struct store;
struct store_body;

enum {
	/* What may be in memory: with what is read at a time, 256 KiB. */
	SMTP_BODY_MEMORY = 192 * 1024,
	SMTP_BODY_WRITE = 64 * 1024 /* handed to the store at a time */
};

struct smtp_body_settings {
	struct store *store;
	struct loop *loop;
	uint64_t max;        /* bytes of the whole */
	uint64_t header_max; /* nobody wants a message with more of it */
	bool is_volatile;    /* as for store_body_new */
	bool has_files;      /* else none beyond memory is taken: -ENOSPC */
	bool is_pressed;     /* there is too much in memory: none beyond that */
	/*
	 * A write is over: after smtp_body_must_wait it may go on, after
	 * smtp_body_end all is written or has failed.
	 */
	void (*on_room)(void *ctx);
	void *ctx;
};

struct smtp_body {
	struct smtp_body_settings settings;
	struct buf head; /* all of it; with a file: the header block */
	struct buf tail; /* with a file: what comes next */
	struct store_body *file;
	uint64_t in_file; /* bytes handed to it */
	size_t limit;     /* of head, before a file is thought of */
	uint64_t counted; /* in message_memory */
	bool is_writing, is_ended;
	bool is_over; /* the header is beyond its limit: no more is kept */
	int rc;       /* of the first write that failed */
};

/* Zeroed memory is an empty body of nothing: safe to finish. */
void smtp_body_init(struct smtp_body *b, const struct smtp_body_settings *s);
void smtp_body_finish(struct smtp_body *b);

/* Where the next bytes go; its maximum is what the whole may still take. */
struct buf *smtp_body_out(struct smtp_body *b);
/*
 * Bytes were added. False when no more are to be kept: a write failed (rc
 * says how) or the header has no end.
 */
bool smtp_body_settle(struct smtp_body *b);
bool smtp_body_must_wait(const struct smtp_body *b);
/* There is too much in memory by now: what is there leaves it if it can. */
void smtp_body_spill(struct smtp_body *b);
/* No more comes. True when it is all where it belongs, else on_room follows. */
bool smtp_body_end(struct smtp_body *b);

/* No more is wanted of a disk that does not answer: as if a write had failed
 * with rc; on_room will not run. */
void smtp_body_fail(struct smtp_body *b, int rc);

/*
 * The header block, or what stands where it should. With its final empty
 * line, if there is one.
 */
struct span smtp_body_header(const struct smtp_body *b);
/*
 * The message, with header instead of what smtp_body_header gave. Takes both
 * over. NULL for memory.
 */
struct message *smtp_body_message(struct smtp_body *b, struct buf *header);
