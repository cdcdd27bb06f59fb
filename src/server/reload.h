/*
 * A changed configuration in a running server: the whole of it, or nothing. A
 * new snapshot with contexts and sockets is made on a thread of its own; only
 * when all is there the workers get it, and from their answers on it is the
 * server's. One at a time. Main thread.
 */
#pragma once

#include <base/err.h>

struct admin;
struct admin_reload;
struct auth;
struct certificates;
struct config;
struct config_report;
struct loop;
struct ports;
struct reload;
struct worker;

/* What must be told, and who tells; all outlives the reload. */
struct reload_services {
	const char *path; /* of the configuration */
	struct loop *loop;
	struct auth *auth;
	struct admin *admin;
	struct certificates *certificates;
	struct ports *ports; /* changed by a reload */
	struct worker *const *workers;
	unsigned worker_count;
	/* All workers have it: it is the server's now. Borrowed. */
	void (*on_config)(struct config *c, void *ctx);
	void *ctx;
};

/*
 * present: what the workers were made with; a reference is taken. read: the
 * report of its loading, for this call. Before threads run. NULL with e filled.
 */
struct reload *reload_new(const struct reload_services *services,
    struct config *present, const struct config_report *read, struct err *e);
/* Read the files again; while one reload runs, once more after it. */
void reload_request(struct reload *r, const char *trigger);
/* The same for who waits for its end; see admin.h. */
void reload_ask(struct reload *r, struct admin_reload *one);
/* No more of them: the server goes down. */
void reload_stop(struct reload *r);
/* After the workers have ended; waits for a thread that reads. Accepts NULL. */
void reload_free(struct reload *r);
