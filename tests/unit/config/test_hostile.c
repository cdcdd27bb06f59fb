/*
 * Whatever a file holds: no crash, no leak, and either a snapshot or an
 * explanation. Meant to run under the sanitizers. The whole pipeline runs on
 * samples that have been cut, or had bytes changed.
 */
#include "fake.h"

#include <base/buf.h>

#include <support/unit.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	FLIPS = 500,
	STEPS = 1500 /* cuts of a long sample */
};

static const char *const samples[] = { "../conf/sandbox.yaml",
	"../conf/postern.yaml", "config/hostile.yaml" };

static struct buf text;

static void setup(void)
{
	(void)fake_directory_make();
	(void)setenv("POSTERN_DEMO_DIR", getenv("POSTERN_TEST_DIR"), 1);
	buf_init(&text, 1024 * 1024);
}

static void teardown(void)
{
	buf_finish(&text);
	fake_directory_remove();
}

static void read_sample(const char *path)
{
	FILE *file = fopen(path, "r");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_int_eq(buf_reserve(&text, 65536), 0);
	buf_commit(&text, fread(buf_tail(&text), 1, 65536, file));
	(void)fclose(file);
}

static void try_load(struct span s)
{
	struct config_report report = { 0 };
	const char *path = fake_file("config.yaml", s.ptr, s.len);
	struct config *c = config_load(path, &fake_helpers, &report);

	ck_assert((c == NULL) == (report.errors > 0));
	ck_assert_uint_le(report.count, CONFIG_PROBLEMS_MAX);
	for (size_t i = 0; i < report.count; i++)
		ck_assert_str_ne(report.problems[i].message, "");
	config_report_finish(&report);
	config_unref(c);
}

START_TEST(survives_every_prefix)
{
	size_t step, len;

	read_sample(samples[_i]);
	len = buf_len(&text);
	step = len / STEPS + 1;
	for (size_t n = 0; n < len; n += step)
		try_load(span_first(buf_span(&text), n));
}
END_TEST

/* Reproducible: the same bytes change in every run. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

START_TEST(survives_changed_bytes)
{
	static const char marks[] = "\n\t {}[]:,-#&*!|>'\"%@`$?\0\xff";
	uint32_t state = 42;

	read_sample(samples[_i]);
	for (int i = 0; i < FLIPS; i++) {
		size_t count = next_random(&state) % 4 + 1;
		char *copy = span_dup(buf_span(&text));

		ck_assert_ptr_nonnull(copy);
		for (size_t j = 0; j < count; j++) {
			size_t at = next_random(&state) % buf_len(&text);
			uint32_t r = next_random(&state);

			if (r & 1)
				copy[at] =
				    marks[(r >> 1) % (sizeof(marks) - 1)];
			else
				copy[at] = (char)((unsigned char)copy[at] ^
						  (1u << ((r >> 1) & 7)));
		}
		try_load(span_make(copy, buf_len(&text)));
		free(copy);
	}
}
END_TEST

static const char *const bombs[] = { "[", "{", "- ", "? ", "&a ", "*a ", "!a ",
	"a: ", "'", "\"", "|\n", ">\n", "%\n", "#", "---\n", "{a: ", "[a, ",
	"\xef\xbb\xbf", "\xc2\x85", "a:\n ", "${", "- - - - " };

START_TEST(survives_much_of_the_same)
{
	size_t len = strlen(bombs[_i]);

	for (size_t i = 0; i < 100000 / len; i++)
		ck_assert_int_eq(buf_add_str(&text, bombs[_i]), 0);
	try_load(buf_span(&text));
}
END_TEST

/* A file of the largest size that is one long list after some keys. */
static const struct {
	const char *head, *entry, *middle, *end; /* numbered when it has one */
	const char *tail;
} lists[] = {
	{ "listeners:\n", "- {name: a", ", address: \":", "\"}\n", "" },
	{ "providers:\n", "- {name: a", ", type: fake, api_key: k", "}\n", "" },
	{ "providers: [{name: a, type: fake}]\n"
	  "routes: [{name: a, providers: [",
	    "a, ", NULL, "", "a]}]\n" },
};

static void add_entry(int list, unsigned n)
{
	const char *middle = lists[list].middle;

	ck_assert_int_eq(buf_add_str(&text, lists[list].entry), 0);
	if (middle)
		ck_assert_int_eq(buf_printf(&text, "%u%s%u", n, middle, n), 0);
	ck_assert_int_eq(buf_add_str(&text, lists[list].end), 0);
}

START_TEST(takes_no_minutes_for_lists_far_too_long)
{
	ck_assert_int_eq(buf_add_str(&text, lists[_i].head), 0);
	for (unsigned n = 1; buf_len(&text) < 1000 * 1000; n++)
		add_entry(_i, n);
	ck_assert_int_eq(buf_add_str(&text, lists[_i].tail), 0);
	try_load(buf_span(&text));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.hostile");
	TCase *t = tcase_create("bytes");
	int count = sizeof(samples) / sizeof(samples[0]);

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, survives_every_prefix, 0, count);
	tcase_add_loop_test(t, survives_changed_bytes, 0, count);
	tcase_add_loop_test(
	    t, survives_much_of_the_same, 0, sizeof(bombs) / sizeof(bombs[0]));
	tcase_add_loop_test(t, takes_no_minutes_for_lists_far_too_long, 0,
	    sizeof(lists) / sizeof(lists[0]));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
