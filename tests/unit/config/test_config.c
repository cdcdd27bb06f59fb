#include "fake.h"

#include <postern/provider.h>

#include <support/unit.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD                                                                   \
	"tls:\n"                                                               \
	"  certificates:\n"                                                    \
	"    - cert: ${env:POSTERN_TEST_DIR}/cert.pem\n"                       \
	"      key: ${env:POSTERN_TEST_DIR}/key.pem\n"                         \
	"users:\n"                                                             \
	"  - name: App\n"                                                      \
	"    password_hash: SCRAM-SHA-256$record\n"
#define PROVIDERS                                                              \
	"providers:\n"                                                         \
	"  - {name: main, type: fake, api_key: k1, region: eu}\n"              \
	"  - {name: spare, type: fake, api_key: k2, timeout: 5s}\n"

static struct config_report report;
static struct config *config;

static void setup(void)
{
	(void)fake_directory_make();
	report = (struct config_report){ 0 };
	fake_module_directory[0] = '\0';
}

static void teardown(void)
{
	config_report_finish(&report);
	config_unref(config);
	config = NULL;
	fake_directory_remove();
}

static void load(const char *text)
{
	const char *path = fake_file("config.yaml", text, strlen(text));

	config = config_load(path, &fake_helpers, &report);
}

static void load_good(const char *text)
{
	load(text);
	if (!config)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(report.count, 0);
}

START_TEST(has_the_documented_defaults)
{
	load_good(HEAD PROVIDERS);
	ck_assert_int_eq(config->queue.mode, CONFIG_MODE_HYBRID);
	ck_assert_uint_eq(config->queue.sync_budget_ms, 5000);
	ck_assert_uint_eq(config->queue.retry_base_ms, 5000);
	ck_assert_uint_eq(config->queue.retry_cap_ms, 15 * 60 * 1000);
	ck_assert_uint_eq(config->queue.unknown_delay_ms, 30000);
	ck_assert_uint_eq(config->queue.max_age_ms, 48 * 3600 * 1000);
	ck_assert_uint_eq(config->queue.history_ms, 7 * 24 * 3600 * 1000);
	ck_assert_uint_eq(config->smtp.max_message_size, 26214400);
	ck_assert_int_eq(config->smtp.max_recipients, 1000);
	ck_assert_uint_eq(config->smtp.header_field_bytes, 102400);
	ck_assert_uint_eq(config->smtp.command_timeout_ms, 300000);
	ck_assert_uint_eq(config->smtp.session_total_ms, 7200000);
	ck_assert(config->smtp.hide_client);
	ck_assert(!config->smtp.null_sender);
	ck_assert_uint_eq(config->auth.mechanisms.count, 6);
	ck_assert_int_eq(config->auth.workers, 2);
	ck_assert_str_eq(config->stats.address, "127.0.0.1:8587");
	ck_assert_str_eq(config->spool.path, "/var/lib/postern");
	ck_assert_uint_eq(config->shutdown.grace_ms, 25000);
	ck_assert_ptr_null(config->modules);
	ck_assert_str_eq(fake_module_directory, "");
}
END_TEST

START_TEST(listens_on_both_ports_by_default)
{
	const struct config_listener *l;

	load_good(HEAD PROVIDERS);
	ck_assert_uint_eq(config->listeners.count, 2);
	l = CONFIG_AT(config->listeners, struct config_listener, 0);
	ck_assert_str_eq(l->name, "submission");
	ck_assert_str_eq(l->address, "0.0.0.0:587");
	ck_assert_int_eq(l->tls, CONFIG_TLS_STARTTLS);
	l = CONFIG_AT(config->listeners, struct config_listener, 1);
	ck_assert_str_eq(l->address, "0.0.0.0:465");
	ck_assert_int_eq(l->tls, CONFIG_TLS_IMPLICIT);
	ck_assert(!l->allow_insecure && !l->allow_unauthenticated);
}
END_TEST

