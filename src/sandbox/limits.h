/*
 * A provider's limit of calls per time, in periods that begin at whole
 * multiples of their length. The loop's thread.
 */
#pragma once

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: there is none. */
struct limit {
	uint64_t calls, per_s;
	uint64_t used, reset_s; /* in the present period; its end, 1970 */
};

/*
 * Take over {"provider", "calls", "per_s"}. Index of the provider in
 * fakes, or -1 with *out_wrong saying what is wrong with it.
 */
int limit_read(const json_t *spec, struct limit *out, const char **out_wrong);
/* Count a call. False: it is one too many. */
bool limit_take(struct limit *l, uint64_t now_s);
/* Calls that are left. */
uint64_t limit_left(const struct limit *l);
