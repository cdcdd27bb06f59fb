/* `postern check`: read a configuration as the server would, and say so. */
#include <cli/cli.h>

#include <base/clock.h>
#include <cli/online.h>
#include <config/config.h>
#include <provider/provider.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
	USAGE = 2
};

struct options {
	const char *path;
	bool is_json, is_online;
};

static bool parse_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			o->is_json = true;
		} else if (strcmp(argv[i], "--online") == 0) {
			o->is_online = true;
		} else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			o->path = argv[++i];
		} else {
			(void)fprintf(stderr,
			    "postern check: unknown argument '%s'\n"
			    "usage: postern check [-c FILE] [--json] "
			    "[--online]\n"
			    "--online asks the providers, too, and fails (1) "
			    "when one is of no use\n",
			    argv[i]);
			return false;
		}
	}
	return true;
}

/*
 * Where a provider's credentials would come from, were the server started
 * here and now: the first step looks around, but nothing is fetched.
 */
static void print_source(const struct config_provider *p)
{
	struct provider_preparation *c = provider_preparation_new(
	    p->module, p->settings, &provider_world_real);

	if (!c)
		return;
	if (provider_preparation_step(c, clock_wall_ms() / 1000) ==
	    PROVIDER_STEP_REFUSED)
		(void)printf("provider %s: no credentials here: %s\n", p->name,
		    provider_preparation_reason(c));
	else
		(void)printf("provider %s: credentials from %s\n", p->name,
		    provider_preparation_source(c));
	provider_preparation_free(c);
}

static void print_sources(const struct config *c)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);

		if (provider_prepares(p->module))
			print_source(p);
	}
}

/* Exit code: whether all of the providers are as they should be. */
static int ask_providers(const struct config *c, bool is_json)
{
	int wrong = online_check(c, is_json);

	if (wrong < 0)
		(void)fprintf(stderr, "postern check: cannot ask: %s\n",
		    strerror(-wrong));
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cli_check(int argc, char **argv)
{
	struct options options = { .path = cli_config_path() };
	struct config_report report = { 0 };
	struct config *config;
	int code;

	if (!parse_options(argc, argv, &options))
		return USAGE;
	config = cli_load_config(options.path, &report);
	if (options.is_json)
		config_report_print_json(&report, stdout);
	else
		config_report_print(&report, stderr);
	if (config && !options.is_json) {
		if (!options.is_online)
			print_sources(config);
		(void)printf("%s: ok\n", options.path);
	}
	code = config ? EXIT_SUCCESS : EX_CONFIG;
	if (config && options.is_online)
		code = ask_providers(config, options.is_json);
	config_report_finish(&report);
	config_unref(config);
	return code;
}
