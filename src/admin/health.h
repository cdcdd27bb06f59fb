/*
 * Is the server alive, ready, started? Probes read what a tick once a second
 * has gathered; they touch neither disk nor network. Main loop.
 */
#pragma once

#include <admin/admin.h>
#include <base/buf.h>

#include <stdint.h>

enum health_probe {
	HEALTH_LIVE = 1 << 0,
	HEALTH_READY = 1 << 1,
	HEALTH_STARTED = 1 << 2
};

enum {
	HEALTH_STUCK_MS = 10 * 1000, /* a loop without a turn */
	HEALTH_TICK_MS = 1000
};

struct health_loop {
	uint64_t turns, turned_at_ms; /* monotonic */
};

struct health {
	const struct admin_services *services;
	struct health_loop *loops; /* one per worker */
	int store_code;            /* of the last store_check */
	uint64_t store_bad_since_ms, now_ms;
	bool is_draining;
};

/* 0 or -ENOMEM. */
int health_init(struct health *h, const struct admin_services *services);
void health_finish(struct health *h);
/* Look at everything; every HEALTH_TICK_MS. */
void health_tick(struct health *h);
bool health_is(const struct health *h, enum health_probe probe);
/*
 * The answer to a probe: "ok", or what fails; with is_verbose every check in
 * the manner of Kubernetes' own components. Returns health_is.
 */
bool health_report(const struct health *h, enum health_probe probe,
    bool is_verbose, struct buf *out);
