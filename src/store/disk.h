/*
 * The durable engine, taken together: directory, lock, the writer thread and
 * what it owns, the reader thread and what it owns, and the figures both
 * keep. Only disk.c, inspect.c, writer.c, cleaner.c, watch.c and reader.c look
 * inside.
 */
#pragma once

#include <store/holders.h>
#include <store/inspect.h>
#include <store/queue.h>
#include <store/reads.h>
#include <store/rows.h>
#include <store/search.h>
#include <store/segment.h>
#include <store/spool.h>
#include <store/store_internal.h>
#include <store/watch.h>

#include <stdatomic.h>

struct writer;

enum {
	DISK_BATCH_MAX = 1024 /* requests committed together */
};

struct disk {
	struct store store;
	struct store_settings settings; /* path is ours */
	char *path;
	const struct store_io *io;
	int dir, bodies, lock; /* open for as long as the store is */
	struct inspect inspect;

	/* The writer thread's. */
	struct writer *writer;
	struct rows *rows;
	struct segments *segments;
	bool has_reserve;
	struct watch watch;

	/* Under reads_lock. */
	struct reads *reads;
	pthread_mutex_t reads_lock;
	segment_turn turn;

	struct store_queue writes, loads;
	struct search *search;
	struct spool *spool;
	pthread_t writer_thread, reader_thread;

	/* Figures: any thread. */
	_Atomic uint64_t messages, bytes, commits, committed, sync_ns;
	_Atomic uint64_t dead, dead_bytes;
	_Atomic uint64_t errors, pending_bytes;
	_Atomic uint64_t free_bytes, total_bytes, free_inodes, total_inodes;
	/* Monotonic, when the batch at work began; 0 = none. */
	_Atomic uint64_t batch_began_ns;
	struct holders *holders;
	atomic_bool is_failed; /* for good: nothing more is written */
	atomic_bool is_full;   /* the last attempt found no space */
	atomic_bool is_closing;
};

/*
 * An operation failed with rc. -EIO ends all writing until the store is
 * opened again, -ENOSPC is remembered for store_check until there is room
 * again (watch.h).
 */
void disk_note_error(struct disk *d, const char *operation, int rc);
static inline bool disk_is_failed(struct disk *d)
{
	return atomic_load(&d->is_failed);
}
/* Room for accepts, as far as known. */
static inline bool disk_has_room(struct disk *d)
{
	return atomic_load(&d->free_bytes) >=
	       atomic_load(&d->store.min_free_bytes);
}

/* Look how much space there is. Any thread; the reader does it every 5 s. */
void disk_refresh_free(struct disk *d);

/* 1 MiB to give back when a full disk would keep updates from being stored. */
int disk_make_reserve(struct disk *d);
void disk_drop_reserve(struct disk *d);

/*
 * An accept whose body was made durable beforehand (rc 0) goes to the writer,
 * any other is answered.
 */
void disk_pass_accept(struct disk *d, struct store_accept *r, int rc);

/* NULL for memory. */
struct writer *writer_new(struct disk *d);
void writer_free(struct writer *w); /* accepts NULL */
/* The thread: runs until d->writes is stopped and empty. */
void *writer_run(void *writer);

/* The thread: runs until d->loads is stopped and empty. */
void *reader_run(void *disk);
