/* Bring-up and shutdown, each in the one order that works. */
#include <server/server.h>

#include <admin/admin.h>
#include <auth/auth.h>
#include <base/list.h>
#include <base/log.h>
#include <cli/cli.h>
#include <config/config.h>
#include <health/health.h>
#include <http/fetch.h>
#include <http/http.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <loop/signals.h>
#include <mail/mime.h>
#include <net/tls.h>
#include <policy/peers.h>
#include <policy/quota.h>
#include <policy/throttle.h>
#include <server/admin_socket.h>
#include <server/backlog.h>
#include <server/certificates.h>
#include <server/charges.h>
#include <server/confine.h>
#include <server/notify.h>
#include <server/operations.h>
#include <server/ports.h>
#include <server/privilege.h>
#include <server/readings.h>
#include <server/reload.h>
#include <server/restore.h>
#include <server/takeover.h>
#include <server/warnings.h>
#include <server/worker.h>
#include <smtp/session.h>
#include <store/store.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	POOL_THREADS = 4,
	POOL_WAITING = 1024,
	EXIT_MAIL_LEFT = 3,
	MARGIN_MS = 5 * 1000 /* on top of what shutdown may take */
};

struct server {
	const char *config_path;
	struct config *config;
	struct config_report read; /* of the one at start; only until then */
	struct loop *loop;
	struct store *store, *volatile_store;
	struct auth *auth;
	struct quota *quota;
	struct blocking *pool;
	struct peers *peers;
	struct throttle *reports;
	struct readings *readings;
	struct charges *charges;
	size_t session_ceiling; /* by descriptors */
	struct ports ports;
	bool wants_takeover;
	struct takeover *takeover;    /* from the process before */
	struct takeover_offer *offer; /* to the next one */
	struct admin *admin;
	struct operations operations;
	struct reload *reload;
	struct signals *on_term, *on_int, *on_hup;
	struct loop_timer lame_duck, watchdog;
	uint64_t watchdog_ms;
	unsigned stop_calls;
	struct task worker_finished;
	_Atomic unsigned finished_posted;
	unsigned worker_count;
	struct certificates *certificates;
	struct tls_set **tls; /* one per worker, theirs once they exist */
	struct worker **workers;
	struct backlog *backlog;
	const struct counters **counters; /* for admin, parallel to workers */
	struct loop **loops;              /* likewise */
};

/* --- going down --- */

static void on_admin_closed(void *ctx)
{
	struct server *s = ctx;

	s->admin = NULL;
	loop_stop(s->loop);
}

static void on_all_finished(struct task *t)
{
	struct server *s = container_of(t, struct server, worker_finished);

	loop_timer_stop(s->loop, &s->lame_duck);
	loop_timer_stop(s->loop, &s->watchdog);
	signals_hold(); /* one that comes now changes nothing */
	signals_close(s->on_term);
	signals_close(s->on_int);
	signals_close(s->on_hup);
	certificates_stop(s->certificates);
	readings_stop(s->readings);
	charges_stop(s->charges);
	admin_close(s->admin, on_admin_closed, s);
}

static void on_worker_finished(struct worker *w, void *ctx)
{
	struct server *s = ctx;

	(void)w;
	if (atomic_fetch_add(&s->finished_posted, 1) + 1 == s->worker_count)
		loop_post(s->loop, &s->worker_finished);
}

static void stop_workers(struct server *s, uint64_t grace_ms)
{
	/* First: what a worker closes then is the last of its socket. */
	ports_close(&s->ports);
	takeover_offer_stop(s->offer);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_stop(s->workers[i], grace_ms);
}

static void on_lame_duck_over(struct loop_timer *t)
{
	struct server *s = container_of(t, struct server, lame_duck);

	stop_workers(s, s->config->shutdown.grace_ms);
}

/* Another process accepts from now on: what is left is to end, soon. */
static void on_taken(int64_t pid, void *ctx)
{
	struct server *s = ctx;
	char text[64];

	log_info("handed_over", LOG_NUM("pid", pid),
	    LOG_NUM("grace_ms", s->config->shutdown.grace_ms));
	(void)snprintf(
	    text, sizeof(text), "MAINPID=%" PRId64 "\nSTATUS=handed over", pid);
	notify_send(text);
	s->stop_calls++;
	reload_stop(s->reload);
	s->ports.is_handed_over = true;
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_hand_over(s->workers[i]);
	admin_set_draining(s->admin);
	loop_timer_stop(s->loop, &s->lame_duck);
	stop_workers(s, s->config->shutdown.grace_ms);
}

