/* See readings.h. */
#include <server/readings.h>

#include <base/clock.h>
#include <base/jumps.h>
#include <base/list.h>
#include <base/log.h>
#include <config/config.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <policy/pressure.h>
#include <server/footprint.h>
#include <smtp/session.h>
#include <store/store.h>

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	PERIOD_MS = 1000,
	TRIM_EVERY_MS = 5 * 1000,
	WORTH_TELLING = 1024 * 1024 /* bytes */
};

/* The allocator is asked for what it does not need. */
struct trim {
	struct blocking_job job;
	const struct footprint *footprint;
	uint64_t configured;
	uint64_t due_ms; /* monotonic: not before */
	atomic_bool is_busy;
};

struct readings {
	struct loop *loop;
	struct config *config;
	struct store *store;
	struct pressure *pressure;
	struct loop_timer timer;
	struct footprint footprint;
	struct blocking *pool;
	struct trim trim;
};

/*
 * Tens of milliseconds per 100 MB; a thread that wants memory of the part that
 * is looked through just then waits for that part.
 */
static void give_back(struct blocking_job *job)
{
	struct trim *t = container_of(job, struct trim, job);
	uint64_t began = clock_mono_ms();
	uint64_t before = footprint_read(t->footprint, t->configured).used;

	(void)malloc_trim(0);
	uint64_t after = footprint_read(t->footprint, t->configured).used;
	if (after + WORTH_TELLING < before)
		log_info("memory_given_back", LOG_NUM("bytes", before - after),
		    LOG_NUM("used", after),
		    LOG_NUM("ms", clock_mono_ms() - began));
	atomic_store(&t->is_busy, false);
}

static void start_trim(struct readings *r)
{
	struct trim *t = &r->trim;
	uint64_t now = clock_mono_ms();

	if (now < t->due_ms || atomic_load(&t->is_busy))
		return;
	t->due_ms = now + TRIM_EVERY_MS;
	t->configured = r->config->memory.limit;
	t->job = (struct blocking_job){ .work = give_back };
	atomic_store(&t->is_busy, true);
	if (blocking_submit(r->pool, &t->job) != 0)
		atomic_store(&t->is_busy, false);
}

static void look_at_memory(struct readings *r, uint64_t used)
{
	static const enum pressure_mark marks[] = { PRESSURE_MEMORY,
		PRESSURE_MEMORY_HARD };
	bool is_near = false;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		(void)pressure_note(r->pressure, marks[i], used);
		is_near |= pressure_is_near(r->pressure, marks[i], used);
	}
	if (is_near)
		start_trim(r);
}

/* A disk may grow, so levels are as new as what they are compared with. */
static void look(struct readings *r)
{
	struct footprint_reading memory =
	    footprint_read(&r->footprint, r->config->memory.limit);
	struct pressure_capacity have;
	struct store_stats stats;

	jumps_look();
	store_stats(r->store, &stats);
	have = (struct pressure_capacity){ .space = stats.space.total_bytes,
		.inodes = stats.space.total_inodes,
		.memory = memory.limit };
	pressure_configure(r->pressure, r->config, &have);
	(void)pressure_note(
	    r->pressure, PRESSURE_SPACE, stats.space.free_bytes);
	(void)pressure_note(
	    r->pressure, PRESSURE_INODES, stats.space.free_inodes);
	smtp_note_store(r->pressure, r->store);
	look_at_memory(r, memory.used);
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

struct readings *readings_start(struct loop *l, struct config *c,
    struct store *store, struct blocking *pool)
{
	struct readings *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct readings){ .loop = l,
		.store = store,
		.pressure = pressure_new(),
		.pool = pool,
		.trim.footprint = &r->footprint };
	if (!r->pressure) {
		free(r);
		return NULL;
	}
	r->config = config_ref(c);
	footprint_open(&r->footprint, "");
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
