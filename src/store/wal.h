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
};

/*
 * All frames in order, also behind one that is damaged, until each says false.
 * 0; 1: the header is damaged, nothing can be said of what follows; or a
 * negative errno. page_size is set when there are frames.
 */
int wal_walk(const struct store_io *io, int fd, size_t *page_size,
    bool (*each)(const struct wal_frame *frame, void *ctx), void *ctx);
/*
 * 1: acknowledged transactions cannot be read, because the header or a frame
 * before them is damaged; 0: no sign of that; or a negative errno.
 */
int wal_is_damaged(const struct store_io *io, int fd);
/*
 * Write what it reads as once more, at the same place, and sync it. After a
 * failed sync the system has pages in memory that it will not write again:
 * SQLite would append behind a hole in the file. 0 or a negative errno.
 */
int wal_rewrite(const struct store_io *io, int fd);
