/* See admin.h: the tick, the snapshot, and the order of going down. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <admin/admin_internal.h>
#include <admin/endpoint.h>
#include <admin/httpd.h>
#include <admin/totals.h>
#include <base/clock.h>
#include <base/list.h>
#include <config/config.h>

static void sample_rates(struct admin *a)
{
	struct counters *sum = malloc(sizeof(*sum));
	uint64_t totals[RATES_KINDS];

	if (!sum)
		return; /* the next sample covers both steps */
	totals_read(&a->services, sum);
	totals[RATES_ACCEPTED] = counter_get(&sum->accepted);
	totals[RATES_SENT] = counter_get(&sum->sent_recipients);
	totals[RATES_FAILED] = counter_get(&sum->failed_recipients);
	rates_add(&a->rates, totals);
	free(sum);
}

static void on_tick(struct loop_timer *t)
{
	struct admin *a = container_of(t, struct admin, tick);

	health_tick(&a->health);
	if (a->ticks++ % (RATES_STEP_MS / HEALTH_TICK_MS) == 0)
		sample_rates(a);
	loop_timer_start(a->loop, &a->tick, HEALTH_TICK_MS);
}

static void free_admin(struct admin *a)
{
	health_finish(&a->health);
	config_unref(a->services.config);
	free(a);
}

static void on_closed_task(struct task *t)
{
	struct admin *a = container_of(t, struct admin, closed);
	void (*on_closed)(void *) = a->on_closed;
	void *closed_ctx = a->closed_ctx;

	free_admin(a);
	if (on_closed)
		on_closed(closed_ctx);
}

static void on_httpd_closed(void *ctx)
{
	struct admin *a = ctx;

	if (--a->closing == 0)
		loop_post(a->loop, &a->closed);
}

static void close_endpoint(struct admin *a, struct endpoint *p)
{
	a->closing++;
	if (p->httpd)
		httpd_close(p->httpd, on_httpd_closed, a);
	else
		on_httpd_closed(a);
}

struct admin *admin_new(
    struct loop *l, const struct admin_services *services, struct err *e)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (!a) {
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	a->loop = l;
	a->services = *services;
	a->services.config = config_ref(services->config);
	a->started_ms = a->config_loaded_ms = clock_wall_ms();
	a->started_mono_ms = clock_mono_ms();
	a->is_config_current = true;
	a->closed.run = on_closed_task;
	loop_timer_init(&a->tick, on_tick);
	if (health_init(&a->health, &a->services) != 0) {
		(void)err_set(e, -ENOMEM, "out of memory");
		free_admin(a);
		return NULL;
	}
	if (endpoint_start(a, e) != 0) {
		free_admin(a);
		return NULL;
	}
	on_tick(&a->tick);
	return a;
}

void admin_close(struct admin *a, void (*on_closed)(void *ctx), void *ctx)
{
	loop_timer_stop(a->loop, &a->tick);
	a->on_closed = on_closed;
	a->closed_ctx = ctx;
	/* First, so that nobody comes who would not be heard. */
	if (a->console.httpd)
		(void)unlink(a->services.config->admin.socket);
	/* Not before both are asked to. */
	a->closing = 1;
	close_endpoint(a, &a->stats);
	close_endpoint(a, &a->console);
	on_httpd_closed(a);
}

int admin_port(const struct admin *a)
{
	return a->stats.httpd ? httpd_port(a->stats.httpd) : 0;
}

void admin_set_config(struct admin *a, struct config *config)
{
	struct config *old = a->services.config;

	a->services.config = config_ref(config);
	config_unref(old);
	a->config_loaded_ms = clock_wall_ms();
	a->is_config_current = true;
}

void admin_reload_failed(struct admin *a)
{
	a->is_config_current = false;
}

void admin_set_draining(struct admin *a)
{
	a->health.is_draining = true;
}

bool admin_is_live(const struct admin *a)
{
	return health_is(&a->health, HEALTH_LIVE);
}
