/* See totals.h. Reads are relaxed: a sum may be a few events apart. */
#include <admin/totals.h>

#include <string.h>

enum {
	WORDS = sizeof(struct counters) / sizeof(counter_value)
};

_Static_assert(sizeof(struct counters) % sizeof(counter_value) == 0,
    "struct counters holds nothing but counters");

static void latest(
    struct counter_provider *out, const struct counter_provider *in)
{
	uint64_t success = counter_get(&in->last_success_ms);
	uint64_t error = counter_get(&in->last_error_ms);

	if (success > counter_get(&out->last_success_ms))
		counter_set(&out->last_success_ms, success);
	if (error > counter_get(&out->last_error_ms)) {
		counter_set(&out->last_error_ms, error);
		counter_set(
		    &out->last_error_class, counter_get(&in->last_error_class));
	}
}

static void latest_of_all(const struct admin_services *s, struct counters *out)
{
	for (size_t p = 0; p < COUNTER_PROVIDERS_MAX; p++) {
		counter_set(&out->providers[p].last_success_ms, 0);
		counter_set(&out->providers[p].last_error_ms, 0);
		counter_set(&out->providers[p].last_error_class, 0);
		for (size_t w = 0; w < s->worker_count; w++)
			latest(
			    &out->providers[p], &s->counters[w]->providers[p]);
	}
}

void totals_read(const struct admin_services *s, struct counters *out)
{
	counter_value *sum = (counter_value *)out;

	memset(out, 0, sizeof(*out));
	for (size_t w = 0; w < s->worker_count; w++) {
		const counter_value *in = (const counter_value *)s->counters[w];

		for (size_t i = 0; i < WORDS; i++)
			counter_add(&sum[i], counter_get(&in[i]));
	}
	latest_of_all(s, out);
}

uint64_t totals_count(const struct counter_histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= COUNTER_LATENCY_BUCKETS; i++)
		n += counter_get(&h->buckets[i]);
	return n;
}

double totals_quantile_ms(const struct counter_histogram *h, double fraction)
{
	double rank = fraction * (double)totals_count(h);
	double below = 0;

	if (rank <= 0)
		return 0;
	for (size_t i = 0; i < COUNTER_LATENCY_BUCKETS; i++) {
		double in = (double)counter_get(&h->buckets[i]);
		double low = i ? counter_latency_ms[i - 1] : 0;
		double high = counter_latency_ms[i];

		if (in > 0 && below + in >= rank)
			return low + (high - low) * (rank - below) / in;
		below += in;
	}
	return counter_latency_ms[COUNTER_LATENCY_BUCKETS - 1];
}