START_TEST(a_webhook_takes_events_and_no_mail)
{
	const struct config_provider *hook;
	const struct config_route *r;

	load_good(
	    HEAD PROVIDERS "webhook: {url: \"https://h.example\", secret: k3, "
			   "users: [app]}\n");
	ck_assert_uint_eq(config->providers.count, 3);
	hook = config_webhook(config);
	ck_assert_ptr_eq(
	    hook, CONFIG_AT(config->providers, struct config_provider, 2));
	ck_assert_str_eq(hook->name, "webhook");
	ck_assert(hook->is_webhook);
	ck_assert_uint_eq(hook->timeout_ms, 20000);
	ck_assert_uint_eq(hook->slot, 2);
	ck_assert_uint_eq(config->webhook.wanted, 7);
	r = CONFIG_AT(config->routes, struct config_route, 0);
	ck_assert_uint_eq(r->providers.count, 2);
}
END_TEST

START_TEST(a_webhook_that_is_commented_out_is_none)
{
	load_good(HEAD PROVIDERS "webhook:\n# url: x\n");
	ck_assert_ptr_null(config_webhook(config));
	ck_assert_uint_eq(config->providers.count, 2);
}
END_TEST

START_TEST(takes_the_name_of_the_machine)
{
	char name[256] = "";

	load_good(HEAD PROVIDERS);
	ck_assert_int_eq(gethostname(name, sizeof(name) - 1), 0);
	ck_assert_str_eq(config->hostname, name);
}
END_TEST

START_TEST(routes_all_to_all_by_default)
{
	const struct config_route *r;

	load_good(HEAD PROVIDERS);
	ck_assert_uint_eq(config->routes.count, 1);
	r = CONFIG_AT(config->routes, struct config_route, 0);
	ck_assert_str_eq(r->name, "default");
	ck_assert_uint_eq(r->providers.count, 2);
	ck_assert_str_eq(CONFIG_STRING(r->providers, 1), "spare");
	ck_assert_uint_eq(r->provider_index[1], 1);
	ck_assert_int_eq(r->unknown, CONFIG_UNKNOWN_RETRY);
	ck_assert_uint_eq(r->match.user.count, 0);
}
END_TEST

START_TEST(resolves_the_providers_of_a_route)
{
	const struct config_route *r;

	load_good(HEAD PROVIDERS "routes:\n"
				 "  - name: one\n"
				 "    match: {user: APP, sender: '@b'}\n"
				 "    providers: [spare, main]\n"
				 "    on_unknown: hold\n");
	r = CONFIG_AT(config->routes, struct config_route, 0);
	ck_assert_uint_eq(r->provider_index[0], 1);
	ck_assert_uint_eq(r->provider_index[1], 0);
	ck_assert_int_eq(r->unknown, CONFIG_UNKNOWN_HOLD);
	ck_assert_str_eq(CONFIG_STRING(r->match.sender, 0), "@b");
}
END_TEST

START_TEST(gives_each_provider_settings_of_its_module)
{
	const struct config_provider *main, *spare;
	const struct fake_settings *settings;

	load_good(HEAD PROVIDERS);
	main = CONFIG_AT(config->providers, struct config_provider, 0);
	spare = CONFIG_AT(config->providers, struct config_provider, 1);
	settings = main->settings;
	ck_assert_str_eq(main->module->name, "fake");
	ck_assert_str_eq(settings->api_key.ptr, "k1");
	ck_assert_str_eq(settings->region, "eu");
	ck_assert_uint_eq(main->timeout_ms, 60000);
	settings = spare->settings;
	ck_assert_str_eq(settings->api_key.ptr, "k2");
	ck_assert_str_eq(settings->region, "");
	ck_assert_uint_eq(spare->timeout_ms, 5000);
}
END_TEST

START_TEST(accepts_a_module_without_settings)
{
	load_good(HEAD "providers: [{name: a, type: bare}]\n");
}
END_TEST

