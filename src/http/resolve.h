/*
 * Host names to addresses, looked up on the blocking pool so that a slow
 * resolver stalls neither a loop nor curl. Answers are kept for a minute and
 * served stale while a fresh one is fetched. The names asked for come from
 * the configuration, so their number is bounded. One per loop, its thread.
 */
#pragma once

#include <base/list.h>
#include <base/span.h>

#include <stdbool.h>

struct blocking;
struct loop;
struct resolver;

enum {
	RESOLVE_ADDRESSES_MAX = 8,
	RESOLVE_TEXT_SIZE = RESOLVE_ADDRESSES_MAX * 48
};

/* Somebody who waits for a name; embedded in the owner. */
struct resolve_query {
	struct list node; /* the resolver's */
	/*
	 * addresses: "192.0.2.1,[2001:db8::1]", borrowed; NULL when the name
	 * has none, and then error says why.
	 */
	void (*done)(
	    struct resolve_query *q, const char *addresses, const char *error);
};

struct resolver *resolver_new(struct loop *l, struct blocking *pool);
/*
 * The addresses of host when they are known (borrowed, valid until the loop
 * turns); else NULL with *out_rc 0, and q->done will run, or a negative
 * errno, and it will not.
 */
const char *resolver_lookup(
    struct resolver *r, struct span host, struct resolve_query *q, int *out_rc);
/* done will not run. Fine for a query that does not wait. */
void resolver_cancel(struct resolve_query *q);
/*
 * Nobody may wait any more. on_closed runs once no job is under way, with the
 * memory gone; inside this call when none is.
 */
void resolver_close(
    struct resolver *r, void (*on_closed)(void *ctx), void *ctx);
/* Whether host is an address already; IPv6 without brackets. */
bool resolve_is_literal(struct span host);
