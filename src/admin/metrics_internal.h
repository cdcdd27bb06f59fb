/* Between the files that render metrics. */
#pragma once

#include <admin/admin_internal.h>
#include <admin/exposition.h>
#include <base/counters.h>

struct config;

struct metrics {
	struct exposition x;
	const struct admin *a;
	const struct config *config;
	const struct counters *c; /* the sum over workers */
};

/* A family of one sample. */
void metrics_counter(struct metrics *r, const char *name, const char *help,
    const counter_value *value);
void metrics_gauge(
    struct metrics *r, const char *name, const char *help, uint64_t value);

/* --- metrics_smtp.c: the side of the clients --- */

void metrics_smtp(struct metrics *r);

/* --- metrics_tls.c --- */

void metrics_tls(struct metrics *r);
