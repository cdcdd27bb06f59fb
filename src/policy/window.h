/*
 * How many events the last so-and-so-many ms had, in three numbers: those of
 * the present stretch of time, and the share of the one before that is not
 * over yet. Pure.
 */
#pragma once

#include <stdint.h>

/* Zeroed: no events. */
struct window {
	uint64_t stretch; /* which one: time divided by its length */
	uint64_t count, before;
};

/* length_ms > 0; now_ms must not run backwards. */
static inline void window_roll(
    struct window *w, uint64_t length_ms, uint64_t now_ms)
{
	uint64_t stretch = now_ms / length_ms;

	if (stretch == w->stretch)
		return;
	w->before = stretch == w->stretch + 1 ? w->count : 0;
	w->count = 0;
	w->stretch = stretch;
}

static inline void window_add(
    struct window *w, uint64_t length_ms, uint64_t now_ms)
{
	window_roll(w, length_ms, now_ms);
	w->count++;
}

static inline uint64_t window_count(
    struct window *w, uint64_t length_ms, uint64_t now_ms)
{
	uint64_t left = length_ms - now_ms % length_ms;

	window_roll(w, length_ms, now_ms);
	return w->count +
	       (uint64_t)((double)w->before * (double)left / (double)length_ms);
}
