/*
 * Which providers may carry this, in which order. Pure: the same snapshot and
 * the same envelope give the same answer.
 */
#pragma once

#include <base/span.h>

#include <stddef.h>

struct config;
struct config_route;

/* First matching route, or NULL when none matches. */
const struct config_route *router_find(const struct config *config,
    struct span user, struct span sender, struct span recipient);