static void on_stop_signal(int signum, void *ctx)
{
	struct server *s = ctx;

	if (++s->stop_calls > 1) {
		log_warn("drain_hurried", LOG_NUM("signal", signum));
		/* Its end would give the workers all their grace back. */
		loop_timer_stop(s->loop, &s->lame_duck);
		stop_workers(s, 0);
		return;
	}
	log_info("drain_start", LOG_NUM("signal", signum),
	    LOG_NUM("lame_duck_ms", s->config->shutdown.lame_duck_ms),
	    LOG_NUM("grace_ms", s->config->shutdown.grace_ms));
	notify_draining(s->config->shutdown.lame_duck_ms +
			s->config->shutdown.grace_ms + MARGIN_MS);
	reload_stop(s->reload);
	admin_set_draining(s->admin);
	loop_timer_start(
	    s->loop, &s->lame_duck, s->config->shutdown.lame_duck_ms);
}

static void on_hangup(int signum, void *ctx)
{
	struct server *s = ctx;

	(void)signum;
	reload_request(s->reload, "SIGHUP");
}

/* The service manager restarts us when a loop is stuck: no news then. */
static void on_watchdog(struct loop_timer *t)
{
	struct server *s = container_of(t, struct server, watchdog);

	if (admin_is_live(s->admin))
		notify_send("WATCHDOG=1");
	loop_timer_start(s->loop, t, s->watchdog_ms);
}

/* --- coming up --- */

static int init_libraries(struct err *e)
{
	(void)signal(SIGPIPE, SIG_IGN);
	/* SASL first: it must get its mutexes before curl's friends do. */
	int rc = auth_library_init(e);

	if (rc)
		return rc;
	rc = tls_library_init();
	if (rc)
		return err_set(e, rc, "cannot set up OpenSSL");
	rc = http_library_init();
	if (rc)
		return err_set(e, rc, "cannot set up libcurl");
	mime_library_init();
	return 0;
}

/*
 * Before privileges are dropped, which low ports need. What another process
 * hands over is only asked for here: it serves until all else is ready.
 */
static int open_ports(struct server *s, struct err *e)
{
	if (s->wants_takeover) {
		s->takeover = takeover_ask(s->config->spool.path, e);
		if (!s->takeover && e->code)
			return e->code;
		if (!s->takeover)
			log_info("takeover_nobody",
			    LOG_STR("spool", s->config->spool.path));
	}
	return ports_open(
	    &s->ports, s->config, s->worker_count, s->takeover, e);
}

static int open_stores(struct server *s, struct err *e)
{
	const struct config *c = s->config;
	struct store_settings settings = {
		.path = c->spool.path,
		.may_be_lost = c->spool.durability == CONFIG_DURABILITY_NONE,
		.history_ms = c->queue.history_ms,
		.dead_ms = c->queue.dead_ms,
		.dead_bytes = c->queue.dead_bytes,
		.max_pending_bytes = 256 << 20, /* pressure comes first */
	};

	s->store = store_open(&settings, e);
	if (!s->store)
		return e->code ? e->code : -EIO;
	settings.engine = STORE_MEMORY;
	settings.max_pending_bytes /= 4; /* there: held */
	s->volatile_store = store_open(&settings, e);
	return s->volatile_store ? 0 : -ENOMEM;
}

/* The keys of an issuer of tokens: auth knows when, http knows how. */
static int fetch_keys(const struct config *config, const char *url,
    struct buf *out, struct err *e)
{
	struct http_settings settings = {
		.connect_timeout_ms = config->http.connect_timeout_ms,
		.ca_file = config->http.ca_file,
		.proxy = config->http.proxy,
	};

	return http_fetch(url, &settings, out, e);
}

static int make_services(struct server *s, struct err *e)
{
	if (health_configure(s->config, NULL) != 0)
		return err_set(e, -ENOMEM, "no memory for the providers");
	s->pool = blocking_new(POOL_THREADS, POOL_WAITING);
	s->quota = quota_new();
	s->peers = peers_new(s->session_ceiling);
	s->reports = throttle_new();
	if (s->pool)
		s->readings =
		    readings_start(s->loop, s->config, s->store, s->pool);
	if (s->quota)
		s->charges = charges_start(s->loop, s->quota, s->store);
	if (!s->charges || !s->peers || !s->reports || !s->readings)
		return err_set(e, -ENOMEM, "no memory for the services");
	int rc = restore_counts(s->store, s->quota, s->config, e);
	if (rc)
		return rc;
	s->auth = auth_new(s->config, e);
	if (!s->auth)
		return -EINVAL;
	auth_set_fetch(s->auth, fetch_keys);
	return 0;
}

/* While files that only root may read can still be read. */
static int make_tls(struct server *s, struct err *e)
{
	int rc = 0;

	s->certificates = certificates_new(s->loop, s->config, e);
	s->tls = calloc(s->worker_count, sizeof(struct tls_set *));
	if (!s->certificates)
		return e->code ? e->code : -EINVAL;
	if (!s->tls)
		return err_set(e, -ENOMEM, "no memory for TLS");
	for (unsigned i = 0; rc == 0 && i < s->worker_count; i++)
		rc = certificates_make(s->certificates, &s->tls[i], e);
	return rc;
}