START_TEST(announces_the_directory_of_modules)
{
	load_good("modules: /opt/modules\n" HEAD PROVIDERS);
	ck_assert_str_eq(fake_module_directory, "/opt/modules");
}
END_TEST

START_TEST(finds_a_user_in_any_case)
{
	const struct config_user *user;
	char name[300];

	load_good(HEAD PROVIDERS);
	user = config_find_user(config, SPAN("aPP"));
	ck_assert_ptr_nonnull(user);
	ck_assert_str_eq(user->name, "App");
	ck_assert_uint_eq(user->index, 0);
	ck_assert_ptr_null(config_find_user(config, SPAN("ap")));
	ck_assert_ptr_null(config_find_user(config, SPAN("")));
	memset(name, 'a', sizeof(name));
	ck_assert_ptr_null(
	    config_find_user(config, span_make(name, sizeof(name))));
}
END_TEST

START_TEST(needs_no_password_without_logins)
{
	load_good(PROVIDERS "listeners:\n"
			    "  - name: local\n"
			    "    address: 127.0.0.1:2525\n"
			    "    tls: none\n"
			    "    allow_insecure: true\n"
			    "    allow_unauthenticated: true\n"
			    "    user: robot\n"
			    "users: [{name: Robot}]\n");
	ck_assert_ptr_null(
	    CONFIG_AT(config->users, struct config_user, 0)->password_hash.ptr);
}
END_TEST

START_TEST(a_budget_is_what_its_cost_pays_for)
{
	ck_assert_int_eq(config_budget_limit(0, 0, 0), 0);
	ck_assert_int_eq(config_budget_limit(500, 0, 100), 500);
	/* 100 a million: 50 pay for half a million. */
	ck_assert_int_eq(config_budget_limit(0, 50, 100), 500000);
	ck_assert_int_eq(config_budget_limit(400000, 50, 100), 400000);
	ck_assert_int_eq(config_budget_limit(600000, 50, 100), 500000);
	ck_assert_int_eq(config_budget_limit(0, 2, 3), 666666);
	ck_assert_int_eq(config_budget_limit(0, CONFIG_BUDGET_MAX, 1),
	    CONFIG_BUDGET_MAX * 1000000);
}
END_TEST

START_TEST(switches_stats_off)
{
	load_good(HEAD PROVIDERS "stats: {address: ''}\n");
	ck_assert_str_eq(config->stats.address, "");
}
END_TEST

START_TEST(lets_ports_be_chosen)
{
	load_good(HEAD PROVIDERS "listeners:\n"
				 "  - {name: a, address: '127.0.0.1:0'}\n"
				 "  - {name: b, address: '127.0.0.1:0'}\n"
				 "stats: {address: '127.0.0.1:0'}\n");
}
END_TEST

START_TEST(returns_a_snapshot_despite_warnings)
{
	load(HEAD PROVIDERS "routes: [{name: all, providers: main}]\n");
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(report.errors, 0);
	ck_assert_uint_eq(report.warnings, 1);
	ck_assert(report.problems[0].is_warning);
}
END_TEST

START_TEST(reports_a_file_that_is_not_there)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	config = config_load("/nonexistent.yaml", &fake_helpers, &report);
	ck_assert_ptr_null(config);
	config_report_print(&report, out);
	(void)fclose(out);
	ck_assert_str_eq(text,
	    "/nonexistent.yaml: cannot be read: No such file or directory\n"
	    "1 error, 0 warnings\n");
	free(text);
}
END_TEST

