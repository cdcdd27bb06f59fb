/* The two exposition formats, byte for byte. */
#include <string.h>

#include <admin/exposition.h>
#include <support/unit.h>

static struct buf out;

static struct exposition begin(bool is_openmetrics)
{
	buf_init(&out, 1 << 20);
	return (struct exposition){ .out = &out,
		.is_openmetrics = is_openmetrics,
		.prefix = "postern_" };
}

static void ends_as(struct exposition *x, const char *expected)
{
	exposition_end(x);
	ck_assert_int_eq(x->code, 0);
	char *text = buf_take_cstr(&out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(a_counter_has_its_suffix_where_the_format_wants_it)
{
	struct exposition x = begin(false);

	exposition_family(&x, "things", EXPOSITION_COUNTER, "Things.");
	exposition_u64(&x, NO_LABELS, 3);
	ends_as(&x, "# HELP postern_things_total Things.\n"
		    "# TYPE postern_things_total counter\n"
		    "postern_things_total 3\n");
	x = begin(true);
	exposition_family(&x, "things", EXPOSITION_COUNTER, "Things.");
	exposition_u64(&x, NO_LABELS, 3);
	ends_as(&x, "# HELP postern_things Things.\n"
		    "# TYPE postern_things counter\n"
		    "postern_things_total 3\n"
		    "# EOF\n");
}
END_TEST

START_TEST(labels_are_escaped)
{
	struct exposition x = begin(false);

	x.name = "g";
	x.type = EXPOSITION_GAUGE;
	exposition_u64(&x, LABELS("a", "x\"y\\z\n", "b", ""), 1);
	ends_as(&x, "postern_g{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1\n");
}
END_TEST

START_TEST(what_has_no_limit_is_infinite)
{
	struct exposition x = begin(false);

	x.name = "g";
	x.type = EXPOSITION_GAUGE;
	exposition_level(&x, NO_LABELS, UINT64_MAX);
	exposition_level(&x, NO_LABELS, UINT64_MAX - 1);
	ends_as(&x, "postern_g +Inf\npostern_g 18446744073709551614\n");
}
END_TEST

START_TEST(fractions_are_exact)
{
	static const struct {
		uint64_t milli;
		const char *line;
	} cases[] = {
		{ 0, "postern_g 0.0\n" },
		{ 5, "postern_g 0.005\n" },
		{ 1500, "postern_g 1.5\n" },
		{ 1700000000123, "postern_g 1700000000.123\n" },
		{ 10000, "postern_g 10.0\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exposition x = begin(false);

		x.name = "g";
		x.type = EXPOSITION_GAUGE;
		exposition_milli(&x, NO_LABELS, cases[i].milli);
		ends_as(&x, cases[i].line);
	}
}
END_TEST

START_TEST(a_histogram_is_cumulative)
{
	struct counter_histogram h = { .sum_us = 0 };
	struct exposition x = begin(false);

	counter_observe_us(&h, 3000);
	counter_observe_us(&h, 7000);
	counter_observe_us(&h, 90000000);
	x.name = "d_seconds";
	x.type = EXPOSITION_HISTOGRAM;
	exposition_histogram(&x, LABELS("provider", "p"), &h);
	char *text = buf_take_cstr(&out);
	static const char *const lines[] = {
		"postern_d_seconds_bucket{provider=\"p\",le=\"0.005\"} 1\n",
		"postern_d_seconds_bucket{provider=\"p\",le=\"0.01\"} 2\n",
		"postern_d_seconds_bucket{provider=\"p\",le=\"1.0\"} 2\n",
		"postern_d_seconds_bucket{provider=\"p\",le=\"60.0\"} 2\n",
		"postern_d_seconds_bucket{provider=\"p\",le=\"+Inf\"} 3\n",
		"postern_d_seconds_count{provider=\"p\"} 3\n",
		"postern_d_seconds_sum{provider=\"p\"} 90.01\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(
		    strstr(text, lines[i]) != NULL, "%s in %s", lines[i], text);
	free(text);
}
END_TEST

START_TEST(a_failed_append_is_remembered)
{
	struct exposition x = { .out = &out, .prefix = "" };

	buf_init(&out, 10);
	exposition_family(&x, "things", EXPOSITION_COUNTER, "Things.");
	x.name = "a";
	exposition_u64(&x, NO_LABELS, 1);
	ck_assert_int_ne(x.code, 0);
	buf_finish(&out);
}
END_TEST

START_TEST(openmetrics_is_given_to_who_asks)
{
	static const struct {
		const char *accept;
		bool wants;
	} cases[] = {
		{ NULL, false },
		{ "*/*", false },
		{ "text/plain;version=0.0.4", false },
		{ "application/openmetrics-text", true },
		{ "application/openmetrics-text;version=1.0.0,"
		  "application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		    true },
		{ "text/plain, Application/OpenMetrics-Text ; version=1.0.0",
		    true },
		{ "application/openmetrics-textual", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_eq(exposition_wants_openmetrics(cases[i].accept),
		    cases[i].wants);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("admin/exposition");
	TCase *t = tcase_create("exposition");

	tcase_add_test(t, a_counter_has_its_suffix_where_the_format_wants_it);
	tcase_add_test(t, labels_are_escaped);
	tcase_add_test(t, what_has_no_limit_is_infinite);
	tcase_add_test(t, fractions_are_exact);
	tcase_add_test(t, a_histogram_is_cumulative);
	tcase_add_test(t, a_failed_append_is_remembered);
	tcase_add_test(t, openmetrics_is_given_to_who_asks);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
