/*
 * Rules from top to bottom, the first that matches decides; then the order of
 * its providers. Reads nothing but what it is given.
 */
#include <route/router.h>

#include <config/config.h>
#include <config/content.h>
#include <mail/controls.h>
#include <route/rule.h>

/* --- rules --- */

enum fit {
	FIT_NO = 0,
	FIT_UNKNOWN, /* what decides it is not known yet */
	FIT_YES
};

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

static bool header_matches(const struct postern_list *rules, struct span header)
{
	if (rules->count == 0)
		return true;
	for (size_t i = 0; i < rules->count; i++) {
		if (rule_fits_header(span_of(CONFIG_STRING(*rules, i)), header))
			return true;
	}
	return false;
}

static bool content_matches(const struct postern_list *words, unsigned traits)
{
	if (words->count == 0)
		return true;
	for (size_t i = 0; i < words->count; i++) {
		struct span word = span_of(CONFIG_STRING(*words, i));

		if (content_bits(content_words, word) & traits)
			return true;
	}
	return false;
}

static bool looks_at_message(const struct config_match *match)
{
	return match->header.count > 0 || match->content.count > 0 ||
	       match->min_size > 0 || match->max_size > 0;
}

/* The key that the message does not fit, or NULL. */
static const char *message_misfit(
    const struct config_match *match, const struct router_message *m)
{
	if (m->size < match->min_size)
		return "min_size";
	if (match->max_size > 0 && m->size > match->max_size)
		return "max_size";
	if (!content_matches(&match->content, m->traits))
		return "content";
	return header_matches(&match->header, m->header) ? NULL : "header";
}

static enum fit fit_message(
    const struct config_match *match, size_t route, struct router_message *m)
{
	enum {
		MEMO_NO = 1,
		MEMO_YES
	};

	if (!looks_at_message(match))
		return FIT_YES;
	if (!m)
		return FIT_UNKNOWN;
	uint8_t *memo = route < ROUTER_MEMO_MAX ? &m->memo[route] : NULL;
	if (memo && *memo)
		return *memo == MEMO_YES ? FIT_YES : FIT_NO;
	bool fits = !message_misfit(match, m);
	if (memo)
		*memo = fits ? MEMO_YES : MEMO_NO;
	return fits ? FIT_YES : FIT_NO;
}

static enum fit fit_recipient(
    const struct config_match *match, struct span recipient)
{
	if (match->recipient.count > 0 && !recipient.ptr)
		return FIT_UNKNOWN;
	return address_matches(&match->recipient, recipient) ? FIT_YES : FIT_NO;
}

/* Of route number i; what costs little first. */
static enum fit fit_route(
    const struct config *config, size_t i, const struct router_ask *ask)
{
	const struct config_match *match =
	    &CONFIG_AT(config->routes, struct config_route, i)->match;
	enum fit recipient, message;

	if (!user_matches(&match->user, ask->user) ||
	    !address_matches(&match->sender, ask->sender))
		return FIT_NO;
	recipient = fit_recipient(match, ask->recipient);
	if (recipient == FIT_NO)
		return FIT_NO;
	message = fit_message(match, i, ask->message);
	return message < recipient ? message : recipient;
}

const struct config_route *router_find(
    const struct config *config, const struct router_ask *ask)
{
	for (size_t i = 0; i < config->routes.count; i++) {
		if (fit_route(config, i, ask) == FIT_YES)
			return CONFIG_AT(
			    config->routes, struct config_route, i);
	}
	return NULL;
}

const char *router_misfit(
    const struct config *config, size_t i, const struct router_ask *ask)
{
	const struct config_match *match =
	    &CONFIG_AT(config->routes, struct config_route, i)->match;

	if (!user_matches(&match->user, ask->user))
		return "user";
	if (!address_matches(&match->sender, ask->sender))
		return "sender";
	if (fit_recipient(match, ask->recipient) != FIT_YES)
		return "recipient";
	return ask->message ? message_misfit(match, ask->message) : NULL;
}

bool router_may_carry(
    const struct config *config, const struct router_ask *ask, unsigned needs)
{
	for (size_t i = 0; i < config->routes.count; i++) {
		const struct config_route *route =
		    CONFIG_AT(config->routes, struct config_route, i);
		enum fit fit = fit_route(config, i, ask);

		if (fit == FIT_NO)
			continue;
		if (router_count(config, route, SPAN(""), needs) > 0)
			return true;
		if (fit == FIT_YES)
			return false; /* no later one is ever reached */
	}
	return false;
}

/* --- their providers --- */

