/*
 * Rules from top to bottom, the first that matches decides. Reads nothing
 * but the snapshot it is given.
 */
#include <route/router.h>

#include <config/config.h>

static bool user_matches(const struct postern_list *names, struct span user)
{
	if (names->count == 0)
		return true;
	for (size_t i = 0; i < names->count; i++) {
		if (span_ieq(span_of(CONFIG_STRING(*names, i)), user))
			return true;
	}
	return false;
}

static bool address_matches(
    const struct postern_list *patterns, struct span address)
{
	return patterns->count == 0 || config_patterns_match(patterns, address);
}

const struct config_route *router_find(const struct config *config,
    struct span user, struct span sender, struct span recipient)
{
	for (size_t i = 0; i < config->routes.count; i++) {
		const struct config_route *route =
		    CONFIG_AT(config->routes, struct config_route, i);

		if (user_matches(&route->match.user, user) &&
		    address_matches(&route->match.sender, sender) &&
		    address_matches(&route->match.recipient, recipient))
			return route;
	}
	return NULL;
}
