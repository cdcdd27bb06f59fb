/*
 * Events of two kinds over the last while, counted in slots that are forgotten
 * one after the other. Pure: the time is an argument, in ms, and never runs
 * back by more than a slot or two.
 */
#pragma once

#include <stdint.h>

enum {
	TALLY_SLOTS = 60,
	TALLY_KINDS = 2
};

struct tally {
	uint64_t slot_ms, slot; /* how long one is; the number of the newest */
	uint64_t sums[TALLY_KINDS];
	uint32_t counts[TALLY_SLOTS][TALLY_KINDS];
};

/* Over the last length_ms, which is at least TALLY_SLOTS. Forgets all. */
void tally_init(struct tally *t, uint64_t length_ms);
void tally_add(struct tally *t, unsigned kind, uint64_t now_ms);
uint64_t tally_sum(struct tally *t, unsigned kind, uint64_t now_ms);
/* Of the last `slots` slots, the one that now is in included. */
uint64_t tally_recent(
    struct tally *t, unsigned kind, unsigned slots, uint64_t now_ms);
