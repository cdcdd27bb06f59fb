/*
 * A worker's parts and the order in which they end: listeners, sessions,
 * deliveries, HTTP, loop. See worker.h.
 */
#include <server/worker.h>

#include <auth/auth.h>
#include <base/jumps.h>
#include <base/list.h>
#include <base/log.h>
#include <config/config.h>
#include <deliver/deliver.h>
#include <http/http.h>
#include <loop/loop.h>
#include <net/conn.h>
#include <net/listener.h>
#include <net/tls_set.h>
#include <server/ports.h>
#include <server/restore.h>
#include <smtp/session.h>
#include <store/store.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	HEARTBEAT_MS = 1000, /* a turn at least this often: the watchdog's */
	FLUSH_LOOK_MS = 50
};

enum stage {
	STAGE_RUNNING = 0,
	STAGE_SESSIONS,   /* waiting for sessions to end */
	STAGE_FLUSH,      /* delivering what waits */
	STAGE_DELIVERIES, /* waiting for attempts under way */
	STAGE_HTTP,       /* waiting for connections to close */
	STAGE_FINISHED
};

/* Owned by the worker; a reload may give it another place. */
struct worker_listener {
	struct list link;
	struct worker *worker;
	size_t index; /* in config->listeners */
	struct listener *listener;
	bool is_kept; /* as struct port */
};

struct worker {
	struct worker_services services;
	struct loop *loop;
	struct http *http;
	struct deliver *deliver;
	struct smtp_service smtp;
	struct counters counters;
	struct loop_timer heartbeat, grace;
	enum stage stage;
	bool is_cut;      /* the grace is over */
	bool has_backlog; /* not all of it is with deliver yet */
	struct task stop;
	_Atomic uint64_t stop_grace_ms;
	_Atomic bool stop_is_posted, is_handed_over;
	struct list listeners; /* struct worker_listener.link */
};

/* Contexts on their way, in line with the updates of reloads. */
struct new_tls {
	struct task task;
	struct worker *worker;
	struct tls_set *set;
};

static void on_accept(struct conn *c, void *ctx)
{
	struct worker_listener *l = ctx;

	smtp_session_start(&l->worker->smtp, c, l->index);
}

static void on_http_closed(void *ctx)
{
	struct worker *w = ctx;

	w->http = NULL;
	w->stage = STAGE_FINISHED;
	loop_timer_stop(w->loop, &w->heartbeat);
	loop_timer_stop(w->loop, &w->grace);
	loop_stop(w->loop);
	w->services.on_finished(w, w->services.ctx);
}

static void on_deliveries_idle(void *ctx)
{
	struct worker *w = ctx;

	if (w->stage != STAGE_DELIVERIES)
		return;
	w->stage = STAGE_HTTP;
	http_close(w->http, on_http_closed, w);
}

static void drain_deliveries(struct worker *w)
{
	w->stage = STAGE_DELIVERIES;
	deliver_drain(w->deliver, on_deliveries_idle, w);
}

static void flush(struct worker *w)
{
	w->stage = STAGE_FLUSH;
	if (w->is_cut || (!w->has_backlog && deliver_is_empty(w->deliver)))
		drain_deliveries(w);
	else
		loop_timer_start(w->loop, &w->heartbeat, FLUSH_LOOK_MS);
}

static void on_heartbeat(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, heartbeat);

	loop_timer_start(w->loop, t, HEARTBEAT_MS);
	if (w->stage == STAGE_FLUSH)
		flush(w);
}

static void on_sessions_empty(void *ctx)
{
	struct worker *w = ctx;

	if (w->stage != STAGE_SESSIONS)
		return;
	if (w->services.config->shutdown.flush)
		flush(w);
	else
		drain_deliveries(w);
}

/* Who can be told that the message is safe is told, then it is over. */
static void cut_sessions(struct worker *w)
{
	if (!w->is_cut)
		deliver_answer_durable(w->deliver);
	else
		smtp_service_abort(&w->smtp);
}

static void on_grace_over(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, grace);

	log_warn("drain_cut", LOG_NUM("sessions", w->smtp.session_count),
	    LOG_NUM("deliveries", deliver_inflight(w->deliver)));
	if (w->stage == STAGE_SESSIONS)
		cut_sessions(w);
	w->is_cut = true;
	if (w->stage == STAGE_FLUSH)
		drain_deliveries(w);
	if (w->stage == STAGE_DELIVERIES)
		http_cancel_all(w->http);
	/* The next stage gets no grace. */
	if (w->stage < STAGE_HTTP)
		loop_timer_start(w->loop, &w->grace, HEARTBEAT_MS);
}

