/*
 * A look at SQLite's write-ahead log before SQLite sees it. SQLite takes the
 * log up to the first frame whose checksum is wrong and says nothing: right
 * for a write that was torn, wrong for a log that was damaged.
 */
#pragma once

#include <store/store_internal.h>

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
