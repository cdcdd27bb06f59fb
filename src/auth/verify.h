/*
 * Does this password fit this record? Answered from the cache at once, or by
 * a hash on the pool; equal questions share one hash. Private to auth.
 */
#pragma once

#include <base/list.h>
#include <base/span.h>
#include <loop/task.h>

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct verifier;
struct verify_job;
struct view;

enum {
	VERIFY_WAITING_MAX = 64, /* hashes waiting for the pool */
	VERIFY_PER_NAME_MAX = 8, /* different passwords for one name */
	VERIFY_ASKING = 8        /* threads that wait for somebody else */
};

enum verify_verdict {
	VERIFY_GOOD = 0,
	VERIFY_BAD,
	VERIFY_PENDING, /* the wait's task will be posted */
	VERIFY_BUSY,    /* too many are being hashed already */
	VERIFY_FAILED   /* no memory */
};

/* All is copied; of view a reference is kept. */
struct verify_question {
	struct span name;
	struct span record;
	struct span password;
	bool is_decoy; /* hash for the time it takes, never say GOOD */
	uint64_t ttl_ms;
	/*
	 * Instead of hashing: wait for somebody else, on a pool for that. A
	 * no is not remembered. NULL to hash.
	 */
	enum verify_verdict (*ask)(
	    const struct view *view, const struct verify_question *q);
	struct view *view; /* for ask; may be NULL */
};

/*
 * Somebody waiting, embedded in its owner; loop and task.run are the owner's
 * to set. verdict holds when the task runs, on that loop.
 */
struct verify_wait {
	struct task task;
	struct loop *loop;
	struct list link;       /* in the job's waits */
	struct verify_job *job; /* guarded by the verifier; NULL = not listed */
	enum verify_verdict verdict;
};

struct verifier *verifier_new(unsigned threads); /* NULL for memory */
/*
 * Waits for the pool, which posts to the loops of all waits there ever were:
 * they still run. Accepts NULL.
 */
void verifier_free(struct verifier *v);
/* Loop thread; never blocks for longer than a list walk. */
enum verify_verdict verify_begin(
    struct verifier *v, const struct verify_question *q, struct verify_wait *w);
/*
 * After PENDING: true when w will hear nothing any more; false when its task
 * has been posted already, so that its memory must stay until it ran.
 */
bool verify_cancel(struct verifier *v, struct verify_wait *w);
/* Hashes computed since the start; questions asked are not among them. */
uint64_t verify_hashes(const struct verifier *v);
