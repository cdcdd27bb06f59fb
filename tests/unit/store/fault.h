/*
 * File operations that fail when told to: a struct store_io around the
 * system's, and a SQLite VFS around the default one. Both count together, so
 * that a test can make each operation of a scenario fail in turn. A
 * recorder may listen to what changes files, for simulated power cuts.
 */
#pragma once

#include <store/store_internal.h>

enum fault_kind {
	FAULT_NONE = 0,
	FAULT_EIO,
	FAULT_ENOSPC,
	FAULT_SHORT /* of a write: half of it, without an error */
};

/* Counts from 1 again; nothing fails. */
void fault_reset(void);
/* Operation number `at` fails, and with is_lasting all after it. */
void fault_arm(unsigned at, enum fault_kind kind, bool is_lasting);
/* Operations since fault_reset. */
unsigned fault_count(void);
/* Only syncs fail, all of them, until the next reset. */
void fault_fail_syncs(void);
/* Likewise, but SQLite's succeed. */
void fault_fail_body_syncs(void);
/* Only reads fail, all of them but SQLite's, until the next reset. */
void fault_fail_reads(void);
/* Only the next write finds no space; SQLite's do not count. */
void fault_fail_next_write(void);

/* Every open fails, but SQLite's: the process has no descriptor left. */
void fault_fail_opens(void);
/*
 * The file system has this many bytes left: more cannot be claimed, and
 * SQLite cannot write when there are none. UINT64_MAX = as it is.
 */
void fault_set_free(uint64_t bytes);

/* With the VFS; registered by the first use. */
const struct store_io *fault_io(void);

/* Called for each change, in order, by any thread; NULL = nobody. */
struct fault_listener {
	void (*on_write)(
	    const char *path, uint64_t offset, const void *data, size_t len);
	void (*on_size)(const char *path, uint64_t size, bool is_growth);
	void (*on_sync)(const char *path); /* directories too */
	/* NULL or: what was written before is not on the disk, nor will be. */
	void (*on_failed_sync)(const char *path);
	void (*on_unlink)(const char *path);
};
void fault_listen(const struct fault_listener *listener);
