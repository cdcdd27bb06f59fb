/*
 * Bounded pool for calls that block or burn: password hashes, name
 * resolution, large MIME trees. Not uv_queue_work, whose four threads are
 * shared by all.
 */
#pragma once

#include <loop/task.h>

#include <stddef.h>

struct blocking;
struct loop;

/*
 * A job, embedded in its owner. work runs on a pool thread; then done runs on
 * the loop named, which must outlive the job. No cancel: an owner that goes
 * away lets the job finish and drops the result in done. Without a loop work
 * is all there is, and may free the job.
 */
struct blocking_job {
	struct task task; /* the pool's */
	struct loop *loop;
	void (*work)(struct blocking_job *job);
	void (*done)(struct blocking_job *job);
};

/* threads >= 1; at most max_waiting jobs wait. NULL on failure. */
struct blocking *blocking_new(unsigned threads, size_t max_waiting);
/* Waits for the jobs under way and waiting. Accepts NULL. */
void blocking_free(struct blocking *b);
/*
 * Any thread. loop, work and done are set by the caller. Returns 0, or
 * -EBUSY when too many wait (the job was not taken).
 */
int blocking_submit(struct blocking *b, struct blocking_job *job);
size_t blocking_waiting(struct blocking *b);
