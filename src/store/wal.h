/*
 * A look at SQLite's write-ahead log before SQLite sees it. SQLite takes the
 * log up to the first frame whose checksum is wrong and says nothing: right
 * for a write that was torn, wrong for a log that was damaged.
 */
#pragma once

#include <store/store_internal.h>

/* A page as the log has it. */
struct wal_frame {
	uint32_t page;   /* its number, from 1 */
	uint32_t pages;  /* of the database, where a transaction ends; else 0 */
	uint64_t offset; /* of its bytes in the log */
	bool is_of_this_log; /* not left over */
	bool is_whole; /* as far as the sums of it and the one before say */
	bool is_unreadable; /* the disk does not give it back, or part of it */
};

enum wal_state {
	WAL_EMPTY = 0, /* not one frame: a store in use has written one */
	WAL_WHOLE,
	WAL_TORN,   /* what a power cut may leave: the last one is in part */
	WAL_DAMAGED /* transactions that were synced cannot be read */
};

/*
 * All frames in order, also behind one that is damaged or that the disk does
 * not give back (which reads as zeros), until each says false. 0; 1: the header
 * is damaged, nothing can be said of what follows; or a negative errno.
 * page_size is set when there is a header.
 */
int wal_walk(const struct store_io *io, int fd, size_t *page_size,
    bool (*each)(const struct wal_frame *frame, void *ctx), void *ctx);
/* What it is; or a negative errno. */
int wal_look(const struct store_io *io, int fd);
/*
 * Write what it reads as once more, at the same place, and sync it. After a
 * failed sync the system has pages in memory that it will not write again:
 * SQLite would append behind a hole in the file. 0 or a negative errno.
 */
int wal_rewrite(const struct store_io *io, int fd);
