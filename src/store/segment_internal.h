/* What segment.c and segment_list.c share, and inspect.c knows of files. */
#pragma once

#include <store/flusher.h>
#include <store/segment.h>
#include <store/spool.h>

enum {
	SEGMENT_GATHER = 512,       /* pieces per write */
	SEGMENT_CHUNK = 256 * 1024, /* for bodies that are not at hand */
	SEGMENT_NAME_SIZE = sizeof("00000000.seg")
};

struct segment {
	uint32_t number;
	bool is_stuck;
	uint64_t capacity;
	uint64_t live_count, live_bytes;
	uint64_t end; /* at start: where its last live body ends */
	uint64_t emptied_turn;
};

struct segments {
	const struct store_io *io;
	int dir;
	const segment_turn *turn;

	struct segment *list; /* by number, ascending */
	size_t count, cap;
	uint32_t next_number;

	/*
	 * Files of the spool that are to be removed: at start all that no
	 * row tells of, sorted by number; then those whose row is gone.
	 */
	struct own_file {
		uint32_t number;
		uint64_t turn;
		bool is_live; /* at start: a row tells of it after all */
	} * own;
	size_t own_count, own_cap;
	uint32_t next_own;

	uint32_t active; /* 0 = none */
	int fd;
	uint64_t tail;    /* end of what was appended */
	uint64_t written; /* end of what was handed to the system */
	bool is_dirty, is_dir_dirty;
	struct flusher *flusher;
	bool is_flushing; /* segments_flush, until segments_flushed */
	int failure; /* of a write or sync of this batch: all of it is lost */

	struct iovec gather[SEGMENT_GATHER + 1]; /* + padding */
	int gathered;
	char *chunk;
};

void segment_format_name(uint32_t number, char out[SEGMENT_NAME_SIZE]);
/* Add every file of ours in the directory, with no live body so far. */
int segment_list_scan(struct segments *s);
/* NULL for memory. Pointers into the list end with the next add. */
struct segment *segment_list_add(
    struct segments *s, uint32_t number, uint64_t capacity);
/* An empty file of the usual size that may be overwritten, or NULL. */
struct segment *segment_list_spare(const struct segments *s);
/* A file of the spool is to be removed. 0 or -ENOMEM. */
int segment_list_drop(struct segments *s, uint32_t number);
/* One live body more. */
void segment_list_count(struct segments *s, const struct place *p);
