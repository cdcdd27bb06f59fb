/*
 * What the files of this folder share: the table of an engine, the plumbing
 * of requests, and the table of file operations that tests replace to make
 * each of them fail once.
 */
#pragma once

#include <store/store.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

enum store_op {
	STORE_OP_ACCEPT = 1,
	STORE_OP_UPDATE,
	STORE_OP_CHARGE,
	STORE_OP_LOAD,
	STORE_OP_FIND,
	STORE_OP_SEARCH
};

/* One engine. No member may be NULL; each is what its store_* promises. */
struct store_ops {
	int (*accept)(struct store *s, struct store_accept *r);
	int (*update)(struct store *s, struct store_update *r);
	int (*charge)(struct store *s, struct store_charge *r);
	int (*load)(struct store *s, struct store_load *r);
	int (*find)(struct store *s, struct store_find *r);
	int (*search)(struct store *s, struct store_search *r);
	struct store_walk *(*walk_begin)(struct store *s, struct err *e);
	int (*walk)(struct store_walk *w,
	    int (*each)(const struct store_pending *p, void *ctx), void *ctx);
	void (*walk_end)(struct store_walk *w);
	int (*each_quota)(struct store *s,
	    void (*each)(
		struct span user, int64_t day, uint64_t messages, void *ctx),
	    void *ctx);
	int (*each_spent)(struct store *s, int64_t from_day,
	    void (*each)(struct span provider, int64_t day, uint64_t recipients,
		void *ctx),
	    void *ctx);
	struct store_body *(*body)(
	    struct store *s, struct loop *l, bool is_volatile);
	void (*stats)(struct store *s, struct store_stats *out);
	void (*held)(struct store *s, struct span user, struct store_held *out);
	int (*check)(struct store *s);
	void (*close)(struct store *s);
};

/* First member of every engine's own struct. */
struct store {
	const struct store_ops *ops;
	/* Of the settings, until others are set: any thread. */
	_Atomic uint64_t history_ms, min_free_bytes;
	_Atomic uint64_t dead_ms, dead_bytes;
};

/* First member of every engine's own struct. */
struct store_walk {
	struct store *store;
};

/*
 * File operations of segments, reserve and lock. All return a count, a
 * descriptor or 0, or a negative errno; EINTR is handled inside. Names are
 * relative to an open directory.
 */
struct store_io {
	int (*mkdir)(const char *path);
	int (*open)(int dir, const char *name, int flags);
	int (*close)(int fd);
	int (*lock)(int fd); /* exclusive, not waiting */
	int (*fallocate)(int fd, uint64_t size);
	ssize_t (*pread)(int fd, void *out, size_t len, uint64_t offset);
	ssize_t (*pwritev)(
	    int fd, const struct iovec *iov, int count, uint64_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd); /* directories */
	int (*unlink)(int dir, const char *name);
	int (*rename)(int dir, const char *from, const char *to);
	/* Of dir itself when the name is empty. */
	int (*stat)(int dir, const char *name, struct stat *out);
	int (*space)(int dir, struct store_space *out);
	/* The file system's magic number, as of statfs(2). */
	int (*kind)(int dir, uint32_t *out);
	const char *vfs; /* SQLite's own file operations; NULL = its default */
};

extern const struct store_io store_io_system;
/* What a failed operation means: -ENOSPC, -ENOMEM (also too many files), or
 * -EIO for everything else. */
int store_io_errno(int rc);
/*
 * True when the name does not lead to the file any more that `was` tells of:
 * it was removed, or another one is in its place.
 */
bool store_io_is_lost(const struct store_io *io, int dir, const char *name,
    const struct stat *was);
/* Write everything, also after short writes; changes iov. 0 or -errno. */
int store_io_write(const struct store_io *io, int fd, struct iovec *iov,
    int count, uint64_t offset);
/* Read exactly len bytes; -EBADMSG when the file ends before. */
int store_io_read(
    const struct store_io *io, int fd, void *out, size_t len, uint64_t offset);

struct store *disk_open(const struct store_settings *settings,
    const struct store_io *io, struct err *e);
struct store *memory_open(const struct store_settings *settings, struct err *e);

/*
 * Send a chain of requests (linked by next) home with their results, one
 * task per loop. They must not be touched afterwards.
 */
void store_answer(struct store_request *chain);

/* A recipient in this state is not tried any more. */
static inline bool store_state_is_final(enum store_state state)
{
	return state == STORE_SENT || state == STORE_FAILED ||
	       state == STORE_DROPPED || state == STORE_BOUNCED;
}

/* Nor does anybody have to hear of it. */
static inline bool store_recipient_is_final(const struct store_recipient *r)
{
	return store_state_is_final(r->state) && !r->owes_event;
}

/* Whose it is while it waits: an event is nobody's. */
static inline struct span store_entry_holder(const struct store_entry *e)
{
	return e->is_event ? SPAN("") : e->user;
}

/* A row of the ledger that its provider will want money for. */
static inline bool store_attempt_is_spent(const struct store_attempt *a)
{
	return !a->is_operator &&
	       (a->result == POSTERN_ACCEPTED || a->result == POSTERN_UNKNOWN);
}

/* Somebody still has to work on it, so its body is kept. */
bool store_entry_is_open(const struct store_entry *e);
enum {
	STORE_ROW_COST = 256 /* bytes a recipient or an attempt takes */
};

/* Memory an accept costs while it waits: body and rows, roughly. */
uint64_t store_entry_cost(const struct store_entry *e);
