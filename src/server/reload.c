/*
 * See reload.h. The order: read and check the file, mechanisms, TLS contexts,
 * new sockets (pool thread); certificates' dates, duplicates of the other
 * sockets, places for counters (main thread), the last things that can fail;
 * then one task to each worker, and an end when all have run. A reload that
 * fails closes and frees what it made, and nobody saw it.
 */
#include <server/reload.h>

#include <admin/admin.h>
#include <auth/auth.h>
#include <base/clock.h>
#include <base/list.h>
#include <base/log.h>
#include <cli/cli.h>
#include <config/config.h>
#include <health/health.h>
#include <loop/blocking.h>
#include <loop/files.h>
#include <loop/loop.h>
#include <net/tls.h>
#include <net/tls_set.h>
#include <server/certificates.h>
#include <server/notify.h>
#include <server/ports.h>
#include <server/worker.h>

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SETTLE_MS = 2000 /* files of a deployment come one after another */
};

static const char stopping[] = "the server is shutting down";

/* One reload, until the last worker has it. */
struct attempt {
	struct blocking_job job;
	struct reload *owner;
	uint64_t began_ms;
	struct config *config; /* NULL: it failed */
	struct config_report report;
	struct err why; /* beyond the report */
	struct ports ports;
	struct tls_files *files; /* the contexts are from; NULL without TLS */
	struct worker_update *updates; /* one per worker */
	atomic_uint applied;
	struct task all_applied;
	struct list asked; /* struct admin_reload.node: who waits */
};

struct reload {
	struct reload_services services;
	struct config *present;
	struct blocking *pool;
	struct loop_files *files; /* watched; NULL unless reload.watch */
	struct loop_timer settle; /* after a change */
	struct attempt *attempt;  /* NULL: none runs */
	const char *wanted;       /* the trigger of another one, or NULL */
	struct task ask;          /* for those in asked */
	bool is_ask_posted;
	struct list asked; /* who waits for the next one */
	bool is_stopped;
};

/* --- on the pool's thread --- */

static int make_tls(struct attempt *a)
{
	int rc = 0;

	if (a->config->tls.certificates.count == 0)
		return 0;
	a->files = tls_files_read(&a->config->tls, &a->why);
	if (!a->files)
		return a->why.code ? a->why.code : -EINVAL;
	for (unsigned i = 0; rc == 0 && i < a->owner->services.worker_count;
	     i++) {
		a->updates[i].tls = tls_set_new(a->files, a->config, &a->why);
		if (!a->updates[i].tls)
			rc = a->why.code ? a->why.code : -EINVAL;
	}
	return rc;
}

static void warn_of_fixed(const char *key, void *ctx)
{
	(void)ctx;
	log_warn("restart_needed", LOG_STR("key", key),
	    LOG_STR("hint", "this value changes with the next start; the "
			    "rest of the file is in use"));
}

static int open_ports(struct attempt *a)
{
	struct reload *r = a->owner;
	struct err why = { 0 };
	int rc = ports_open_new(
	    &a->ports, a->config, r->present, r->services.worker_count, &why);

	if (rc)
		(void)err_set(&a->why, rc, "%s%s", why.text,
		    rc == -EACCES || rc == -EPERM
			? " (a server gives up privileges once it runs: "
			  "restart it, or choose a port from 1024 on)"
			: "");
	return rc;
}

static int keep_fixed(struct attempt *a)
{
	if (config_keep_fixed(
		a->config, a->owner->present, warn_of_fixed, NULL) == 0)
		return 0;
	return err_set(&a->why, -ENOMEM, "out of memory");
}

static int build(struct attempt *a)
{
	const struct reload_services *s = &a->owner->services;
	const struct auth_channel channel = { .tls_bits = 128 };
	int rc;

	a->config = cli_load_config(s->path, &a->report);
	if (!a->config)
		return -EINVAL;
	a->updates = calloc(s->worker_count, sizeof(*a->updates));
	if (!a->updates)
		return err_set(&a->why, -ENOMEM, "out of memory");
	rc = auth_check_config(a->config, &a->why);
	if (rc == 0)
		rc = make_tls(a);
	if (rc == 0)
		rc = keep_fixed(a);
	if (rc == 0)
		rc = open_ports(a);
	/* What follows for logins is worked out here and not on a loop. */
	if (rc == 0)
		(void)auth_mechanisms(s->auth, a->config, &channel);
	return rc;
}

/* Everything is closed and freed: nobody saw it. */
static void give_up(struct attempt *a)
{
	const struct reload_services *s = &a->owner->services;

	for (unsigned i = 0; a->updates && i < s->worker_count; i++) {
		struct worker_update *u = &a->updates[i];

		tls_set_free(u->tls);
		for (size_t k = 0; k < u->port_count; k++)
			(void)close(u->ports[k].fd);
	}
	if (a->ports.config)
		ports_forget(&a->ports, a->owner->present);
	tls_files_free(a->files);
	a->files = NULL;
	config_unref(a->config);
	a->config = NULL;
}

