/* The part of check.h about providers, and the routes that lead to them. */
#include <config/check.h>

#include <config/content.h>
#include <config/field.h>
#include <config/report.h>
#include <config/tables.h>
#include <config/words.h>

#include <base/counters.h>
#include <postern/provider.h>

enum {
	WEIGHT_MAX = 1000000,
	HEADER_RULE_MAX = 256 /* what matching costs grows with it */
};

static size_t find_provider(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(config->providers, struct config_provider, i);

		if (p->name && strcmp(p->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* --- providers --- */

void check_settings(struct check *c, struct node *n,
    const struct postern_field *ours, struct config_provider *p)
{
	const struct postern_provider *module = p->module;
	size_t before = c->report->errors;
	const char *why = NULL;
	void *settings =
	    arena_alloc(c->decoder->values, module->settings_size + 1);

	if (!settings) {
		report_error(c->report, n, "out of memory");
		return;
	}
	field_decode(c->decoder, n, module->fields, ours, settings);
	p->settings = settings;
	if (module->check && c->report->errors == before)
		why = module->check(settings);
	if (why)
		report_error(c->report, n, "%s", why);
}

void check_breaker(
    struct check *c, const struct node *n, const struct config_breaker *breaker)
{
	if (breaker->open_ms > breaker->open_max_ms)
		report_error(c->report, node_get(n, "open"),
		    "must not be longer than open_max");
}

/* What it carries, and what it may get all the same. */
static void check_content(
    struct check *c, const struct node *n, struct config_provider *p)
{
	p->carries = p->module->flags & ~(unsigned)POSTERN_NEEDS_CONTENT;
	p->carries |= check_words(
	    c, n, "allow_altering", &p->allow_altering, content_words);
}

/* A cost needs a price, and must pay for somebody. */
static void check_cost(struct check *c, const struct node *n, const char *key,
    int64_t cost, int64_t price_per_million)
{
	if (cost == 0)
		return;
	if (price_per_million == 0)
		report_error(c->report, node_get(n, key),
		    "means nothing without price_per_million");
	else if (config_budget_limit(0, cost, price_per_million) == 0)
		report_error(c->report, node_get(n, key),
		    "is less than one recipient costs");
}

static void check_budget(
    struct check *c, const struct node *n, const struct config_budget *budget)
{
	if (budget->per_month > 0 && budget->per_day > budget->per_month)
		report_error(c->report, node_get(n, "per_day"),
		    "must not be more than per_month");
	if (budget->cost_per_month > 0 &&
	    budget->cost_per_day > budget->cost_per_month)
		report_error(c->report, node_get(n, "cost_per_day"),
		    "must not be more than cost_per_month");
	check_cost(c, n, "cost_per_day", budget->cost_per_day,
	    budget->price_per_million);
	check_cost(c, n, "cost_per_month", budget->cost_per_month,
	    budget->price_per_million);
}

static void check_provider(
    struct check *c, struct node *n, struct config_provider *p)
{
	struct err e = { 0 };

	check_name(c, n, p->name);
	if (p->name && find_provider(c->config, p->name) < n->index)
		report_error(c->report, node_get(n, "name"),
		    "is the name of another provider");
	if (!p->type)
		return;
	if (strcmp(p->type, CONFIG_WEBHOOK) == 0) {
		report_error(c->report, node_get(n, "type"),
		    "is no type of provider: it carries no mail, only events "
		    "(see webhook)");
		return;
	}
	if (p->name && strcmp(p->name, CONFIG_WEBHOOK) == 0)
		report_error(c->report, node_get(n, "name"),
		    "is kept for who takes events (see webhook)");
	check_breaker(c, node_get(n, "breaker"), &p->breaker);
	check_budget(c, node_get(n, "budget"), &p->budget);
	p->module = c->helpers->load_module(p->type, &e);
	if (!p->module) {
		report_error(c->report, node_get(n, "type"), "%s", e.text);
		return;
	}
	check_content(c, n, p);
	check_settings(c, n, tables_provider, p);
	if (p->module->limits.recipients > 0 &&
	    p->max_recipients > (int64_t)p->module->limits.recipients)
		report_error(c->report, node_get(n, "max_recipients"),
		    "must be at most %u for type %s",
		    p->module->limits.recipients, p->type);
}

void check_providers(struct check *c)
{
	struct config_provider *providers = c->config->providers.items;
	const struct postern_list *list = &c->config->providers;
	const struct node *all = node_get(c->root, "providers");

	if (all && all->type == NODE_SEQUENCE && all->count == 0)
		report_error(c->report, all, "must have an entry");
	if (list->count > COUNTER_PROVIDERS_MAX) {
		report_error(c->report, all,
		    "must have at most %d entries, has %zu",
		    COUNTER_PROVIDERS_MAX, list->count);
		return;
	}
	if (c->config->modules && c->helpers->set_module_directory)
		c->helpers->set_module_directory(c->config->modules);
	for (struct node *n = check_first(c, "providers", list); n; n = n->next)
		if (n->type == NODE_MAP)
			check_provider(c, n, &providers[n->index]);
}

/* --- routes --- */

static void report_no_provider(
    struct check *c, const struct node *n, const char *name)
{
	struct words_nearest nearest = words_nearest_to(span_of(name));

	for (size_t i = 0; i < c->config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->config->providers, struct config_provider, i);

		if (p->name)
			words_nearest_offer(&nearest, p->name);
	}
	report_error(c->report, n, "is not the name of a provider%s%s%s",
	    nearest.best ? " (did you mean " : "",
	    nearest.best ? nearest.best : "", nearest.best ? "?)" : "");
}

static void resolve_providers(
    struct check *c, const struct node *n, struct config_route *route)
{
	const struct node *list = node_get(n, "providers");
	const struct node *item;

	if (!list || route->providers.count == 0)
		return;
	item = list->type == NODE_SEQUENCE ? list->first : list;
	for (size_t i = 0; i < route->providers.count; i++, item = item->next) {
		const char *name = CONFIG_STRING(route->providers, i);
		size_t index = name ? find_provider(c->config, name) : SIZE_MAX;

		route->provider_index[i] = index;
		if (name && index == SIZE_MAX)
			report_no_provider(c, item, name);
		for (size_t j = 0; j < i && index != SIZE_MAX; j++)
			if (route->provider_index[j] == index)
				report_error(
				    c->report, item, "is in this list already");
	}
}

/* Which a field of a header can fit; see route/rule.h. */
static bool is_header_rule(struct span rule)
{
	struct span rest = rule;
	struct span name = span_trim(span_cut(&rest, ':'));

	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f)
			return false;
	return name.len > 0 && rule.len <= HEADER_RULE_MAX;
}

static void check_headers(
    struct check *c, const struct node *map, const struct postern_list *rules)
{
	const struct node *n = node_get(map, "header");
	const struct node *item;

	if (!n || rules->count == 0)
		return;
	item = n->type == NODE_SEQUENCE ? n->first : n;
	for (size_t i = 0; i < rules->count; i++, item = item->next) {
		const char *rule = CONFIG_STRING(*rules, i);

		if (rule && !is_header_rule(span_of(rule)))
			report_error(c->report, item,
			    "must be the name of a header field or \"Name: "
			    "pattern\", at most %d bytes",
			    HEADER_RULE_MAX);
	}
}

static void check_match(
    struct check *c, const struct node *n, const struct config_match *match)
{
	const struct node *map = node_get(n, "match");
	const struct node *users = node_get(map, "user");
	const struct node *item;

	check_patterns(c, map, "sender", &match->sender);
	check_patterns(c, map, "recipient", &match->recipient);
	check_headers(c, map, &match->header);
	(void)check_words(c, map, "content", &match->content, content_words);
	if (match->max_size > 0 && match->min_size > match->max_size)
		report_error(c->report, node_get(map, "min_size"),
		    "must not be more than max_size");
	if (!users || match->user.count == 0)
		return;
	item = users->type == NODE_SEQUENCE ? users->first : users;
	for (size_t i = 0; i < match->user.count; i++, item = item->next) {
		const char *name = CONFIG_STRING(match->user, i);

		if (name && !check_has_user(c, name))
			report_error(
			    c->report, item, "is not the name of a user");
	}
}

static bool matches_everything(const struct config_route *route)
{
	const struct config_match *m = &route->match;

	return m->user.count == 0 && m->sender.count == 0 &&
	       m->recipient.count == 0 && m->header.count == 0 &&
	       m->content.count == 0 && m->min_size == 0 && m->max_size == 0;
}

/* Numbers, one for each provider; too many or too few are reported. */
static void take_weights(
    struct check *c, const struct node *list, struct config_route *route)
{
	const struct node *item =
	    list->type == NODE_SEQUENCE ? list->first : list;
	unsigned long long weight, sum = 0;

	for (size_t i = 0; i < route->weights.count; i++, item = item->next) {
		const char *text = CONFIG_STRING(route->weights, i);

		if (!text)
			return;
		if (!span_parse_u64(span_of(text), WEIGHT_MAX, &weight)) {
			report_error(c->report, item,
			    "must be a number from 0 to %d", WEIGHT_MAX);
			return;
		}
		route->weight[i] = (uint32_t)weight;
		sum += weight;
	}
	if (sum == 0)
		report_error(c->report, list, "must not all be 0");
}

static void check_weights(
    struct check *c, const struct node *n, struct config_route *route)
{
	const struct node *list = node_get(n, "weights");
	size_t count = route->weights.count;

	if (!list || count == 0)
		return;
	if (route->strategy == CONFIG_STRATEGY_FAILOVER) {
		report_error(c->report, list,
		    "needs a strategy other than failover (write strategy: "
		    "weighted)");
		return;
	}
	if (count != route->providers.count) {
		report_error(c->report, list,
		    "must have as many entries as providers, %zu, has %zu",
		    route->providers.count, count);
		return;
	}
	route->weight =
	    arena_alloc(c->decoder->values, count * sizeof(*route->weight));
	if (route->weight)
		take_weights(c, list, route);
	else
		report_error(c->report, n, "out of memory");
}

static void check_route_providers(
    struct check *c, const struct node *n, struct config_route *route)
{
	const struct node *list = node_get(n, "providers");

	if (route->providers.count > COUNTER_PROVIDERS_MAX) {
		report_error(c->report, list,
		    "must have at most %d entries, has %zu",
		    COUNTER_PROVIDERS_MAX, route->providers.count);
		return;
	}
	route->provider_index = arena_alloc(
	    c->decoder->values, (route->providers.count + 1) * sizeof(size_t));
	if (route->provider_index)
		resolve_providers(c, n, route);
	else
		report_error(c->report, n, "out of memory");
}

static void check_route(
    struct check *c, const struct node *n, struct config_route *routes)
{
	struct config_route *route = &routes[n->index];
	const struct node *list = node_get(n, "providers");

	check_name(c, n, route->name);
	for (size_t i = 0; route->name && i < n->index; i++)
		if (routes[i].name && strcmp(routes[i].name, route->name) == 0)
			report_error(c->report, node_get(n, "name"),
			    "is the name of another route");
	if (list && list->type == NODE_SEQUENCE && list->count == 0)
		report_error(
		    c->report, list, "must name at least one provider");
	check_route_providers(c, n, route);
	check_weights(c, n, route);
	check_match(c, n, &route->match);
}

/* Reports that arrive as something else are of no use to programs. */
static void check_dsn_providers(
    struct check *c, const struct node *n, const struct config_route *route)
{
	const struct node *list = node_get(n, "providers");
	const struct node *item =
	    list->type == NODE_SEQUENCE ? list->first : list;

	for (size_t i = 0; i < route->providers.count; i++, item = item->next) {
		size_t index =
		    route->provider_index ? route->provider_index[i] : SIZE_MAX;
		const struct config_provider *p;

		if (index == SIZE_MAX)
			continue;
		p = CONFIG_AT(
		    c->config->providers, struct config_provider, index);
		if (p->module && !(p->carries & POSTERN_CARRIES_REPORTS))
			report_error(c->report, item,
			    "cannot carry reports: type %s alters them (name "
			    "one that does, or give it allow_altering: "
			    "[report])",
			    p->type);
	}
}

/* Before check_routes, which asks who is used. */
void check_dsn(struct check *c)
{
	struct config_dsn *dsn = &c->config->dsn;
	const struct node *n = node_get(c->root, "dsn");
	struct span from = span_of(dsn->from);

	dsn->route.name = "dsn";
	if (dsn->route.providers.count == 0)
		return;
	check_route_providers(c, n, &dsn->route);
	check_dsn_providers(c, n, &dsn->route);
	if (!dsn->from)
		report_error(
		    c->report, n, "needs from, the address reports come from");
	else if (from.ptr[0] == '@' || !span_is_ascii(from) ||
		 strpbrk(from.ptr, "<>()[]\\,;:\"") ||
		 !words_is_pattern(from) || span_eq(from, SPAN("*")))
		report_error(c->report, node_get(n, "from"),
		    "must be an address (postmaster@example.com)");
}

/* Without routes every message goes to the first provider that takes it. */
static void make_default_route(struct check *c)
{
	size_t count = c->config->providers.count;
	struct arena *arena = c->decoder->values;
	struct config_route *route = arena_alloc(arena, sizeof(*route));
	const char **names = arena_alloc(arena, (count + 1) * sizeof(*names));
	size_t *index = arena_alloc(arena, (count + 1) * sizeof(*index));

	if (!route || !names || !index) {
		report_error(c->report, c->root, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		names[i] =
		    CONFIG_AT(c->config->providers, struct config_provider, i)
			->name;
		index[i] = i;
	}
	route->name = "default";
	route->providers = (struct postern_list){ names, count };
	route->provider_index = index;
	c->config->routes = (struct postern_list){ route, 1 };
}

static bool is_used_by(const struct config_route *route, size_t provider)
{
	for (size_t i = 0; i < route->providers.count; i++)
		if (route->provider_index &&
		    route->provider_index[i] == provider)
			return true;
	return false;
}

static bool is_used(const struct config *config, size_t provider)
{
	for (size_t i = 0; i < config->routes.count; i++)
		if (is_used_by(
			CONFIG_AT(config->routes, struct config_route, i),
			provider))
			return true;
	return is_used_by(&config->dsn.route, provider);
}

/* What is no mistake, and yet hardly meant. */
static void warn_of_unused(struct check *c, const struct node *first_route)
{
	const struct config_route *routes = c->config->routes.items;
	const struct node *n;
	bool is_shadowed = false;

	for (n = first_route; n; n = n->next) {
		if (is_shadowed)
			report_warning(c->report, n,
			    "is never reached: a route above matches "
			    "everything");
		is_shadowed |= matches_everything(&routes[n->index]);
	}
	n = check_first(c, "providers", &c->config->providers);
	for (; n; n = n->next)
		if (!is_used(c->config, n->index))
			report_warning(
			    c->report, n, "is not used by any route");
}

void check_routes(struct check *c)
{
	struct node *all = node_get(c->root, "routes");
	struct node *first = check_first(c, "routes", &c->config->routes);

	if (!all || (all->type == NODE_SEQUENCE && all->count == 0)) {
		make_default_route(c);
		return;
	}
	for (const struct node *n = first; n; n = n->next)
		if (n->type == NODE_MAP)
			check_route(c, n, c->config->routes.items);
	if (first && c->report->errors == 0)
		warn_of_unused(c, first);
}
