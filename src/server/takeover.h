/*
 * A second process takes over the listening sockets of the one that serves a
 * spool, so that no client is refused meanwhile: the sockets stay open, and
 * who connects waits in their queues.
 *
 *   new                                   running
 *   takeover_ask      -- connects -->     sends its sockets, goes on
 *   takeover_take     (its configuration is good, privileges are dropped)
 *   takeover_finish   -- "go" -->         accepts no more, drains, closes the
 *                                         store, ends
 *                     <-- end --
 *   opens the store and accepts
 *
 * If the new one fails before "go", nothing has happened. They meet at a
 * socket in the spool, which only the account of the server can open.
 */
#pragma once

#include <base/err.h>
#include <net/listener.h>

#include <stdbool.h>
#include <stdint.h>

struct config_listener;
struct loop;
struct ports;
struct takeover;
struct takeover_offer;

/* --- the new process; main thread, blocks --- */

/*
 * Get the sockets of the process that serves the spool. NULL with e->code 0
 * when there is none; NULL with e filled when it does not answer.
 */
struct takeover *takeover_ask(const char *spool, struct err *e);
/*
 * Move to out the sockets of a listener with that address; of several, as with
 * port 0, of the one with that name. *is_kept as in struct port. 0 or -ENOMEM.
 */
int takeover_take(struct takeover *t, const struct config_listener *l,
    struct listener_set *out, bool *is_kept);
/*
 * Have it end, and wait until it has closed its store. Frees t, which may be
 * NULL. 0 or a negative errno with e filled.
 */
int takeover_finish(struct takeover *t, struct err *e);

/* --- the running one; the loop's thread --- */

/*
 * Offer the sockets of p to who asks for them. on_taken runs at most once: from
 * then on another process accepts on them. NULL with e filled.
 */
struct takeover_offer *takeover_offer(struct loop *l, const char *spool,
    struct ports *p, void (*on_taken)(int64_t pid, void *ctx), void *ctx,
    struct err *e);
/* Offer nothing any more; one that took over still waits. Accepts NULL. */
void takeover_offer_stop(struct takeover_offer *o);
/* The store is closed: the other one may go on. Accepts NULL. */
void takeover_offer_free(struct takeover_offer *o);
