/*
 * Which providers may carry a message, in which order. Pure: the same snapshot
 * and the same question give the same answer.
 */
#pragma once

#include <base/counters.h>
#include <base/id.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_route;

enum {
	ROUTER_MEMO_MAX = 256
};

/* A message in the eyes of rules. Used with one snapshot only. */
struct router_message {
	struct span header; /* as it will be sent; borrowed */
	uint64_t size;
	unsigned traits; /* what it holds: POSTERN_CARRIES_* */
	/* The router's, zeroed: what the first routes made of it, so that it
	 * is looked at once and not for each recipient. */
	uint8_t memo[ROUTER_MEMO_MAX];
};

/* Who sends what to whom. */
struct router_ask {
	struct span user, sender;
	struct span recipient;          /* ptr NULL: not known yet */
	struct router_message *message; /* NULL: likewise */
};

/*
 * First matching route, or NULL when none matches. What is not known yet fits
 * only a route that does not ask for it.
 */
const struct config_route *router_find(
    const struct config *config, const struct router_ask *ask);
/*
 * For people: the key of `match` by which route number i is not the one, or
 * NULL when it matches. Of a message that is known.
 */
const char *router_misfit(
    const struct config *config, size_t i, const struct router_ask *ask);
/*
 * Whether a provider with all of needs (POSTERN_CARRIES_*) may come into
 * question: what is not known yet may turn out to fit.
 */
bool router_may_carry(
    const struct config *config, const struct router_ask *ask, unsigned needs);

/* The providers of a route in the order in which one message tries them. */
struct router_order {
	const struct config_route *route;
	size_t count;
	uint8_t at[COUNTER_PROVIDERS_MAX]; /* places in the route's list */
};

/*
 * `only` below is a list of names, with commas, that a message may use of its
 * route's providers; empty: of all of them.
 */

/*
 * As the route's strategy says, of those in `only`. weighted: drawn anew for
 * each message, but by its id, so that retries keep it. least_used: by used,
 * what each provider of the route has had; NULL is fine for the others.
 */
void router_arrange(const struct config_route *route, struct id message,
    struct span only, const uint64_t *used, struct router_order *out);
/* The provider at a position of order, as an index in config.providers. */
size_t router_provider(const struct router_order *order, size_t position);
/*
 * The first position from `from` on that has all of needs; the count of order
 * when there is none.
 */
size_t router_next(const struct config *config,
    const struct router_order *order, size_t from, unsigned needs);
/* How many of a route's providers have all of needs, of those in `only`. */
size_t router_count(const struct config *config,
    const struct config_route *route, struct span only, unsigned needs);
/*
 * When there are none: of needs what all of them lack, else what any of them
 * lacks.
 */
unsigned router_missing(const struct config *config,
    const struct config_route *route, struct span only, unsigned needs);
/* Whether one of the route's providers is in the list. */
bool router_names_any(const struct config_route *route, struct span only);