static void on_work(struct blocking_job *job)
{
	struct attempt *a = container_of(job, struct attempt, job);

	if (build(a) != 0)
		give_up(a);
}

/* --- on the main loop --- */

static void start(struct reload *r, const char *trigger);

static void answer(
    struct list *asked, const char *why, const struct config_report *report)
{
	list_for_each_safe (pos, tmp, asked) {
		struct admin_reload *one =
		    container_of(pos, struct admin_reload, node);

		list_remove(pos);
		one->done(one, why, report);
	}
}

static void move(struct list *from, struct list *to)
{
	list_for_each_safe (pos, tmp, from) {
		list_remove(pos);
		list_append(to, pos);
	}
}

static int share_ports(struct attempt *a)
{
	const struct reload_services *s = &a->owner->services;
	int rc = ports_keep(&a->ports, s->ports);

	for (unsigned i = 0; rc == 0 && i < s->worker_count; i++)
		rc = ports_share(&a->ports, i, s->worker_count,
		    &a->updates[i].ports, &a->updates[i].port_count);
	return rc ? err_errno(&a->why, rc, "cannot share sockets") : 0;
}

/* What can still fail when the file was good. */
static int prepare(struct attempt *a)
{
	const struct reload *r = a->owner;
	int rc = 0;

	if (a->files)
		rc = certificates_judge(
		    r->services.certificates, a->files, &a->why);
	if (rc == 0)
		rc = share_ports(a);
	if (rc == 0)
		rc = config_keep_slots(a->config, r->present, &a->why);
	/* The last: its limits are in force at once. */
	if (rc == 0 && health_configure(a->config, r->present) != 0)
		rc = err_set(&a->why, -ENOMEM, "out of memory");
	return rc;
}

static void log_problems(const struct config_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct config_problem *p = &report->problems[i];

		log_event(p->is_warning ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
		    "config_problem",
		    LOG_STR("file", config_problem_file(report, p)),
		    LOG_NUM("line", p->line), LOG_NUM("column", p->column),
		    LOG_STR("key", p->path ? p->path : ""),
		    LOG_STR(
			"problem", p->message ? p->message : "out of memory"));
	}
}

static void finish(struct attempt *a)
{
	struct reload *r = a->owner;
	const char *again = r->wanted;

	config_report_finish(&a->report);
	config_unref(a->config);
	for (unsigned i = 0; a->updates && i < r->services.worker_count; i++)
		free(a->updates[i].ports);
	free(a->updates);
	free(a);
	r->attempt = NULL;
	r->wanted = NULL;
	if (r->is_stopped)
		return;
	notify_send("READY=1\nSTATUS=accepting mail");
	if (again)
		start(r, again);
}

/* --- reload.watch --- */

static void on_settled(struct loop_timer *t)
{
	reload_request(container_of(t, struct reload, settle), "watch");
}

static void on_file_change(void *ctx)
{
	struct reload *r = ctx;

	loop_timer_start(r->services.loop, &r->settle, SETTLE_MS);
}

static void stop_watch(struct reload *r)
{
	loop_timer_stop(r->services.loop, &r->settle);
	loop_files_close(r->files);
	r->files = NULL;
}

static int watch_sources(struct reload *r, const struct config_report *read)
{
	size_t count = read->source_count;
	struct loop_file *list = calloc(count + 1, sizeof(*list));
	int rc;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct config_source *s = &read->sources[i];

		list[i].path = s->path;
		list[i].as_read = s->as_read.st_ino ? &s->as_read : NULL;
	}
	rc = loop_files_watch(r->files, list, count);
	free(list);
	return rc;
}

/*
 * As the present configuration says; the files are those that were read last,
 * as what mends one that is wrong may be done in any of them.
 */
static void follow_watch(struct reload *r, const struct config_report *read)
{
	if (r->is_stopped || !r->present->reload.watch) {
		stop_watch(r);
		return;
	}
	if (!r->files)
		r->files = loop_files_new(r->services.loop, on_file_change, r);
	if (!r->files || watch_sources(r, read) != 0)
		log_error("watch_failed", LOG_STR("reason", "out of memory"));
}

/* --- how it ends --- */

static void fail(struct attempt *a)
{
	struct reload *r = a->owner;
	char counted[64];

	(void)snprintf(counted, sizeof(counted), "%zu error%s in the file%s",
	    a->report.errors, a->report.errors == 1 ? "" : "s",
	    a->report.source_count > 1 ? "s" : "");
	const char *why = a->why.code ? a->why.text : counted;
	log_error("reload_failed", LOG_STR("reason", why),
	    LOG_STR("hint", "the configuration of before stays in use"));
	admin_reload_failed(r->services.admin);
	follow_watch(r, &a->report);
	answer(&a->asked, why, &a->report);
	finish(a);
}

