/* Messages per second over the last 1, 5 and 15 minutes. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	RATES_STEP_MS = 10 * 1000,
	RATES_STEPS = 90 /* 15 minutes */
};

enum rates_kind {
	RATES_ACCEPTED = 0,
	RATES_SENT,
	RATES_FAILED,
	RATES_KINDS
};

struct rates {
	uint64_t samples[RATES_STEPS + 1][RATES_KINDS]; /* ring of totals */
	size_t next, count;
};

/* Every RATES_STEP_MS: the totals as they stand. */
void rates_add(struct rates *r, const uint64_t totals[RATES_KINDS]);
/* Per second over the last `minutes`, or over as much as there is. */
double rates_per_second(
    const struct rates *r, enum rates_kind kind, unsigned minutes);
