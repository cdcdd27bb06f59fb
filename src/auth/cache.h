/*
 * Remembered verdicts on credentials, so that the second login costs
 * microseconds and not a hash. Private to auth. Any thread.
 */
#pragma once

#include <base/hash.h>
#include <base/span.h>

#include <stdint.h>

enum cache_verdict {
	CACHE_MISS = 0,
	CACHE_GOOD,
	CACHE_BAD
};

/* Stands for (name, record, password); tells nothing without the key. */
struct cache_tag {
	uint8_t bytes[HASH_SHA256_SIZE];
};

struct cache;

struct cache *cache_new(void); /* NULL for memory */
void cache_free(struct cache *c);
/*
 * The record is part of it: after a change of password old verdicts no longer
 * fit. The three together hold at most CACHE_INPUT_MAX bytes.
 */
enum {
	CACHE_INPUT_MAX = 2048
};
struct cache_tag cache_tag(const struct cache *c, struct span name,
    struct span record, struct span password);
enum cache_verdict cache_find(struct cache *c, const struct cache_tag *tag);
/*
 * Remember for ttl_ms, which nothing prolongs; 0 is not at all. A bad verdict
 * never displaces a good one: guessing must not slow down who knows.
 */
void cache_put(struct cache *c, const struct cache_tag *tag,
    enum cache_verdict verdict, uint64_t ttl_ms);
