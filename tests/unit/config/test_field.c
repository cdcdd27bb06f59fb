/* Rows of the module "fake" in fake.c, decoded through a provider. */
#include "fake.h"

#include <config/field.h>
#include <config/node.h>
#include <config/report.h>

#include <postern/provider.h>

#include <support/unit.h>

#include <stdio.h>
#include <string.h>

static struct arena values, nodes;
static struct config_report report;
static struct field_decoder decoder;
static struct fake_settings settings;
static struct node *root;

static void setup(void)
{
	(void)fake_directory_make();
	arena_init(&values, 1024 * 1024);
	arena_init(&nodes, 1024 * 1024);
	report = (struct config_report){ 0 };
	settings = (struct fake_settings){ .is_test = false };
	decoder = (struct field_decoder){
		.values = &values, .nodes = &nodes, .report = &report
	};
}

static void teardown(void)
{
	config_report_finish(&report);
	arena_finish(&values);
	arena_finish(&nodes);
	fake_directory_remove();
}

static void decode(const char *text)
{
	struct err e = { 0 };
	const struct postern_provider *module =
	    fake_helpers.load_module("fake", &e);

	root = node_parse(span_of(text), NODE_MAP, &nodes, &report);
	ck_assert_ptr_nonnull(root);
	field_decode(&decoder, root, module->fields, NULL, &settings);
}

static void assert_problem(size_t i, const char *path, const char *message)
{
	ck_assert_uint_lt(i, report.count);
	ck_assert_str_eq(report.problems[i].path, path);
	ck_assert_str_eq(report.problems[i].message, message);
}

START_TEST(decodes_presets_as_if_written)
{
	decode("api_key: k");
	ck_assert_uint_eq(report.errors + report.warnings, 0);
	ck_assert_str_eq(settings.url, "https://api.example.com/v1");
	ck_assert_str_eq(settings.region, "");
	ck_assert_uint_eq(settings.tags.count, 2);
	ck_assert_str_eq(CONFIG_STRING(settings.tags, 1), "two");
	ck_assert_str_eq(settings.oauth.scope, "send");
	ck_assert_ptr_null(settings.oauth.client_id);
	ck_assert_ptr_null(settings.other_key.ptr);
	ck_assert_uint_eq(settings.pools.count, 0);
	ck_assert_ptr_nonnull(node_get(node_get(root, "oauth"), "scope"));
}
END_TEST

START_TEST(decodes_every_type)
{
	const struct fake_pool *pools;

	decode("api_key: k\n"
	       "url: http://[::1]:8025/x\n"
	       "region: ${env:POSTERN_TEST_NOT_SET:-eu}\n"
	       "tags: [a, 'b c', \"d\"]\n"
	       "oauth: {client_id: me}\n"
	       "pools:\n"
	       "  - name: one\n"
	       "  - {name: two, weight: 7}\n"
	       "test: true\n");
	ck_assert_uint_eq(report.errors + report.warnings, 0);
	ck_assert_str_eq(settings.api_key.ptr, "k");
	ck_assert_uint_eq(settings.api_key.len, 1);
	ck_assert_str_eq(settings.url, "http://[::1]:8025/x");
	ck_assert_str_eq(settings.region, "eu");
	ck_assert_uint_eq(settings.tags.count, 3);
	ck_assert_str_eq(CONFIG_STRING(settings.tags, 1), "b c");
	ck_assert_str_eq(settings.oauth.client_id, "me");
	pools = settings.pools.items;
	ck_assert_uint_eq(settings.pools.count, 2);
	ck_assert_str_eq(pools[0].name, "one");
	ck_assert_int_eq(pools[0].weight, 1);
	ck_assert_int_eq(pools[1].weight, 7);
	ck_assert(settings.is_test);
}
END_TEST

START_TEST(takes_one_value_for_a_list_of_strings)
{
	decode("{api_key: k, tags: lone}");
	ck_assert_uint_eq(settings.tags.count, 1);
	ck_assert_str_eq(CONFIG_STRING(settings.tags, 0), "lone");
}
END_TEST

START_TEST(takes_an_empty_list_of_strings)
{
	decode("{api_key: k, tags: []}");
	ck_assert_uint_eq(report.errors, 0);
	ck_assert_uint_eq(settings.tags.count, 0);
}
END_TEST

START_TEST(takes_a_map_with_all_lines_commented_out)
{
	decode("api_key: k\noauth:\n#  client_id: me\n");
	ck_assert_uint_eq(report.errors, 1);
	assert_problem(0, "oauth.client_id", "is missing (who asks)");
}
END_TEST

START_TEST(reads_a_secret_from_its_file)
{
	decode("api_key_file: ${env:POSTERN_TEST_DIR}/secret");
	ck_assert_uint_eq(report.errors + report.warnings, 0);
	ck_assert_str_eq(settings.api_key.ptr, "s3cret");
	ck_assert_uint_eq(settings.api_key.len, 6);
}
END_TEST

START_TEST(reads_a_secret_by_reference)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "api_key: pre-${file:%s/secret}",
	    getenv("POSTERN_TEST_DIR"));
	decode(text);
	ck_assert_uint_eq(report.errors + report.warnings, 0);
	ck_assert_str_eq(settings.api_key.ptr, "pre-s3cret");
}
END_TEST