static void on_all_applied(struct task *t)
{
	struct attempt *a = container_of(t, struct attempt, all_applied);
	struct reload *r = a->owner;
	struct config *old = r->present;

	r->present = config_ref(a->config);
	follow_watch(r, &a->report);
	r->services.on_config(a->config, r->services.ctx);
	log_info("reload_ok", LOG_STR("hash", a->config->hash),
	    LOG_NUM("ms", clock_mono_ms() - a->began_ms));
	answer(&a->asked, NULL, &a->report);
	config_unref(old);
	finish(a);
}

static void on_applied(struct worker_update *u)
{
	struct attempt *a = u->ctx;
	unsigned count = a->owner->services.worker_count;

	if (atomic_fetch_add(&a->applied, 1) + 1 == count)
		loop_post(a->owner->services.loop, &a->all_applied);
}

static void commit(struct attempt *a)
{
	const struct reload_services *s = &a->owner->services;

	/* First: what a worker closes then is the last of its socket. */
	ports_replace(s->ports, &a->ports);
	a->all_applied.run = on_all_applied;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct worker_update *u = &a->updates[i];

		u->config = config_ref(a->config);
		u->on_applied = on_applied;
		u->ctx = a;
		worker_update(s->workers[i], u);
	}
	certificates_follow(s->certificates, a->config, a->files);
}

static void on_built(struct blocking_job *job)
{
	struct attempt *a = container_of(job, struct attempt, job);
	struct reload *r = a->owner;

	if (r->is_stopped) {
		answer(&a->asked, stopping, NULL);
		give_up(a);
		finish(a);
		return;
	}
	log_problems(&a->report);
	if (a->config && prepare(a) != 0)
		give_up(a);
	if (a->config)
		commit(a);
	else
		fail(a);
}

static void start(struct reload *r, const char *trigger)
{
	struct attempt *a = calloc(1, sizeof(*a));
	char state[64];

	log_info("reload_start", LOG_STR("trigger", trigger));
	(void)snprintf(state, sizeof(state),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_ns() / 1000);
	notify_send(state);
	r->attempt = a;
	if (a) {
		a->owner = r;
		list_init(&a->asked);
		move(&r->asked, &a->asked);
		a->began_ms = clock_mono_ms();
		a->job = (struct blocking_job){ .loop = r->services.loop,
			.work = on_work,
			.done = on_built };
		/* The only job there is: it is taken. */
		if (blocking_submit(r->pool, &a->job) == 0)
			return;
		move(&a->asked, &r->asked);
		free(a);
		r->attempt = NULL;
	}
	answer(&r->asked, "out of memory", NULL);
	log_error("reload_failed", LOG_STR("reason", "out of memory"));
	admin_reload_failed(r->services.admin);
	notify_send("READY=1\nSTATUS=accepting mail");
}

void reload_request(struct reload *r, const char *trigger)
{
	if (r->is_stopped)
		log_warn("reload_ignored", LOG_STR("trigger", trigger),
		    LOG_STR("reason", "the server is shutting down"));
	else if (r->attempt)
		r->wanted = trigger;
	else
		start(r, trigger);
}

/* In a turn of its own: who asks is not answered inside the call. */
static void on_ask(struct task *t)
{
	struct reload *r = container_of(t, struct reload, ask);

	r->is_ask_posted = false;
	if (r->is_stopped)
		answer(&r->asked, stopping, NULL);
	else if (!list_is_empty(&r->asked))
		reload_request(r, "admin");
}

void reload_ask(struct reload *r, struct admin_reload *one)
{
	list_append(&r->asked, &one->node);
	if (!r->is_ask_posted)
		loop_post(r->services.loop, &r->ask);
	r->is_ask_posted = true;
}

void reload_stop(struct reload *r)
{
	r->is_stopped = true;
	answer(&r->asked, stopping, NULL);
	stop_watch(r);
}

struct reload *reload_new(const struct reload_services *services,
    struct config *present, const struct config_report *read, struct err *e)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r)
		r->pool = blocking_new(1, 1);
	if (!r || !r->pool) {
		(void)err_set(e, -ENOMEM, "no memory for reloads");
		free(r);
		return NULL;
	}
	r->services = *services;
	r->present = config_ref(present);
	r->ask.run = on_ask;
	list_init(&r->asked);
	loop_timer_init(&r->settle, on_settled);
	follow_watch(r, read);
	return r;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	blocking_free(r->pool);
	loop_run_late(r->services.loop);
	config_unref(r->present);
	free(r);
}
