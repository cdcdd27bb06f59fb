/*
 * The endpoint of a running server: probes, metrics, figures and "where is my
 * mail", read-only. Lives on the main loop; all functions on its thread.
 */
#pragma once

#include <base/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin;
struct config;
struct counters;
struct loop;
struct peers;
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
 * What there is to look at; everything must outlive the admin. counters and
 * loops are parallel, one of each per worker.
 */
struct admin_services {
	struct config *config;
	const struct counters *const *counters;
	struct loop *const *loops;
	size_t worker_count;
	struct store *store;          /* either store may be NULL */
	struct store *volatile_store; /* asked second for a message */
	struct quota *quota;          /* may be NULL */
	struct peers *peers;          /* may be NULL */
	const struct admin_tls *tls;  /* may be NULL */
};

/*
 * Start watching the workers, and listening on config->stats.address unless
 * that is empty. services is copied and takes a reference on the
 * configuration. NULL with e filled.
 */
struct admin *admin_new(
    struct loop *l, const struct admin_services *services, struct err *e);
/* on_closed runs on the loop, never inside this call; a is gone then. */
void admin_close(struct admin *a, void (*on_closed)(void *ctx), void *ctx);
/* Of the endpoint; 0 when it is off. */
int admin_port(const struct admin *a);
/* A reload succeeded: from now on this snapshot is shown. */
void admin_set_config(struct admin *a, struct config *config);
/* A reload failed; the old snapshot stays. */
void admin_reload_failed(struct admin *a);
/* /readyz fails from now on. */
void admin_set_draining(struct admin *a);
/* No worker is stuck and the store is not broken: what /livez answers. */
bool admin_is_live(const struct admin *a);
