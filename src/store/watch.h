/*
 * What the writer looks after every 5 s: whether the files it writes to are
 * still those in the directory, and, after the disk was full, whether there
 * is room again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct disk;
struct err;

enum {
	WATCH_FILES = 5
};

struct watch {
	struct stat files[WATCH_FILES]; /* as they were at start */
	uint64_t next_ms;
	bool was_full; /* at the last look */
};

/* Remember what the files are; all are open. 0, or -errno with e filled. */
int watch_start(struct disk *d, struct err *e);
/*
 * Look when it is time to. A lost file is told to the log and ends all
 * writing (disk_is_failed). Writer thread only.
 */
void watch_look(struct disk *d);
