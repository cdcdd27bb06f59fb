/*
 * Hash map from byte strings to pointers, each with a random seed of its
 * own, so that a peer cannot choose colliding keys. Keys are copied, values are
 * borrowed. Not thread-safe; safe to read from several threads while nobody
 * writes.
 */
#pragma once

#include <base/span.h>

struct map;

struct map *map_new(void); /* NULL for memory */
void map_free(struct map *m);
/* Returns 0, -EEXIST (the old value stays) or -ENOMEM. */
int map_put(struct map *m, struct span key, void *value);
/* NULL when absent. */
void *map_get(const struct map *m, struct span key);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, struct span key);
size_t map_count(const struct map *m);
/* Calls fn for every entry in no particular order; fn must not change m. */
void map_each(const struct map *m,
    void (*fn)(struct span key, void *value, void *ctx), void *ctx);