START_TEST(reads_a_secret_from_a_credential)
{
	(void)setenv("CREDENTIALS_DIRECTORY", getenv("POSTERN_TEST_DIR"), 1);
	decode("api_key: credential:secret");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_uint_eq(report.errors + report.warnings, 0);
	ck_assert_str_eq(settings.api_key.ptr, "s3cret");
}
END_TEST

/* A warning where the folder of the tests lies in memory. */
START_TEST(refuses_a_secret_everybody_may_read)
{
	decode("api_key_file: ${env:POSTERN_TEST_DIR}/open");
	ck_assert_uint_eq(report.errors + report.warnings, 1);
	ck_assert_ptr_nonnull(strstr(
	    report.problems[0].message, "/open may be read by everybody"));
	ck_assert_str_eq(settings.api_key.ptr, "s3cret");
}
END_TEST

START_TEST(refuses_an_empty_secret)
{
	decode("api_key_file: ${env:POSTERN_TEST_DIR}/empty\nother_key: ''\n");
	ck_assert_uint_eq(report.errors, 2);
	assert_problem(1, "other_key", "must not be empty");
}
END_TEST

START_TEST(refuses_a_secret_given_twice)
{
	decode("api_key: a\napi_key_file: /b\n");
	assert_problem(
	    0, "api_key_file", "is given together with api_key (keep one)");
}
END_TEST

START_TEST(keeps_track_of_secrets)
{
	decode("{api_key: first, other_key: second}");
	ck_assert_str_eq(decoder.secrets->value, "second");
	ck_assert_str_eq(decoder.secrets->next->value, "first");
	ck_assert_ptr_null(decoder.secrets->next->next);
}
END_TEST

static const char *const leaks[] = {
	"{api_key: [hunter2]}",
	"{api_key: k, url: 'ftp://me:hunter2@example.com'}",
	"{api_key: k, region: \"hunter2\\n\"}",
	"{api_key: k, test: '${env:POSTERN_TEST_SECRET}'}",
	"{api_key: k, url: '${env:POSTERN_TEST_SECRET}'}",
	"{api_key: 'hunter2${env:}'}",
	"{api_key: 'hunter2${'}",
	"{api_key: {hunter2: x}}",
	"{api_key: k, pools: hunter2}",
};

START_TEST(never_shows_a_secret)
{
	(void)setenv("POSTERN_TEST_SECRET", "hunter2", 1);
	decode(leaks[_i]);
	ck_assert_uint_ge(report.errors, 1);
	for (size_t i = 0; i < report.count; i++)
		ck_assert_ptr_null(
		    strstr(report.problems[i].message, "hunter2"));
}
END_TEST

START_TEST(offers_the_nearest_key)
{
	decode("{api_key: k, regoin: x}");
	assert_problem(0, "regoin", "is no known key (did you mean region?)");
	ck_assert_uint_eq(report.problems[0].line, 1);
	ck_assert_uint_eq(report.problems[0].column, 14);
}
END_TEST

START_TEST(leaves_zero_what_it_cannot_decode)
{
	decode("{api_key: [], url: x, region: {}, tags: {}, oauth: 5, "
	       "pools: [1, {weight: 0}], test: 1}");
	ck_assert_ptr_null(settings.api_key.ptr);
	ck_assert_ptr_null(settings.url);
	ck_assert_ptr_null(settings.region);
	ck_assert_uint_eq(settings.tags.count, 0);
	ck_assert_uint_eq(settings.pools.count, 2);
	ck_assert_ptr_null(
	    CONFIG_AT(settings.pools, struct fake_pool, 1)->name);
	ck_assert_uint_eq(report.errors, 9);
}
END_TEST

START_TEST(survives_without_memory)
{
	static const char text[] = "{api_key: k, tags: [a, b], pools: "
				   "[{name: a}], oauth: {client_id: x}}";

	for (size_t max = 0; max < 600; max += 8) {
		arena_finish(&values);
		arena_init(&values, max);
		config_report_finish(&report);
		decode(text);
	}
	for (size_t max = 0; max < 6000; max += 32) {
		struct err e = { 0 };

		arena_finish(&nodes);
		arena_init(&nodes, max);
		config_report_finish(&report);
		root = node_parse(span_of(text), NODE_MAP, &nodes, &report);
		if (root)
			field_decode(&decoder, root,
			    fake_helpers.load_module("fake", &e)->fields, NULL,
			    &settings);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.field");
	TCase *t = tcase_create("decode");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, decodes_presets_as_if_written);
	tcase_add_test(t, decodes_every_type);
	tcase_add_test(t, takes_one_value_for_a_list_of_strings);
	tcase_add_test(t, takes_an_empty_list_of_strings);
	tcase_add_test(t, takes_a_map_with_all_lines_commented_out);
	tcase_add_test(t, reads_a_secret_from_its_file);
	tcase_add_test(t, reads_a_secret_by_reference);
	tcase_add_test(t, reads_a_secret_from_a_credential);
	tcase_add_test(t, refuses_a_secret_everybody_may_read);
	tcase_add_test(t, refuses_an_empty_secret);
	tcase_add_test(t, refuses_a_secret_given_twice);
	tcase_add_test(t, keeps_track_of_secrets);
	tcase_add_loop_test(
	    t, never_shows_a_secret, 0, sizeof(leaks) / sizeof(leaks[0]));
	tcase_add_test(t, offers_the_nearest_key);
	tcase_add_test(t, leaves_zero_what_it_cannot_decode);
	tcase_add_test(t, survives_without_memory);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
