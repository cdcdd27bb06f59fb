/*
 * Who was put off at one gate. They wait for the same opening and shall not
 * all come back with it: of a backlog most would be read from the store only
 * to be put off again, before mail for others that is due as well. So one
 * comes back every each_ms, in the order in which they were put off, and
 * nobody later than cap_ms after the opening.
 *
 * What a crowd spreads over follows from those who were put off here and have
 * not come back yet, not from all that waits: at a gate that is shut for a
 * moment one message waits for a moment, however many wait for another one.
 * Pure; owned by deliver, one per provider.
 */
#pragma once

#include <stdint.h>

struct crowd {
	uint64_t spread_ms; /* the last one's distance from the opening */
	uint64_t since_ms;  /* up to then what it spreads over has passed */
};

/* Monotonic time. */
struct crowd_gate {
	uint64_t opens_ms;        /* perhaps */
	uint64_t each_ms;         /* at least 1 */
	uint64_t base_ms, cap_ms; /* of queue.retry */
};

/*
 * One more is put off: how long after the opening it comes back, within
 * base_ms of its place, as several workers have crowds at the same gate.
 * random: 64 uniform bits.
 */
uint64_t crowd_join(struct crowd *c, const struct crowd_gate *g,
    uint64_t now_ms, uint64_t random);
