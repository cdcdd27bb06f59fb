/* See health.h. A check is a row; a probe is all the rows that carry it. */
#include <admin/health.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <base/clock.h>
#include <config/config.h>
#include <loop/loop.h>
#include <policy/pressure.h>
#include <store/store.h>

struct health_check {
	const char *name;
	unsigned probes;
	/* True when fine; else says why. */
	bool (*is_fine)(const struct health *h, struct err *why);
};

static bool has_started(const struct health *h, struct err *why)
{
	for (size_t i = 0; i < h->services->worker_count; i++) {
		if (h->loops[i].turns == 0) {
			(void)err_set(
			    why, -EAGAIN, "worker %zu has not started", i);
			return false;
		}
	}
	return true;
}

static bool loops_turn(const struct health *h, struct err *why)
{
	for (size_t i = 0; i < h->services->worker_count; i++) {
		uint64_t still = h->now_ms - h->loops[i].turned_at_ms;

		if (still >= HEALTH_STUCK_MS) {
			(void)err_set(why, -ETIMEDOUT,
			    "worker %zu is stuck for %" PRIu64 " s", i,
			    still / 1000);
			return false;
		}
	}
	return true;
}

static bool store_takes(const struct health *h, struct err *why)
{
	if (h->store_code == 0)
		return true;
	(void)err_errno(why, h->store_code, "the store takes no messages");
	return false;
}

/* Full is a matter for readiness; only a broken store needs a restart. */
static bool store_lives(const struct health *h, struct err *why)
{
	uint64_t bad_for = h->now_ms - h->store_bad_since_ms;

	if (h->store_code == 0 || h->store_code == -ENOSPC ||
	    bad_for < h->services->config->spool.fail_after_ms)
		return true;
	(void)err_errno(why, h->store_code,
	    "the store is broken for %" PRIu64 " s", bad_for / 1000);
	return false;
}

static bool has_space(const struct health *h, struct err *why)
{
	const struct pressure *p = h->services->pressure;

	if (!p || !pressure_asks(p, PRESSURE_NOT_READY))
		return true;
	(void)err_set(why, -ENOSPC,
	    pressure_holds(p, PRESSURE_SPACE)
		? "less than spool.min_free is free"
		: "fewer inodes than spool.min_free are free");
	return false;
}

static bool is_open(const struct health *h, struct err *why)
{
	if (!h->is_draining)
		return true;
	(void)err_set(why, -ESHUTDOWN, "the server is shutting down");
	return false;
}

static const struct health_check checks[] = {
	{ "started", HEALTH_STARTED | HEALTH_READY, has_started },
	{ "loops", HEALTH_LIVE, loops_turn },
	{ "spool", HEALTH_READY, store_takes },
	{ "spool_space", HEALTH_READY, has_space },
	{ "spool-alive", HEALTH_LIVE, store_lives },
	{ "draining", HEALTH_READY, is_open },
};

enum {
	CHECKS = sizeof(checks) / sizeof(checks[0])
};

int health_init(struct health *h, const struct admin_services *services)
{
	*h = (struct health){ .services = services };
	h->loops = calloc(services->worker_count + 1, sizeof(*h->loops));
	if (!h->loops)
		return -ENOMEM;
	h->now_ms = clock_mono_ms();
	for (size_t i = 0; i < services->worker_count; i++)
		h->loops[i].turned_at_ms = h->now_ms;
	return 0;
}

void health_finish(struct health *h)
{
	free(h->loops);
	h->loops = NULL;
}

static void look_at_store(struct health *h)
{
	int was = h->store_code;

	h->store_code =
	    h->services->store ? store_check(h->services->store) : 0;
	if (h->store_code != was)
		h->store_bad_since_ms = h->now_ms;
}

void health_tick(struct health *h)
{
	h->now_ms = clock_mono_ms();
	for (size_t i = 0; i < h->services->worker_count; i++) {
		uint64_t turns = loop_turns(h->services->loops[i]);

		if (turns == h->loops[i].turns)
			continue;
		h->loops[i].turns = turns;
		h->loops[i].turned_at_ms = h->now_ms;
	}
	look_at_store(h);
}

bool health_is(const struct health *h, enum health_probe probe)
{
	for (size_t i = 0; i < CHECKS; i++) {
		if (checks[i].probes & (unsigned)probe &&
		    !checks[i].is_fine(h, NULL))
			return false;
	}
	return true;
}

bool health_report(const struct health *h, enum health_probe probe,
    bool is_verbose, struct buf *out)
{
	bool is_fine = true;

	for (size_t i = 0; i < CHECKS; i++) {
		struct err why = { 0 };

		if (!(checks[i].probes & (unsigned)probe))
			continue;
		if (!checks[i].is_fine(h, &why)) {
			is_fine = false;
			(void)buf_printf(out, "[-]%s failed: %s\n",
			    checks[i].name, why.text);
		} else if (is_verbose) {
			(void)buf_printf(out, "[+]%s ok\n", checks[i].name);
		}
	}
	if (is_fine || is_verbose)
		(void)buf_add_str(out, is_fine ? "ok\n" : "failed\n");
	return is_fine;
}
