/*
 * The endpoints of a running server. At the address for statistics: probes,
 * metrics, figures and "where is my mail", read-only. At a unix socket the same
 * and what operators may do. Lives on the main loop; all functions on its
 * thread.
 */
#pragma once

#include <base/err.h>
#include <base/list.h>
#include <deliver/operate.h>
#include <loop/task.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin;
struct config;
struct config_report;
struct counters;
struct loop;
struct peers;
struct pressure;
struct quota;
struct store;

/* A certificate in use; texts are the owner's of struct admin_tls. */
struct admin_certificate {
	const char *file, *name;
	int64_t not_after_s; /* since 1970 */
};

/* Certificates in use, kept up to date by who replaces them. */
struct admin_tls {
	const struct admin_certificate *certificates;
	size_t count;
	bool is_current; /* the files hold what is in use */
};

/*
 * Somebody asked for a reload and waits. Owned by who asks, until done runs:
 * exactly once, on the main loop, never inside the call that asks.
 */
struct admin_reload {
	struct list node; /* of who reloads */
	/*
	 * why: NULL, the new configuration is in use; else what was wrong.
	 * report: problems of the file; NULL when it was not read. Borrowed.
	 */
	void (*done)(struct admin_reload *r, const char *why,
	    const struct config_report *report);
};

/*
 * One operation on its way to the worker that has the message, and back. Owned
 * by who asks, until done runs: once, on the main loop, never inside the call
 * that asks.
 */
struct admin_operation {
	struct deliver_operation op; /* but for done */
	void (*done)(struct admin_operation *o);
	/* Of who carries it: */
	struct task task;
	void *carrier;
	unsigned hop;
	bool is_last;
};

/*
 * What there is to look at; everything must outlive the admin. counters and
 * loops are parallel, one of each per worker.
 */
struct admin_services {
	struct config *config;
	const struct counters *const *counters;
	struct loop *const *loops;
	size_t worker_count;
	struct store *store;             /* either store may be NULL */
	struct store *volatile_store;    /* asked second for a message */
	const struct pressure *pressure; /* may be NULL */
	struct quota *quota;             /* may be NULL */
	struct peers *peers;             /* may be NULL */
	const struct admin_tls *tls;     /* may be NULL */
	/* What is served at a unix socket; that is taken over, -1: none. */
	int socket;
	void (*reload)(struct admin_reload *r, void *ctx);
	void (*operate)(struct admin_operation *o, void *ctx);
	void *ctx;
};

/*
 * Start watching the workers, and listening on config->stats.address unless
 * that is empty, and on the socket. services is copied and takes a reference
 * on the configuration. NULL with e filled.
 */
struct admin *admin_new(
    struct loop *l, const struct admin_services *services, struct err *e);
/* on_closed runs on the loop, never inside this call; a is gone then. */
void admin_close(struct admin *a, void (*on_closed)(void *ctx), void *ctx);
/* Of the address for statistics; 0 when it is off. */
int admin_port(const struct admin *a);
/* A reload succeeded: from now on this snapshot is shown. */
void admin_set_config(struct admin *a, struct config *config);
/* A reload failed; the old snapshot stays. */
void admin_reload_failed(struct admin *a);
/* /readyz fails from now on. */
void admin_set_draining(struct admin *a);
/* No worker is stuck and the store is not broken: what /livez answers. */
bool admin_is_live(const struct admin *a);
