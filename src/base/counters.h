/*
 * Numbers for /metrics and /api/v1/stats. Each worker has its own block,
 * written only by its thread (relaxed atomics), summed by the reader.
 */
#pragma once

#include <base/counter_labels.h>
#include <postern/outcome.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COUNTER_PROVIDERS_MAX = 64,
	COUNTER_LISTENERS_MAX = 16,
	COUNTER_CLASSES = POSTERN_UNKNOWN + 1,
	COUNTER_LATENCY_BUCKETS = 16
};

typedef _Atomic uint64_t counter_value;

/* Upper bounds in ms of delivery latency; the last bucket is +Inf. */
extern const uint32_t counter_latency_ms[COUNTER_LATENCY_BUCKETS];

struct counter_histogram {
	counter_value buckets[COUNTER_LATENCY_BUCKETS + 1]; /* not cumulative */
	counter_value sum_us;
};

struct counter_provider {
	counter_value attempts[COUNTER_CLASSES];     /* by result */
	counter_value grants_fetched, grants_failed; /* see deliver/grants.h */
	counter_value inflight;
	counter_value last_success_ms; /* wall clock */
	counter_value last_error_ms;
	counter_value last_error_class;
	struct counter_histogram latency;
};

struct counter_listener {
	counter_value connections, active;
	counter_value refused[COUNTER_REFUSALS]; /* connections */
	counter_value ended[COUNTER_ENDS];       /* sessions */
	counter_value tls_sessions[COUNTER_TLS_VERSIONS];
	counter_value messages, bytes, recipients;
	counter_value rejected; /* transactions without an accepted message */
	counter_value proxy_errors[COUNTER_PROXY_ERRORS];
};

struct counters {
	struct counter_listener listeners[COUNTER_LISTENERS_MAX];
	struct counter_provider providers[COUNTER_PROVIDERS_MAX];
	/* Batches that left one provider for another: from, to. */
	counter_value failovers[COUNTER_PROVIDERS_MAX][COUNTER_PROVIDERS_MAX];
	counter_value commands;
	counter_value replies[COUNTER_VERBS][COUNTER_REPLY_CLASSES];
	counter_value violations[COUNTER_VIOLATIONS];
	counter_value tls_failures[COUNTER_TLS_FAILURES];
	counter_value logins[COUNTER_MECHANISMS][COUNTER_LOGINS];
	counter_value rejects[COUNTER_STAGES][COUNTER_REJECTS];
	counter_value rate_refused, quota_refused;
	counter_value accepted; /* messages answered 250 */
	counter_value sent_recipients, failed_recipients, deferred;
	counter_value scheduled; /* messages waiting for their due time */
	counter_value inflight;  /* messages being delivered */
	counter_value unknown;   /* attempts whose outcome is not known */
	counter_value duplicates[COUNTER_DUPLICATES];
	counter_value dsn_sent[COUNTER_REPORTS];
	counter_value double_bounces; /* reports that failed */
	counter_value webhook_events[COUNTER_EVENTS][COUNTER_EVENT_RESULTS];
	struct counter_histogram accept_latency; /* end of data to reply */
};

static inline void counter_add(counter_value *c, uint64_t n)
{
	atomic_store_explicit(c,
	    atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

static inline void counter_sub(counter_value *c, uint64_t n)
{
	counter_add(c, (uint64_t)0 - n);
}

static inline void counter_set(counter_value *c, uint64_t v)
{
	atomic_store_explicit(c, v, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter_value *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* The sum of an array of counters. */
static inline uint64_t counter_sum(const counter_value *c, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += counter_get(&c[i]);
	return sum;
}

void counter_observe_us(struct counter_histogram *h, uint64_t us);
