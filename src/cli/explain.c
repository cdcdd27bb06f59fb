/*
 * `postern explain`: what would be done with a message, and why. Reads the
 * configuration as the server does, and neither its store nor its memory: what
 * only those know is named as such.
 */
#include <cli/cli.h>

#include <cli/explain.h>
#include <mail/controls.h>
#include <mail/mime.h>
#include <mail/traits.h>
#include <route/router.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
	USAGE = 2,
	MEMORY_MAX = 512 * 1024 * 1024
};

static const char usage[] =
    "usage: postern explain FILE [-c FILE] [--user NAME] [--from ADDRESS]\n"
    "                       [--to ADDRESS]... [--provider NAME | --all]\n"
    "                       [--json]\n"
    "\n"
    "Says what the server would do with the message in FILE (- is stdin):\n"
    "whether it is taken, what is altered, which route it goes, and the\n"
    "request as curl would send it, secrets masked. Nothing is sent.\n"
    "Sender and recipients are those of its header unless they are given.\n"
    "--provider asks about one provider, --all compares all there are.\n"
    "Exit codes: 0 it would be handed to a provider, 1 it would not.\n";

/* --- options --- */

static bool add_recipient(struct explain_options *o, const char *address)
{
	const char **grown = realloc(o->to, (o->to_count + 1) * sizeof(*o->to));

	if (!grown)
		return false;
	o->to = grown;
	o->to[o->to_count++] = address;
	return true;
}

static bool take_option(struct explain_options *o, int c)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return true;
	case 'u':
		o->user = optarg;
		return true;
	case 'f':
		o->sender = optarg;
		return true;
	case 't':
		return add_recipient(o, optarg);
	case 'p':
		o->provider = optarg;
		return true;
	case 'a':
		o->is_all = true;
		return true;
	case 'j':
		o->is_json = true;
		return true;
	default:
		return false;
	}
}

/* 0; 1 when the answer was the help; or 2. */
static int read_options(int argc, char **argv, struct explain_options *o)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "provider", required_argument, NULL, 'p' },
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (!take_option(o, c))
			return USAGE;
	}
	if (optind + 1 != argc || (o->is_all && o->provider))
		return USAGE;
	o->file = argv[optind];
	return 0;
}

/* --- ways --- */

static const struct config_provider *provider_at(
    const struct explain *x, size_t i)
{
	return CONFIG_AT(x->config->providers, struct config_provider, i);
}

/* In the order of the strategy, for this message. */
static int offer_route(struct explain *x, struct explain_group *g)
{
	/* What each was handed today only the server knows. */
	static const uint64_t used[COUNTER_PROVIDERS_MAX];
	struct span only =
	    controls_providers(message_header(x->letter.message));
	struct router_order order;

	g->is_unnamed = only.len > 0 && !router_names_any(g->route, only);
	if (g->is_unnamed)
		return 0;
	router_arrange(g->route, x->letter.id, only, used, &order);
	g->offers = arena_alloc(&x->arena, order.count * sizeof(*g->offers));
	if (!g->offers)
		return -ENOMEM;
	for (; g->offer_count < order.count; g->offer_count++)
		explain_offer_make(&g->offers[g->offer_count], &x->letter,
		    provider_at(x, router_provider(&order, g->offer_count)),
		    g->recipients, g->count, &x->arena);
	return 0;
}

/* All, or the one that was asked about; never the one of events. */
static int offer_configured(struct explain *x, struct explain_group *g)
{
	const char *name = x->options.provider;
	size_t count = x->config->providers.count;

	g->offers = arena_alloc(&x->arena, count * sizeof(*g->offers));
	if (!g->offers)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct config_provider *p = provider_at(x, i);

		if (p->is_webhook || (name && strcmp(p->name, name) != 0))
			continue;
		explain_offer_make(&g->offers[g->offer_count++], &x->letter, p,
		    g->recipients, g->count, &x->arena);
	}
	return 0;
}

static struct explain_group *add_group(struct explain *x)
{
	size_t most = x->letter.envelope.recipient_count;
	struct explain_group *g = &x->groups[x->group_count];

	g->recipients = arena_alloc(&x->arena, most * sizeof(*g->recipients));
	if (!g->recipients)
		return NULL;
	x->group_count++;
	return g;
}

/* Why none of the routes before is the one. */
static int find_misfits(
    struct explain *x, struct explain_group *g, const struct router_ask *ask)
{
	g->misfits =
	    arena_alloc(&x->arena, (g->index + 1) * sizeof(*g->misfits));
	for (size_t i = 0; g->misfits && i < g->index; i++)
		g->misfits[i] = router_misfit(x->config, i, ask);
	return g->misfits ? 0 : -ENOMEM;
}

