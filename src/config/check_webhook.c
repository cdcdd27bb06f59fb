/* The part of check.h about the webhook, and the provider it becomes. */
#include <config/check.h>

#include <config/field.h>
#include <config/report.h>
#include <config/tables.h>

#include <base/counters.h>
#include <postern/provider.h>

static const char *const event_names[] = { [CONFIG_EVENT_SENT] = "sent",
	[CONFIG_EVENT_DEFERRED] = "deferred",
	[CONFIG_EVENT_FAILED] = "failed" };

/* Its key may be there with every line below it commented out. */
static bool is_configured(const struct node *map)
{
	const struct node *n = map ? map->first : NULL;

	while (n && n->is_preset)
		n = n->next;
	return n != NULL;
}

/* The item that list's element i was made of. */
static const struct node *item_of(const struct node *list, size_t i)
{
	const struct node *n = list->type == NODE_SEQUENCE ? list->first : list;

	while (n && i-- > 0)
		n = n->next;
	return n;
}

static void check_events(
    struct check *c, const struct node *map, struct config_webhook *w)
{
	const struct node *list = node_get(map, "events");
	size_t known = sizeof(event_names) / sizeof(event_names[0]);

	for (size_t i = 0; i < w->events.count; i++) {
		const char *name = CONFIG_STRING(w->events, i);
		size_t k = 0;

		while (name && k < known && strcmp(event_names[k], name) != 0)
			k++;
		if (name && k == known)
			report_error(c->report, item_of(list, i),
			    "must be sent, deferred or failed");
		else if (name)
			w->wanted |= 1u << k;
	}
	if (list && list->type == NODE_SEQUENCE && w->events.count == 0)
		report_error(c->report, list, "must name at least one event");
}

static void check_users_of(
    struct check *c, const struct node *map, const struct config_webhook *w)
{
	const struct node *list = node_get(map, "users");

	for (size_t i = 0; i < w->users.count; i++) {
		const char *name = CONFIG_STRING(w->users, i);

		if (name && !check_has_user(c, name))
			report_error(c->report, item_of(list, i),
			    "is not the name of a user");
	}
}

/* Behind those of the file, where no route but its own can name it. */
static int add_provider(struct check *c, struct config_webhook *w)
{
	struct arena *arena = c->decoder->values;
	struct postern_list *list = &c->config->providers;
	struct config_provider *all =
	    arena_alloc(arena, (list->count + 1) * sizeof(*all));
	const char **name = arena_alloc(arena, sizeof(*name));
	size_t *index = arena_alloc(arena, sizeof(*index));

	if (!all || !name || !index)
		return -1;
	if (list->count > 0)
		memcpy(all, list->items, list->count * sizeof(*all));
	all[list->count] = w->provider;
	*index = list->count;
	*name = w->provider.name;
	*list = (struct postern_list){ all, list->count + 1 };
	w->route.name = w->provider.name;
	w->route.providers = (struct postern_list){ name, 1 };
	w->route.provider_index = index;
	return 0;
}

void check_webhook(struct check *c)
{
	struct config_webhook *w = &c->config->webhook;
	struct node *n = node_get(c->root, "webhook");
	struct err e = { 0 };

	if (!n || n->type != NODE_MAP || !is_configured(n))
		return;
	check_events(c, n, w);
	check_users_of(c, n, w);
	check_breaker(c, node_get(n, "breaker"), &w->provider.breaker);
	w->provider.name = w->provider.type = CONFIG_WEBHOOK;
	w->provider.is_webhook = true;
	w->provider.module = c->helpers->load_module(CONFIG_WEBHOOK, &e);
	if (!w->provider.module) {
		report_error(c->report, n, "%s", e.text);
		return;
	}
	w->provider.carries = w->provider.module->flags;
	check_settings(c, n, tables_webhook, &w->provider);
	if (c->config->providers.count >= COUNTER_PROVIDERS_MAX)
		report_error(c->report, n,
		    "needs a place beside at most %d providers",
		    COUNTER_PROVIDERS_MAX - 1);
	else if (add_provider(c, w) != 0)
		report_error(c->report, n, "out of memory");
}