/* Who waits to be accepted is told the same as all, unless others do that. */
static void close_listeners(struct worker *w)
{
	bool is_handed_over = atomic_load(&w->is_handed_over);

	list_for_each_safe (pos, tmp, &w->listeners) {
		struct worker_listener *l =
		    container_of(pos, struct worker_listener, link);

		if (!l->is_kept && !is_handed_over)
			listener_drain(l->listener);
		listener_close(l->listener);
		list_remove(pos);
		free(l);
	}
}

static void on_stop(struct task *t)
{
	struct worker *w = container_of(t, struct worker, stop);

	/* In this order: a call that comes now is seen, or posts again. */
	atomic_store(&w->stop_is_posted, false);
	uint64_t grace_ms = atomic_load(&w->stop_grace_ms);

	if (w->stage < STAGE_HTTP)
		loop_timer_start(w->loop, &w->grace, grace_ms);
	if (w->stage != STAGE_RUNNING)
		return;
	w->stage = STAGE_SESSIONS;
	w->smtp.on_empty = on_sessions_empty;
	w->smtp.ctx = w;
	smtp_service_drain(&w->smtp);
	close_listeners(w);
	if (w->smtp.session_count == 0)
		on_sessions_empty(w);
}

static void on_use_tls(struct task *t)
{
	struct new_tls *n = container_of(t, struct new_tls, task);

	smtp_service_set_tls(&n->worker->smtp, n->set);
	free(n);
}

int worker_set_tls(struct worker *w, struct tls_set *set)
{
	struct new_tls *n = calloc(1, sizeof(*n));

	if (!n) {
		tls_set_free(set);
		return -ENOMEM;
	}
	n->task.run = on_use_tls;
	n->worker = w;
	n->set = set;
	loop_post(w->loop, &n->task);
	return 0;
}

/* --- parts --- */

static struct http_settings http_settings_of(const struct config *c)
{
	struct http_settings settings = {
		.connect_timeout_ms = c->http.connect_timeout_ms,
		.max_connections_per_host = 0,
		.ca_file = c->http.ca_file,
		.proxy = c->http.proxy,
		.name = c->hostname,
	};

	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);
		/* A call needs a connection at most. */
		if (p->concurrency > (int64_t)settings.max_connections_per_host)
			settings.max_connections_per_host =
			    (unsigned)p->concurrency;
	}
	return settings;
}

static int make_http(struct worker *w, struct err *e)
{
	struct http_settings settings = http_settings_of(w->services.config);

	w->http = http_new(w->loop, w->services.pool, &settings);
	return w->http ? 0 : err_set(e, -ENOMEM, "cannot set up HTTP");
}

static int make_parts(struct worker *w, struct err *e)
{
	const struct worker_services *s = &w->services;
	int rc = make_http(w, e);

	if (rc)
		return rc;
	struct deliver_services d = {
		.loop = w->loop,
		.http = w->http,
		.store = s->store,
		.volatile_store = s->volatile_store,
		.pool = s->pool,
		.counters = &w->counters,
		.reports = s->reports,
	};
	w->deliver = deliver_new(&d, s->config);
	if (!w->deliver)
		return err_set(e, -ENOMEM, "cannot set up delivery");
	smtp_service_init(&w->smtp, w->loop);
	w->smtp.config = s->config;
	smtp_service_set_tls(&w->smtp, s->tls);
	w->smtp.auth = s->auth;
	w->smtp.quota = s->quota;
	w->smtp.deliver = w->deliver;
	w->smtp.store = s->store;
	w->smtp.counters = &w->counters;
	w->smtp.peers = s->peers;
	w->smtp.pressure = s->pressure;
	return 0;
}

/* Takes the socket over. */
static int start_listener(struct worker *w, const struct port *port)
{
	struct worker_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		(void)close(port->fd);
		return -ENOMEM;
	}
	l->worker = w;
	l->index = port->listener;
	l->is_kept = port->is_kept;
	l->listener = listener_start(w->loop, port->fd, on_accept, l);
	if (!l->listener) {
		free(l);
		return -ENOMEM;
	}
	list_append(&w->listeners, &l->link);
	return 0;
}

struct worker *worker_new(unsigned index, const struct worker_services *s,
    const struct port *ports, size_t count, struct err *e)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		goto no_memory;
	w->services = *s;
	w->services.config = config_ref(s->config);
	w->stop.run = on_stop;
	list_init(&w->listeners);
	loop_timer_init(&w->heartbeat, on_heartbeat);
	loop_timer_init(&w->grace, on_grace_over);
	w->loop = loop_new(index);
	if (!w->loop)
		goto no_memory;
	if (make_parts(w, e) != 0)
		return NULL; /* the process ends: nothing is unwound */
	for (size_t i = 0; i < count; i++)
		if (start_listener(w, &ports[i]) != 0)
			goto no_memory;
	loop_timer_start(w->loop, &w->heartbeat, HEARTBEAT_MS);
	return w;
no_memory:
	(void)err_set(e, -ENOMEM, "no memory for worker %u", index);
	return NULL;
}

/* --- reload --- */

