/*
 * Rules from top to bottom, the first that matches decides. Reads nothing
 * but the snapshot it is given.
 */
#include <route/router.h>

#include <config/config.h>
#include <postern/provider.h>

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

static bool is_from(
    const struct config_route *route, struct span user, struct span sender)
{
	return user_matches(&route->match.user, user) &&
	       address_matches(&route->match.sender, sender);
}

const struct config_route *router_find(const struct config *config,
    struct span user, struct span sender, struct span recipient)
{
	for (size_t i = 0; i < config->routes.count; i++) {
		const struct config_route *route =
		    CONFIG_AT(config->routes, struct config_route, i);

		if (is_from(route, user, sender) &&
		    address_matches(&route->match.recipient, recipient))
			return route;
	}
	return NULL;
}

size_t router_next(const struct config *config,
    const struct config_route *route, size_t from, unsigned needs)
{
	for (; from < route->providers.count; from++) {
		const struct config_provider *p = CONFIG_AT(config->providers,
		    struct config_provider, route->provider_index[from]);

		if ((p->module->flags & needs) == needs)
			break;
	}
	return from;
}

size_t router_count(const struct config *config,
    const struct config_route *route, unsigned needs)
{
	size_t count = 0, end = route->providers.count;

	for (size_t i = router_next(config, route, 0, needs); i < end;
	     i = router_next(config, route, i + 1, needs))
		count++;
	return count;
}

bool router_may_carry(const struct config *config, struct span user,
    struct span sender, unsigned needs)
{
	for (size_t i = 0; i < config->routes.count; i++) {
		const struct config_route *route =
		    CONFIG_AT(config->routes, struct config_route, i);

		if (!is_from(route, user, sender))
			continue;
		if (router_next(config, route, 0, needs) <
		    route->providers.count)
			return true;
		if (route->match.recipient.count == 0)
			return false; /* no later one is ever reached */
	}
	return false;
}
