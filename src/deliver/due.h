/*
 * Messages that wait for their time: only an id and a due time each, some 64
 * bytes with all indexes, so that a backlog of millions stays in the store.
 * Each id is there at most once. Owned by deliver; worker's thread.
 */
#pragma once

#include <base/heap.h>
#include <base/id.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due_entry;

struct due {
	struct heap by_time;
	struct due_entry **buckets; /* by id */
	size_t bucket_count;        /* a power of two, or 0 */
	size_t count;
};

void due_init(struct due *d);
void due_finish(struct due *d);
/* Wait until at_ms (wall clock) instead of what was said before. 0, -ENOMEM. */
int due_put(struct due *d, struct id id, int64_t at_ms);
/* The earliest time; false when nothing waits. */
bool due_next(const struct due *d, int64_t *out_ms);
/* Take the earliest one out if its time has come. */
bool due_take(struct due *d, int64_t now_ms, struct id *out);
