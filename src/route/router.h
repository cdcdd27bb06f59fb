/*
 * Which providers may carry this, in which order. Pure: the same snapshot and
 * the same envelope give the same answer.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_route;

/* First matching route, or NULL when none matches. */
const struct config_route *router_find(const struct config *config,
    struct span user, struct span sender, struct span recipient);
/*
 * Position in the route's providers of the first from `from` on whose module
 * has all of needs (POSTERN_CARRIES_*); their count when there is none.
 */
size_t router_next(const struct config *config,
    const struct config_route *route, size_t from, unsigned needs);
/* How many of them there are. */
size_t router_count(const struct config *config,
    const struct config_route *route, unsigned needs);
/*
 * Whether a provider with all of needs may come into question for some
 * recipient; which one is not known yet.
 */
bool router_may_carry(const struct config *config, struct span user,
    struct span sender, unsigned needs);