/* What of needs the provider at a place of the route does not have. */
static unsigned lacks(const struct config *config,
    const struct config_route *route, size_t place, unsigned needs)
{
	const struct config_provider *p = CONFIG_AT(config->providers,
	    struct config_provider, route->provider_index[place]);

	return needs & ~p->carries;
}

/* Whether the provider at a place of the route is in the list. */
static bool is_named(
    const struct config_route *route, size_t place, struct span list)
{
	struct span name = span_of(CONFIG_STRING(route->providers, place));
	struct span word;

	while (control_next(&list, &word)) {
		if (span_eq(word, name))
			return true;
	}
	return false;
}

bool router_names_any(const struct config_route *route, struct span only)
{
	for (size_t i = 0; i < route->providers.count; i++) {
		if (is_named(route, i, only))
			return true;
	}
	return false;
}

size_t router_provider(const struct router_order *order, size_t position)
{
	return order->route->provider_index[order->at[position]];
}

size_t router_next(const struct config *config,
    const struct router_order *order, size_t from, unsigned needs)
{
	while (from < order->count &&
	       lacks(config, order->route, order->at[from], needs))
		from++;
	return from;
}

static bool may_take(
    const struct config_route *route, size_t place, struct span only)
{
	return only.len == 0 || is_named(route, place, only);
}

size_t router_count(const struct config *config,
    const struct config_route *route, struct span only, unsigned needs)
{
	size_t count = 0;

	for (size_t i = 0; i < route->providers.count; i++)
		count += may_take(route, i, only) &&
			 lacks(config, route, i, needs) == 0;
	return count;
}

unsigned router_missing(const struct config *config,
    const struct config_route *route, struct span only, unsigned needs)
{
	unsigned by_all = needs, by_any = 0;

	for (size_t i = 0; i < route->providers.count; i++) {
		if (!may_take(route, i, only))
			continue;
		by_all &= lacks(config, route, i, needs);
		by_any |= lacks(config, route, i, needs);
	}
	return by_all ? by_all : by_any;
}

/* --- their order --- */

static uint64_t weight_of(const struct config_route *route, size_t place)
{
	return route->weight ? route->weight[place] : 1;
}

/*
 * As in the file, but those without weight at the end. Returns how many have
 * one.
 */
static size_t line_up(struct router_order *o, struct span only)
{
	size_t all = o->route->providers.count, n = 0, weighty;

	for (size_t i = 0; i < all; i++)
		if (may_take(o->route, i, only) && weight_of(o->route, i) > 0)
			o->at[n++] = (uint8_t)i;
	weighty = n;
	for (size_t i = 0; i < all; i++)
		if (may_take(o->route, i, only) && weight_of(o->route, i) == 0)
			o->at[n++] = (uint8_t)i;
	o->count = n;
	return weighty;
}

static void bring_forward(struct router_order *o, size_t from, size_t to)
{
	uint8_t moved = o->at[from];

	for (; from > to; from--)
		o->at[from] = o->at[from - 1];
	o->at[to] = moved;
}

/* The next of a sequence that looks random (splitmix64). */
static uint64_t next_number(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* One of at[from, end), each as likely as its weight says. */
static size_t draw(
    const struct router_order *o, size_t from, size_t end, uint64_t number)
{
	uint64_t total = weight_of(o->route, o->at[from]), at;

	for (size_t i = from + 1; i < end; i++)
		total += weight_of(o->route, o->at[i]);
	at = number % total;
	for (; from + 1 < end; from++) {
		uint64_t weight = weight_of(o->route, o->at[from]);

		if (at < weight)
			break;
		at -= weight;
	}
	return from;
}

/* Of at[from, end) the one that had the least for its weight. */
static size_t least(
    const struct router_order *o, size_t from, size_t end, const uint64_t *used)
{
	size_t best = from;

	for (size_t i = from + 1; i < end; i++) {
		uint8_t a = o->at[i], b = o->at[best];

		if (used[a] * weight_of(o->route, b) <
		    used[b] * weight_of(o->route, a))
			best = i;
	}
	return best;
}

void router_arrange(const struct config_route *route, struct id message,
    struct span only, const uint64_t *used, struct router_order *out)
{
	uint64_t state = id_hash(message);
	size_t weighty;

	out->route = route;
	weighty = line_up(out, only);
	if (route->strategy == CONFIG_STRATEGY_FAILOVER)
		return;
	for (size_t k = 0; k + 1 < weighty; k++) {
		size_t next = route->strategy == CONFIG_STRATEGY_WEIGHTED
				  ? draw(out, k, weighty, next_number(&state))
				  : least(out, k, weighty, used);

		bring_forward(out, next, k);
	}
}
