/*
 * Bodies: appended to segment files of 64 MB, overwritten when nothing in
 * them is wanted any more. Which bytes are wanted the database says; a
 * segment file has no structure of its own, so nothing is scanned at start
 * and an orphaned tail vanishes when it is overwritten.
 *
 * A batch starts and ends on a page of its own: no write touches a page that
 * holds acknowledged bytes, and none has to read one first. A body above
 * 8 MB has a file of exactly its size, which is removed afterwards.
 * Bodies that came in files of their own (spool.h) are only counted in and
 * removed here.
 *
 * Writer thread only, but for segment_read.
 */
#pragma once

#include <store/place.h>
#include <store/store_internal.h>

#include <stdatomic.h>

enum {
	SEGMENT_SIZE = 64 * 1024 * 1024,
	SEGMENT_LARGE = 8 * 1024 * 1024, /* above: a file of its own */
	SEGMENT_PAGE = 4096,
	SEGMENT_SPARE = 16 /* empty ones kept to be overwritten */
};

struct segments;

/*
 * The one reader takes an odd turn while it looks up and reads a body. What
 * was emptied during a turn is not overwritten before that turn is over.
 */
typedef _Atomic uint64_t segment_turn;

/* dir: open directory of the files, stays the caller's. -errno, e filled. */
int segments_open(const struct store_io *io, int dir, const segment_turn *turn,
    struct segments **out, struct err *e);
void segments_close(struct segments *s); /* accepts NULL */
/* At start: the database knows of so many more live bodies in a segment, the
 * last of which ends at end. 0 or -ENOMEM. */
int segments_adopt(struct segments *s, uint32_t number, uint64_t count,
    uint64_t bytes, uint64_t end);
/* At start, after the last adopt: go on in the emptiest one. */
int segments_resume(struct segments *s);

/*
 * Add a message to the batch. Its bytes must stay until segments_sync. 0, and
 * the place counts as live; or a negative errno. Others of the batch are not
 * touched by that, or segments_sync will fail too.
 */
int segments_append(
    struct segments *s, const struct message *m, struct place *out);
/*
 * Like segments_append, for the cleaner: io_place->size bytes, written at
 * once; the new segment and offset are filled in.
 */
int segments_append_bytes(
    struct segments *s, const void *data, struct place *io_place);
/*
 * Write what was gathered and make the batch durable. -ENOSPC: the batch is
 * lost, segments_abandon and go on. Anything else: give up.
 */
int segments_sync(struct segments *s);
/*
 * The same, but the batch may not be durable before segments_flushed, which
 * follows with nothing in between that concerns segments but releases.
 */
int segments_flush(struct segments *s);
/* 0, or a failure as of segments_sync, never -ENOSPC. */
int segments_flushed(struct segments *s);
/* After a failure: forget what was gathered, go on in another segment. */
void segments_abandon(struct segments *s);
/* A body is not wanted any more, by a committed transaction. */
void segments_release(struct segments *s, const struct place *p);
/* A body in a file of its own belongs to the batch. */
void segments_keep(struct segments *s);
/* At start, before segments_resume: a number above those of such files. */
uint32_t segments_next_own(const struct segments *s);
/* Remove files that are empty, but for so many to be overwritten. */
void segments_reap(struct segments *s, size_t spare);

/*
 * Is there a place for a body of size bytes (at most SEGMENT_LARGE) without
 * a new file? And see to it that there is one: 0 or a negative errno.
 */
bool segments_has_room(const struct segments *s, uint64_t size);
int segments_make_room(struct segments *s, uint64_t size);
/* The file that is being filled is not under its name any more. */
bool segments_is_lost(const struct segments *s);

/* All files; segments with live bodies; how many bytes lie in all of them. */
size_t segments_count(const struct segments *s);
size_t segments_in_use(const struct segments *s);
uint64_t segments_live_bytes(const struct segments *s);
/* At most half live, not being filled, and it may be emptied by moving. */
bool segments_is_movable(const struct segments *s, uint32_t number);
/* The movable one with the fewest live bytes; 0 = none. */
uint32_t segments_emptiest(const struct segments *s);
/* Not movable: something in it cannot be read. */
void segments_set_stuck(struct segments *s, uint32_t number);

/* Any thread: read a whole body. -EBADMSG when it is damaged or missing. */
int segment_read(const struct store_io *io, int dir, const struct place *p,
    void *header, void *body);
