/* Histograms of the counter block; see counters.h for who may write. */
#include <base/counters.h>

const uint32_t counter_latency_ms[COUNTER_LATENCY_BUCKETS] = { 5, 10, 25, 50,
	75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000, 30000, 60000 };

void counter_observe_us(struct counter_histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < COUNTER_LATENCY_BUCKETS &&
	       us > (uint64_t)counter_latency_ms[i] * 1000)
		i++;
	counter_add(&h->buckets[i], 1);
	counter_add(&h->sum_us, us);
}
