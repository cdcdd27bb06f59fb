/*
 * Time, injectable for tests. Durations and deadlines of timers are on the
 * monotonic clock; what is stored or shown is wall time.
 */
#pragma once

#include <stdint.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */

/* Tests only: replace both clocks; NULL restores the real ones. */
void clock_override(uint64_t (*mono_ns)(void), int64_t (*wall_ms)(void));
