/*
 * Prometheus text (0.0.4) and OpenMetrics (1.0.0): the two differ in the
 * name of a counter's family and in how they end. Pure; no locale.
 */
#pragma once

#include <base/buf.h>
#include <base/counters.h>

#include <stdbool.h>
#include <stdint.h>

enum exposition_type {
	EXPOSITION_COUNTER = 0, /* samples get the suffix _total */
	EXPOSITION_GAUGE,
	EXPOSITION_HISTOGRAM,
	EXPOSITION_SUMMARY
};

struct exposition {
	struct buf *out;
	bool is_openmetrics;
	const char *prefix, *name; /* of the open family */
	enum exposition_type type;
	int code; /* of the first append that failed, else 0 */
};

/* Name-value pairs, NULL-terminated, for the functions below. */
#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_LABELS ((const char *const[]){ NULL })

/* What to say in Content-Type. */
const char *exposition_content_type(bool is_openmetrics);
/* Does this Accept header (may be NULL) ask for OpenMetrics? */
bool exposition_wants_openmetrics(const char *accept);

/*
 * Open a family; its samples follow. name is without the prefix, which is
 * x->prefix, and without _total. name and help are static text.
 */
void exposition_family(struct exposition *x, const char *name,
    enum exposition_type type, const char *help);
void exposition_u64(
    struct exposition *x, const char *const *labels, uint64_t value);
/* UINT64_MAX stands for what has no limit: +Inf. */
void exposition_level(
    struct exposition *x, const char *const *labels, uint64_t value);
/* A value given in thousandths, as most of our seconds are. */
void exposition_milli(
    struct exposition *x, const char *const *labels, uint64_t value_milli);
/* Buckets, sum and count; labels without le. */
void exposition_histogram(struct exposition *x, const char *const *labels,
    const struct counter_histogram *h);
/* Sum (nanoseconds, shown as seconds) and count, without quantiles. */
void exposition_summary(struct exposition *x, const char *const *labels,
    uint64_t sum_ns, uint64_t count);
void exposition_end(struct exposition *x);
