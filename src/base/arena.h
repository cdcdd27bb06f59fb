/*
 * Memory with one release: everything a transaction or a request needs is
 * taken from its arena and goes with it. Owned by one object; not thread-safe.
 */
#pragma once

#include <base/span.h>

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used;                /* bytes handed out in all */
	size_t max;                 /* limit on used */
};

void arena_init(struct arena *a, size_t max);
void arena_finish(struct arena *a);
/* Overwrite what it held first: for keys and tokens. */
void arena_finish_secret(struct arena *a);
/* Aligned for any type, zeroed. NULL for memory or above max. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
/* NUL-terminated copy. */
char *arena_str(struct arena *a, struct span s);
struct span arena_span(struct arena *a, struct span s);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
