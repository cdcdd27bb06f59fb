/*
 * Where a recipient of a round goes: its route, the order of the providers of
 * that, and the one of them whose turn it is; and when there is to be another
 * round.
 */
#include <deliver/deliver_internal.h>

#include <mail/controls.h>
#include <route/retry.h>

#include <string.h>

/* The message as rules see it; NULL when there is none. */
static struct router_message *rules_of(struct delivery *d)
{
	if (!d->message)
		return NULL;
	d->rules.header = message_header(d->message);
	d->rules.size = message_size(d->message);
	d->rules.traits = message_traits(d->message);
	return &d->rules;
}

struct span round_named(const struct message *m)
{
	return m ? controls_providers(message_header(m)) : SPAN("");
}

const struct config_route *round_route(struct delivery *d, size_t i)
{
	const struct config_route *reports = &d->config->dsn.route;
	const struct router_ask ask = { .user = d->user,
		.sender = d->sender,
		.recipient = d->recipients[i].address,
		.message = rules_of(d) };

	if (d->is_event)
		return config_webhook(d->config) ? &d->config->webhook.route
						 : NULL;
	if (d->is_report)
		return reports->providers.count > 0 ? reports : NULL;
	return router_find(d->config, &ask);
}

/* --- providers --- */

static void read_used(const struct delivery *d,
    const struct config_route *route, uint64_t used[COUNTER_PROVIDERS_MAX])
{
	for (size_t i = 0; i < route->providers.count; i++)
		used[i] = health_spent_today(
		    delivery_provider(d, route->provider_index[i])->account);
}

const struct router_order *round_order(
    struct delivery *d, const struct config_route *route)
{
	struct round_order *o = d->orders;
	uint64_t used[COUNTER_PROVIDERS_MAX];

	while (o && o->order.route != route)
		o = o->next;
	if (o)
		return &o->order;
	o = arena_alloc(&d->arena, sizeof(*o));
	if (!o)
		return NULL;
	if (route->strategy == CONFIG_STRATEGY_LEAST_USED)
		read_used(d, route, used);
	router_arrange(route, d->id, round_named(d->message), used, &o->order);
	o->next = d->orders;
	d->orders = o;
	return &o->order;
}

/* SIZE_MAX when no provider has that name any more. */
static size_t find_provider(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);

		if (strcmp(p->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

size_t round_provider_count(const struct delivery *d, size_t i)
{
	const struct target *t = &d->targets[i];
	size_t count = 0, at = 0;

	if (d->recipients[i].is_pinned || !t->order)
		return 1;
	for (; (at = round_position(d, i, at)) != SIZE_MAX; at++)
		count++;
	return count > 0 ? count : 1;
}

size_t round_provider_index(const struct delivery *d, size_t i)
{
	const struct target *t = &d->targets[i];

	if (d->recipients[i].is_pinned)
		return find_provider(d->config, d->recipients[i].provider);
	return router_provider(t->order, t->position);
}

size_t round_position(const struct delivery *d, size_t i, size_t from)
{
	const struct target *t = &d->targets[i];
	size_t at = router_next(d->config, t->order, from, t->needs);

	return at < t->order->count ? at : SIZE_MAX;
}

/* Rounds behind a recipient, from its attempts: providers per round vary. */
uint64_t round_backoff_ms(const struct delivery *d, size_t i)
{
	const struct config_queue *q = &d->config->queue;
	size_t per_round = round_provider_count(d, i);
	size_t rounds = (d->recipients[i].attempts + per_round - 1) / per_round;

	return retry_delay_ms(q->retry_base_ms, q->retry_cap_ms,
	    (uint32_t)rounds, d->targets[i].floor_ms, d->random);
}

uint64_t round_unknown_ms(const struct delivery *d, size_t i)
{
	const struct config_queue *q = &d->config->queue;

	return retry_delay_ms(q->unknown_delay_ms, q->retry_cap_ms,
	    d->recipients[i].attempts, q->unknown_delay_ms, d->random);
}
