/* The counters of all workers as one block, and what a histogram says. */
#pragma once

#include <admin/admin.h>
#include <base/counters.h>

/*
 * Sum over the workers into out; times of last events are the latest, with
 * the error class that belongs to it.
 */
void totals_read(const struct admin_services *s, struct counters *out);
/* Events in a histogram. */
uint64_t totals_count(const struct counter_histogram *h);
/*
 * Milliseconds below which the given fraction of events lies, straight line
 * inside a bucket; the last bound when it lies beyond, 0 without events.
 */
double totals_quantile_ms(const struct counter_histogram *h, double fraction);
