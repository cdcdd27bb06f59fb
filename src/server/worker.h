/*
 * One worker: a loop and everything that lives on it. Made and freed by the
 * server on the main thread; in between it belongs to its own.
 */
#pragma once

#include <base/counters.h>
#include <base/err.h>
#include <base/id.h>
#include <loop/task.h>
#include <store/store.h>

#include <stdbool.h>
#include <stdint.h>

struct auth;
struct blocking;
struct config;
struct deliver;
struct loop;
struct quota;
struct peers;
struct pressure;
struct throttle;
struct port;
struct tls_set;
struct worker;

/*
 * What all workers share, borrowed for their life; and the TLS contexts, which
 * the worker takes over.
 */
struct worker_services {
	struct config *config;
	struct auth *auth;
	struct quota *quota;
	struct store *store, *volatile_store;
	struct blocking *pool;
	struct peers *peers;
	struct pressure *pressure;
	struct throttle *reports;
	struct tls_set *tls; /* this worker's own; NULL without certificates */
	/* Runs on the worker's thread when it has nothing left to do. */
	void (*on_finished)(struct worker *w, void *ctx);
	void *ctx;
};

/* ports: where it accepts; taken over. NULL with e filled. */
struct worker *worker_new(unsigned index, const struct worker_services *s,
    const struct port *ports, size_t count, struct err *e);
int worker_start(struct worker *w);

enum {
	WORKER_BACKLOG_MAX = 256 /* a fraction of a millisecond of its loop */
};

/*
 * Messages left from the last run. The giver's until worker_take_backlog, then
 * the worker's until on_taken, which runs on its thread.
 */
struct worker_backlog {
	struct task task;
	struct worker *worker;
	size_t count;
	bool is_last;
	void (*on_taken)(struct worker_backlog *b);
	void *ctx;
	struct store_pending pending[WORKER_BACKLOG_MAX];
};

/* Before worker_start: its queue is not known to be empty before the last. */
void worker_expect_backlog(struct worker *w);
/* Any thread. */
void worker_take_backlog(struct worker *w, struct worker_backlog *b);

/*
 * What a reload brings one worker. The server's until worker_update, then the
 * worker's until on_applied, which runs on its thread.
 */
struct worker_update {
	struct task task;
	struct worker *worker;
	struct config *config; /* a reference, taken over */
	struct tls_set *tls;   /* likewise; NULL without certificates */
	struct port *ports; /* where it accepts; the descriptors are its own */
	size_t port_count;
	void (*on_applied)(struct worker_update *u);
	void *ctx;
};

/*
 * Any thread. From the next connection, message and attempt on the worker
 * goes by u->config; sessions and attempts under way keep what they have.
 * Listeners nobody mentions are closed once those who wait there are let in.
 */
void worker_update(struct worker *w, struct worker_update *u);
/*
 * Any thread. Stop accepting, let sessions and deliveries end, at the latest
 * after grace_ms; then on_finished. A second call with 0 cuts it short.
 */
void worker_stop(struct worker *w, uint64_t grace_ms);
/*
 * Before worker_stop: another process accepts on its sockets from now on, so
 * who waits there waits for that one. Any thread.
 */
void worker_hand_over(struct worker *w);
/* After on_finished. */
void worker_join(struct worker *w);
void worker_free(struct worker *w); /* accepts NULL */

/*
 * Any thread: sessions that begin from now on use set, which the worker takes
 * over; those there are keep what they have. In order with worker_update: the
 * last of both holds. 0 or -ENOMEM.
 */
int worker_set_tls(struct worker *w, struct tls_set *set);

/* How many of them a configuration wants. */
unsigned worker_count_wanted(const struct config *c);

const struct counters *worker_counters(const struct worker *w);
struct loop *worker_loop(const struct worker *w);
struct deliver *worker_deliver(const struct worker *w);
