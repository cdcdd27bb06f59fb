/*
 * Messages that wait for their time: only an id, a due time and a priority
 * each, some 100 bytes with all indexes, so that a backlog of millions stays in
 * the store. Times are by the clock of who asks: deliver uses the monotonic
 * one.
 *
 * Of those whose time has come the higher priority leaves first (RFC 6710).
 * Within a priority they leave in sweeps: what has become due since the last
 * one began, oldest message first. In a crowd neighbours of the store leave
 * together so, which share its pages, whatever the order of their times; and
 * whoever is due waits for one sweep at most. Without a crowd a sweep is one
 * message, and the order that of the times.
 *
 * Each id is there at most once. Owned by deliver; worker's thread.
 */
#pragma once

#include <base/heap.h>
#include <base/id.h>
#include <store/store.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due_entry;

enum {
	DUE_PRIORITY_MIN = STORE_EVENT_PRIORITY,
	DUE_PRIORITIES = ENVELOPE_PRIORITY_MAX - DUE_PRIORITY_MIN + 1
};

struct due_line {
	struct heap by_time;
	struct heap sweeps[2]; /* by age; what is due */
	unsigned sweep;        /* the one that leaves; the other gathers */
};

struct due {
	struct due_line lines[DUE_PRIORITIES]; /* the highest first */
	struct due_entry **buckets;            /* by id */
	size_t bucket_count, bucket_cap;
	size_t bucket_level; /* the power of two at or below bucket_count */
	size_t count;
};

void due_init(struct due *d);
void due_finish(struct due *d);
/*
 * Wait until at_ms instead of what was said before. An id keeps
 * the priority it has while it waits. 0 or -ENOMEM.
 */
int due_put(struct due *d, struct id id, int64_t at_ms, int priority);
bool due_has(const struct due *d, struct id id);
/*
 * The earliest time, and 0 when it was found to have come; false when nothing
 * waits.
 */
bool due_next(const struct due *d, int64_t *out_ms);
/* Take out what goes first of that whose time has come. */
bool due_take(struct due *d, int64_t now_ms, struct id *out, int *out_priority);
