/*
 * At most so many events per key and stretch of time, for keys without end:
 * a table of fixed size where keys that share a place share its count, so a
 * crowd is held back rather too early than too late.
 *
 * Shared mutable state: one mutex, held for some arithmetic. Any thread.
 */
#pragma once

#include <base/span.h>
#include <postern/field.h>

#include <stdbool.h>
#include <stdint.h>

struct throttle;

struct throttle *throttle_new(void);    /* NULL for memory */
void throttle_free(struct throttle *t); /* accepts NULL */
/*
 * One more event of key at now_ms (monotonic): counted, or false when that
 * would be more than rate allows (count 0 = no limit).
 */
bool throttle_take(struct throttle *t, struct span key,
    const struct postern_rate *rate, uint64_t now_ms);
