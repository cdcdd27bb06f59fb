/* When to try again: exponential with full jitter. Pure. */
#pragma once

#include <stdint.h>

/*
 * Delay before the next attempt after `attempts` failed ones: uniform in
 * [0, min(cap, base * 2^(attempts-1))], where random is 64 uniform bits, not
 * below floor_ms (Retry-After), which counts up to one hour and gets up to a
 * tenth of itself on top so that all do not come back at once.
 */
uint64_t retry_delay_ms(uint64_t base_ms, uint64_t cap_ms, uint32_t attempts,
    uint64_t floor_ms, uint64_t random);