/* The loop of a worker and the sockets it accepts on. */
static int make_worker(struct server *s, unsigned i,
    const struct worker_services *shared, struct err *e)
{
	struct port *ports = NULL;
	size_t count = 0;
	int rc = ports_share(&s->ports, i, s->worker_count, &ports, &count);

	if (rc < 0)
		(void)err_errno(e, rc, "cannot share the listening sockets");
	else
		s->workers[i] = worker_new(i, shared, ports, count, e);
	free(ports);
	if (!s->workers[i])
		return e->code ? e->code : -ENOMEM;
	s->counters[i] = worker_counters(s->workers[i]);
	s->loops[i] = worker_loop(s->workers[i]);
	return 0;
}

static int make_workers(struct server *s, struct err *e)
{
	struct worker_services shared = {
		.config = s->config,
		.auth = s->auth,
		.quota = s->quota,
		.store = s->store,
		.volatile_store = s->volatile_store,
		.pool = s->pool,
		.peers = s->peers,
		.pressure = readings_pressure(s->readings),
		.reports = s->reports,
		.on_finished = on_worker_finished,
		.ctx = s,
	};

	s->workers = calloc(s->worker_count, sizeof(struct worker *));
	s->counters = calloc(s->worker_count, sizeof(struct counters *));
	s->loops = calloc(s->worker_count, sizeof(struct loop *));
	if (!s->workers || !s->counters || !s->loops)
		return err_set(e, -ENOMEM, "no memory for workers");
	for (unsigned i = 0; i < s->worker_count; i++) {
		shared.tls = s->tls[i];
		int rc = make_worker(s, i, &shared, e);
		if (rc)
			return rc;
	}
	s->backlog = backlog_new(s->store, s->workers, s->worker_count, e);
	return s->backlog ? 0 : (e->code ? e->code : -EIO);
}

static int start_admin(struct server *s, struct err *e)
{
	struct admin_services services = {
		.config = s->config,
		.counters = s->counters,
		.loops = s->loops,
		.worker_count = s->worker_count,
		.store = s->store,
		.volatile_store = s->volatile_store,
		.quota = s->quota,
		.peers = s->peers,
		.pressure = readings_pressure(s->readings),
		.tls = certificates_status(s->certificates),
		.socket = admin_socket_open(s->config),
		.reload = operations_reload,
		.operate = operations_carry,
		.ctx = &s->operations,
	};

	s->operations = (struct operations){
		.loop = s->loop, .workers = s->workers, .count = s->worker_count
	};
	s->admin = admin_new(s->loop, &services, e);
	return s->admin ? 0 : (e->code ? e->code : -EIO);
}

static void configure_log(const struct config_log *log)
{
	log_configure((enum log_level)log->level, (enum log_format)log->format);
	log_show_addresses((enum log_addresses)log->addresses);
}

static void on_new_config(struct config *c, void *ctx)
{
	struct server *s = ctx;
	struct config *old = s->config;

	s->config = config_ref(c);
	config_unref(old);
	configure_log(&c->log);
	readings_set_config(s->readings, c);
	store_set_limits(s->volatile_store, c->queue.history_ms, 0);
	admin_set_config(s->admin, c);
	warnings_log(c, s->session_ceiling);
}

static int make_reload(struct server *s, struct err *e)
{
	struct reload_services services = {
		.path = s->config_path,
		.loop = s->loop,
		.auth = s->auth,
		.admin = s->admin,
		.certificates = s->certificates,
		.ports = &s->ports,
		.workers = s->workers,
		.worker_count = s->worker_count,
		.on_config = on_new_config,
		.ctx = s,
	};

	s->reload = reload_new(&services, s->config, &s->read, e);
	config_report_finish(&s->read);
	s->operations.reload = s->reload;
	return s->reload ? 0 : -ENOMEM;
}

static int start_threads(struct server *s, struct err *e)
{
	int rc = backlog_start(s->backlog);

	if (rc)
		return err_errno(e, rc, "cannot start reading the queue");
	for (unsigned i = 0; i < s->worker_count; i++) {
		rc = worker_start(s->workers[i]);
		if (rc)
			return err_errno(e, rc, "cannot start worker %u", i);
	}
	certificates_start(s->certificates, s->workers, s->worker_count);
	s->on_term = signals_watch(s->loop, SIGTERM, on_stop_signal, s);
	s->on_int = signals_watch(s->loop, SIGINT, on_stop_signal, s);
	s->on_hup = signals_watch(s->loop, SIGHUP, on_hangup, s);
	if (!s->on_term || !s->on_int || !s->on_hup)
		return err_set(e, -ENOMEM, "cannot watch signals");
	signals_release();
	s->offer = takeover_offer(
	    s->loop, s->config->spool.path, &s->ports, on_taken, s, e);
	if (!s->offer) /* a restart then interrupts; nothing else is wrong */
		log_warn("takeover_unavailable", LOG_STR("why", e->text));
	s->watchdog_ms = notify_watchdog_ms();
	if (s->watchdog_ms)
		loop_timer_start(s->loop, &s->watchdog, s->watchdog_ms);
	return 0;
}

