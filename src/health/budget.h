/*
 * How many calls for messages that a provider had before: a share of the calls
 * for those that are new to it, over 60 s, and three per second in any case.
 * Retries then never add much to the load of a provider in trouble. Pure.
 */
#pragma once

#include <health/tally.h>

#include <stdbool.h>
#include <stdint.h>

struct budget {
	unsigned percent;
	struct tally calls; /* first, retry */
};

void budget_init(struct budget *b, unsigned percent);
/* Whether one more retry fits. False: *at_ms says when to ask again. */
bool budget_may_retry(struct budget *b, uint64_t now_ms, uint64_t *at_ms);
/* A call is made. */
void budget_note(struct budget *b, bool is_retry, uint64_t now_ms);