static void start_listeners(struct worker *w, const struct worker_update *u)
{
	for (size_t i = 0; i < u->port_count; i++)
		if (start_listener(w, &u->ports[i]) != 0)
			log_error("listener_failed",
			    LOG_NUM("listener", u->ports[i].listener),
			    LOG_STR("reason", "out of memory"));
}

static void zero(void *block, size_t size)
{
	counter_value *values = block;

	for (size_t i = 0; i < size / sizeof(*values); i++)
		counter_set(&values[i], 0);
}

static void zero_provider(struct counters *c, size_t slot)
{
	zero(&c->providers[slot], sizeof(c->providers[slot]));
	zero(c->failovers[slot], sizeof(c->failovers[slot]));
	for (size_t from = 0; from < COUNTER_PROVIDERS_MAX; from++)
		counter_set(&c->failovers[from][slot], 0);
}

/* Nobody counts there any more: slots change hands only then. */
static void zero_new_slots(struct worker *w, struct config_new_slots slots)
{
	struct counters *c = &w->counters;

	for (size_t i = 0; i < COUNTER_LISTENERS_MAX; i++)
		if (slots.listeners & UINT64_C(1) << i)
			zero(&c->listeners[i], sizeof(c->listeners[i]));
	for (size_t i = 0; i < COUNTER_PROVIDERS_MAX; i++)
		if (slots.providers & UINT64_C(1) << i)
			zero_provider(c, i);
}

static void set_config(struct worker *w, struct config *config)
{
	struct http_settings settings = http_settings_of(config);
	struct config *old = w->services.config;

	zero_new_slots(w, config->new_slots);
	w->services.config = w->smtp.config = config;
	deliver_set_config(w->deliver, config);
	if (w->stage < STAGE_HTTP && http_set_settings(w->http, &settings) != 0)
		log_error("reload_incomplete", LOG_STR("what", "http"),
		    LOG_STR("reason", "out of memory"));
	config_unref(old);
}

static void on_update(struct task *t)
{
	struct worker_update *u = container_of(t, struct worker_update, task);
	struct worker *w = u->worker;

	bool is_serving = w->stage == STAGE_RUNNING;

	/* Who waits gets the listener that was meant. The sockets of those
	 * that stay are open elsewhere: nobody is reset. */
	if (is_serving)
		close_listeners(w);
	set_config(w, u->config);
	smtp_service_set_tls(&w->smtp, u->tls);
	for (size_t i = 0; !is_serving && i < u->port_count; i++)
		(void)close(u->ports[i].fd);
	if (is_serving)
		start_listeners(w, u);
	u->on_applied(u);
}

void worker_update(struct worker *w, struct worker_update *u)
{
	u->worker = w;
	u->task.run = on_update;
	loop_post(w->loop, &u->task);
}

void worker_expect_backlog(struct worker *w)
{
	w->has_backlog = true;
}

static void on_backlog(struct task *t)
{
	struct worker_backlog *b = container_of(t, struct worker_backlog, task);
	struct worker *w = b->worker;
	int64_t back_ms = jumps_back_ms();

	/* Posted too late, it is for the next start. */
	for (size_t i = 0; w->stage < STAGE_HTTP && i < b->count; i++) {
		const struct store_pending *p = &b->pending[i];

		restore_started(w->services.config, p);
		/* What looks too far off may be due; deliver looks again. */
		deliver_schedule(w->deliver, p->id,
		    p->due_ms == INT64_MAX ? INT64_MAX : p->due_ms - back_ms,
		    p->priority);
	}
	if (b->is_last)
		w->has_backlog = false;
	b->on_taken(b);
}

void worker_take_backlog(struct worker *w, struct worker_backlog *b)
{
	b->worker = w;
	b->task.run = on_backlog;
	loop_post(w->loop, &b->task);
}

int worker_start(struct worker *w)
{
	return loop_start(w->loop);
}

void worker_stop(struct worker *w, uint64_t grace_ms)
{
	atomic_store(&w->stop_grace_ms, grace_ms);
	if (!atomic_exchange(&w->stop_is_posted, true))
		loop_post(w->loop, &w->stop);
}

void worker_hand_over(struct worker *w)
{
	atomic_store(&w->is_handed_over, true);
}

void worker_join(struct worker *w)
{
	loop_join(w->loop);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	loop_run_late(w->loop);
	deliver_free(w->deliver);
	smtp_service_finish(&w->smtp);
	config_unref(w->services.config);
	loop_free(w->loop);
	free(w);
}

unsigned worker_count_wanted(const struct config *c)
{
	int64_t n = c->threads > 0 ? c->threads : sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

const struct counters *worker_counters(const struct worker *w)
{
	return &w->counters;
}

struct loop *worker_loop(const struct worker *w)
{
	return w->loop;
}

struct deliver *worker_deliver(const struct worker *w)
{
	return w->deliver;
}