START_TEST(prints_nothing_when_all_is_well)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	load_good(HEAD PROVIDERS);
	config_report_print(&report, out);
	config_report_print_json(&report, out);
	(void)fclose(out);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(reports_json_from_the_same_parts)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *object;

	load(HEAD PROVIDERS "\"thr\\u00e4ds\\e\": 1\n");
	ck_assert_ptr_null(config);
	config_report_print_json(&report, out);
	(void)fclose(out);
	object = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "file")),
	    report.sources[0].path);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(object, "line")), 11);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(object, "column")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(object, "path")),
	    "thr\xc3\xa4"
	    "ds?");
	ck_assert_str_eq(
	    json_string_value(json_object_get(object, "severity")), "error");
	ck_assert_ptr_nonnull(json_object_get(object, "message"));
	json_decref(object);
	free(text);
}
END_TEST

static const struct {
	const char *pattern, *address;
	bool matches;
} patterns[] = {
	{ "*", "a@b", true },
	{ "*", "", true },
	{ "a@b.example", "A@B.Example", true },
	{ "a@b.example", "aa@b.example", false },
	{ "@b.example", "any@B.EXAMPLE", true },
	{ "@b.example", "any@a.b.example", false },
	{ "@b.example", "\"x@b.example\"@c.example", false },
	{ "@b.example", "@b.example", true },
	{ "@b.example", "b.example", false },
	{ "@b.example", "", false },
	{ "a@b.example", "", false },
};

START_TEST(matches_a_pattern)
{
	ck_assert(config_pattern_matches(patterns[_i].pattern,
		      span_of(patterns[_i].address)) == patterns[_i].matches);
}
END_TEST

START_TEST(matches_any_of_several_patterns)
{
	const char *items[] = { "a@b", "@c" };
	struct postern_list list = { items, 2 }, none = { NULL, 0 };

	ck_assert(config_patterns_match(&list, SPAN("x@c")));
	ck_assert(!config_patterns_match(&list, SPAN("x@b")));
	ck_assert(!config_patterns_match(&none, SPAN("x@b")));
}
END_TEST

/* --- sharing --- */

static void *share(void *arg)
{
	struct config *c = arg;

	for (int i = 0; i < 10000; i++) {
		config_ref(c);
		config_unref(c);
	}
	config_unref(c);
	return NULL;
}

START_TEST(is_freed_by_whoever_is_last)
{
	pthread_t threads[4];

	load_good(HEAD PROVIDERS);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, share,
				     config_ref(config)),
		    0);
	config_unref(config);
	config = NULL;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	config_unref(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.config");
	TCase *t = tcase_create("load");
	TCase *shared = tcase_create("shared");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, has_the_documented_defaults);
	tcase_add_test(t, listens_on_both_ports_by_default);
	tcase_add_test(t, takes_the_name_of_the_machine);
	tcase_add_test(t, routes_all_to_all_by_default);
	tcase_add_test(t, a_webhook_takes_events_and_no_mail);
	tcase_add_test(t, a_webhook_that_is_commented_out_is_none);
	tcase_add_test(t, resolves_the_providers_of_a_route);
	tcase_add_test(t, gives_each_provider_settings_of_its_module);
	tcase_add_test(t, accepts_a_module_without_settings);
	tcase_add_test(t, announces_the_directory_of_modules);
	tcase_add_test(t, finds_a_user_in_any_case);
	tcase_add_test(t, needs_no_password_without_logins);
	tcase_add_test(t, a_budget_is_what_its_cost_pays_for);
	tcase_add_test(t, switches_stats_off);
	tcase_add_test(t, lets_ports_be_chosen);
	tcase_add_test(t, returns_a_snapshot_despite_warnings);
	tcase_add_test(t, reports_a_file_that_is_not_there);
	tcase_add_test(t, prints_nothing_when_all_is_well);
	tcase_add_test(t, reports_json_from_the_same_parts);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(shared, setup, teardown);
	tcase_add_loop_test(shared, matches_a_pattern, 0,
	    sizeof(patterns) / sizeof(patterns[0]));
	tcase_add_test(shared, matches_any_of_several_patterns);
	tcase_add_test(shared, is_freed_by_whoever_is_last);
	suite_add_tcase(s, shared);
	return s;
}

UNIT_MAIN(make_suite)