/* The ports are open and the keys read: root is not needed any more. */
static int give_up_privileges(struct server *s, struct err *e)
{
	const struct config *c = s->config;
	int rc = privilege_give_directory(c->spool.path, c->user, e);

	admin_socket_prepare(c);
	if (rc == 0)
		rc = privilege_drop(c->user, e);
	return rc ? rc : confine(c, e);
}

/* What else may fail does so before, as long as the other one serves. */
static int take_over(struct server *s, struct err *e)
{
	int rc = auth_check_config(s->config, e);

	if (rc == 0)
		rc = takeover_finish(s->takeover, e);
	if (rc == 0)
		ports_set_modes(&s->ports);
	/* Threads are started now, who leave signals to the main loop. */
	signals_hold();
	return rc;
}

static int bring_up(struct server *s, struct err *e)
{
	static int (*const steps[])(
	    struct server *, struct err *) = { open_ports, make_tls,
		give_up_privileges, take_over, open_stores, make_services,
		make_workers, start_admin, make_reload, start_threads };
	int rc = 0;

	s->worker_count = worker_count_wanted(s->config);
	s->session_ceiling = privilege_session_ceiling(
	    s->worker_count, s->config->listeners.count);
	warnings_log(s->config, s->session_ceiling);
	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](s, e);
	return rc;
}

/* What a spool that goes with us takes along. */
static int count_left(const struct server *s)
{
	struct store_stats stats;

	store_stats(s->store, &stats);
	if (!s->config->shutdown.flush || stats.messages == 0)
		return EXIT_SUCCESS;
	log_error("mail_left", LOG_NUM("messages", stats.messages),
	    LOG_STR("hint", "shutdown.flush says that the spool is not kept"));
	return EXIT_MAIL_LEFT;
}

static int take_down(struct server *s)
{
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_join(s->workers[i]);
	backlog_stop(s->backlog);
	reload_free(s->reload);
	/* Sessions are gone; what the pools still do finds no listener. */
	blocking_free(s->pool);
	auth_free(s->auth);
	int code = count_left(s);
	charges_finish(s->charges);
	store_close(s->store);
	store_close(s->volatile_store);
	takeover_offer_free(s->offer);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_free(s->workers[i]);
	readings_free(s->readings);
	backlog_free(s->backlog);
	peers_free(s->peers);
	throttle_free(s->reports);
	quota_free(s->quota);
	certificates_free(s->certificates);
	free(s->tls);
	free(s->workers);
	free(s->counters);
	free(s->loops);
	loop_run_late(s->loop);
	loop_free(s->loop);
	config_unref(s->config);
	http_library_done();
	auth_library_done();
	return code;
}

/* The reports of a bad configuration go to stderr as `check` prints them. */
static int load(struct server *s)
{
	s->config = cli_load_config(s->config_path, &s->read);
	config_report_print(&s->read, stderr);
	if (s->config)
		return 0;
	config_report_finish(&s->read);
	return -EINVAL;
}

int server_run(const char *config_path, bool wants_takeover)
{
	struct server s = { .config_path = config_path,
		.worker_finished.run = on_all_finished,
		.wants_takeover = wants_takeover };
	struct err e = { 0 };

	signals_start();
	privilege_harden();
	if (init_libraries(&e) != 0) {
		log_error("start_failed", LOG_STR("why", e.text));
		return EX_SOFTWARE;
	}
	if (load(&s) != 0)
		return EX_CONFIG;
	configure_log(&s.config->log);
	s.loop = loop_new(0);
	loop_timer_init(&s.lame_duck, on_lame_duck_over);
	loop_timer_init(&s.watchdog, on_watchdog);
	if (!s.loop || bring_up(&s, &e) != 0 || log_start() != 0) {
		log_error("start_failed", LOG_STR("why", e.text));
		/* Half of it stands: the kernel takes it down, not we. */
		_exit(EX_UNAVAILABLE);
	}
	log_info("ready", LOG_STR("version", POSTERN_VERSION),
	    LOG_NUM("workers", s.worker_count),
	    LOG_NUM("stats_port", admin_port(s.admin)));
	notify_send("READY=1\nSTATUS=accepting mail");
	loop_run(s.loop);
	int code = take_down(&s);
	log_info("drain_end", LOG_NUM("stop_signals", s.stop_calls));
	log_stop();
	return code;
}