/* Where a recipient goes by the rules, with those who go there, too. */
static int route_recipient(
    struct explain *x, const struct router_ask *ask, unsigned needs)
{
	const struct config_route *routes = x->config->routes.items;
	const struct config_route *route = router_find(x->config, ask);
	struct explain_group *g = NULL;

	for (size_t i = 0; i < x->group_count; i++) {
		if (x->groups[i].route == route && x->groups[i].needs == needs)
			g = &x->groups[i];
	}
	if (!g) {
		g = add_group(x);
		if (!g)
			return -ENOMEM;
		g->route = route;
		g->needs = needs;
		g->index =
		    route ? (size_t)(route - routes) : x->config->routes.count;
		if (find_misfits(x, g, ask) < 0)
			return -ENOMEM;
	}
	g->recipients[g->count++] = ask->recipient;
	return 0;
}

static int find_routes(struct explain *x)
{
	const struct explain_letter *l = &x->letter;
	struct router_message message = { .header = message_header(l->message),
		.size = message_size(l->message),
		.traits = message_traits(l->message) };
	struct router_ask ask = { .user = l->envelope.user,
		.sender = l->envelope.sender,
		.message = &message };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->envelope.recipient_count; i++) {
		ask.recipient = l->envelope.recipients[i].address;
		rc = route_recipient(x, &ask,
		    traits_needed_for(
			l->needs, &l->envelope.terms, ask.recipient));
	}
	for (size_t i = 0; rc == 0 && i < x->group_count; i++) {
		if (x->groups[i].route)
			rc = offer_route(x, &x->groups[i]);
	}
	return rc;
}

/* Everybody together, whatever the routes say. */
static int compare(struct explain *x)
{
	const struct envelope *e = &x->letter.envelope;
	struct explain_group *g = add_group(x);

	if (!g)
		return -ENOMEM;
	for (size_t i = 0; i < e->recipient_count; i++)
		g->recipients[g->count++] = e->recipients[i].address;
	return offer_configured(x, g);
}

static int explain(struct explain *x, struct err *e)
{
	int rc = explain_letter_make(&x->letter, x->config, &x->options, e);

	if (rc < 0 || !x->letter.message)
		return rc;
	x->groups = arena_alloc(
	    &x->arena, x->letter.envelope.recipient_count * sizeof(*x->groups));
	if (!x->groups)
		rc = -ENOMEM;
	else if (x->options.is_all || x->options.provider)
		rc = compare(x);
	else
		rc = find_routes(x);
	return rc < 0 ? err_errno(e, rc, "it cannot be explained") : 0;
}

/* --- the command --- */

static bool is_handed_over(const struct explain_group *g)
{
	for (size_t i = 0; i < g->offer_count; i++) {
		if (g->offers[i].verdict == EXPLAIN_BUILT ||
		    g->offers[i].verdict == EXPLAIN_NO_SIGHT)
			return true;
	}
	return false;
}

static int exit_code(const struct explain *x)
{
	for (size_t i = 0; i < x->group_count; i++) {
		if (!is_handed_over(&x->groups[i]))
			return EXIT_FAILURE;
	}
	return x->group_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool has_provider(const struct config *c, const char *name)
{
	for (size_t i = 0; name && i < c->providers.count; i++) {
		if (strcmp(CONFIG_AT(c->providers, struct config_provider, i)
			       ->name,
			name) == 0)
			return true;
	}
	return !name;
}

static int run(struct explain *x)
{
	struct err e = { .code = 0 };

	if (!has_provider(x->config, x->options.provider))
		(void)err_set(&e, -EINVAL, "there is no provider %s",
		    x->options.provider);
	else
		(void)explain(x, &e);
	if (e.code < 0) {
		(void)fprintf(stderr, "postern explain: %s\n", e.text);
		return e.code == -EINVAL ? USAGE : EXIT_FAILURE;
	}
	if (x->options.is_json)
		explain_print_json(x);
	else
		explain_print(x);
	return exit_code(x);
}

int cli_explain(int argc, char **argv)
{
	struct explain x = { .options = { .config = cli_config_path() } };
	struct config_report report = { 0 };
	int rc = read_options(argc, argv, &x.options);
	struct config *config;

	if (rc) {
		(void)fputs(usage, rc == 1 ? stdout : stderr);
		free(x.options.to);
		return rc == 1 ? EXIT_SUCCESS : USAGE;
	}
	mime_library_init();
	config = cli_load_config(x.options.config, &report);
	x.config = config;
	arena_init(&x.arena, MEMORY_MAX);
	if (config) {
		rc = run(&x);
		explain_letter_finish(&x.letter);
	} else {
		config_report_print(&report, stderr);
		rc = EX_CONFIG;
	}
	arena_finish(&x.arena);
	config_report_finish(&report);
	config_unref(config);
	free(x.options.to);
	return rc;
}
