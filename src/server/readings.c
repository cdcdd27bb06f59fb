/* See readings.h. */
#include <server/readings.h>

#include <base/jumps.h>
#include <base/list.h>
#include <config/config.h>
#include <loop/loop.h>
#include <policy/pressure.h>
#include <server/footprint.h>
#include <smtp/session.h>
#include <store/store.h>

#include <stdlib.h>

enum {
	PERIOD_MS = 1000
};

struct readings {
	struct loop *loop;
	struct config *config;
	struct store *store;
	struct pressure *pressure;
	struct loop_timer timer;
	struct footprint footprint;
};

static void look_at_memory(struct readings *r)
{
	uint64_t used = footprint_used(&r->footprint, r->config->memory.limit);

	(void)pressure_note(r->pressure, PRESSURE_MEMORY, used);
	(void)pressure_note(r->pressure, PRESSURE_MEMORY_HARD, used);
}

/* A disk may grow, so levels are as new as what they are compared with. */
static void look(struct readings *r)
{
	struct pressure_capacity have;
	struct store_stats stats;

	jumps_look();
	store_stats(r->store, &stats);
	have = (struct pressure_capacity){ .space = stats.space.total_bytes,
		.inodes = stats.space.total_inodes,
		.memory =
		    footprint_limit(&r->footprint, r->config->memory.limit) };
	pressure_configure(r->pressure, r->config, &have);
	(void)pressure_note(
	    r->pressure, PRESSURE_SPACE, stats.space.free_bytes);
	(void)pressure_note(
	    r->pressure, PRESSURE_INODES, stats.space.free_inodes);
	smtp_note_store(r->pressure, r->store);
	look_at_memory(r);
	store_set_limits(
	    r->store, r->config->queue.history_ms, pressure_floor(r->pressure));
	store_set_dead(
	    r->store, r->config->queue.dead_ms, r->config->queue.dead_bytes);
}

static void on_period(struct loop_timer *t)
{
	struct readings *r = container_of(t, struct readings, timer);

	look(r);
	loop_timer_start(r->loop, t, PERIOD_MS);
}

struct readings *readings_start(
    struct loop *l, struct config *c, struct store *store)
{
	struct readings *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct readings){
		.loop = l, .store = store, .pressure = pressure_new()
	};
	if (!r->pressure) {
		free(r);
		return NULL;
	}
	r->config = config_ref(c);
	footprint_open(&r->footprint);
	loop_timer_init(&r->timer, on_period);
	on_period(&r->timer);
	return r;
}

struct pressure *readings_pressure(struct readings *r)
{
	return r->pressure;
}

void readings_set_config(struct readings *r, struct config *c)
{
	struct config *old = r->config;

	r->config = config_ref(c);
	config_unref(old);
	look(r);
}

void readings_stop(struct readings *r)
{
	loop_timer_stop(r->loop, &r->timer);
}

void readings_free(struct readings *r)
{
	if (!r)
		return;
	footprint_close(&r->footprint);
	pressure_free(r->pressure);
	config_unref(r->config);
	free(r);
}
