#include <base/log_internal.h>

#include <support/unit.h>

#include <float.h>
#include <math.h>
#include <stdio.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct log_line l;

static void build(
    enum log_format format, const char *event, const struct log_field *fields)
{
	log_line_build(&l, (struct log_style){ .format = format },
	    1795341600123, LOG_LEVEL_WARN, event, fields);
	ck_assert_uint_le(l.len, LOG_LINE_MAX);
	ck_assert_int_eq(l.data[l.len - 1], '\n');
	ck_assert_ptr_null(memchr(l.data, '\n', l.len - 1));
}

static void check_line(const char *want)
{
	struct span got = span_make(l.data, l.len);
	if (!span_eq(got, span_of(want)))
		ck_abort_msg("got  %.*s\nwant %s", SPAN_FMT(got), want);
}

START_TEST(writes_text)
{
	const struct log_field fields[] = { LOG_STR("client", "192.0.2.1"),
		LOG_NUM("size", 123), LOG_REAL("seconds", 0.25),
		LOG_STR("user", "a b"), { .name = NULL } };

	build(LOG_FORMAT_TEXT, "auth_failed", fields);
	check_line("2026-11-22T10:00:00.123Z warn event=auth_failed "
		   "client=192.0.2.1 size=123 seconds=0.25 user=\"a b\"\n");
}
END_TEST

START_TEST(writes_json)
{
	const struct log_field fields[] = { LOG_STR("client", "192.0.2.1"),
		LOG_NUM("size", 123), LOG_REAL("seconds", 0.25),
		LOG_STR("user", "a b"), { .name = NULL } };

	build(LOG_FORMAT_JSON, "auth_failed", fields);
	check_line("{\"ts\":\"2026-11-22T10:00:00.123Z\",\"level\":\"warn\","
		   "\"event\":\"auth_failed\",\"client\":\"192.0.2.1\","
		   "\"size\":123,\"seconds\":0.25,\"user\":\"a b\"}\n");
}
END_TEST

START_TEST(shows_addresses_as_told)
{
	static const struct {
		const char *address;
		enum log_addresses how;
		const char *text;
	} cases[] = {
		{ "Ann@x.example", LOG_ADDRESSES_FULL, "Ann@x.example" },
		{ "Ann@x.example", LOG_ADDRESSES_DOMAIN, "*@x.example" },
		{ "no-domain", LOG_ADDRESSES_DOMAIN, "*" },
		{ "", LOG_ADDRESSES_DOMAIN, "\"\"" },
		{ "", LOG_ADDRESSES_HASH, "\"\"" },
		{ "Ann@x.example", LOG_ADDRESSES_HASH, "ff8cae1e494318af" },
		{ "ann@X.example", LOG_ADDRESSES_HASH, "ff8cae1e494318af" },
		{ "a\n\"@x.example", LOG_ADDRESSES_FULL,
		    "\"a\\n\\\"@x.example\"" },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		const struct log_field fields[] = {
			LOG_ADDR("sender", span_of(cases[i].address)),
			{ .name = NULL }
		};
		char want[128];

		log_line_build(&l,
		    (struct log_style){ .addresses = cases[i].how }, 0,
		    LOG_LEVEL_INFO, "x", fields);
		(void)snprintf(want, sizeof(want),
		    "1970-01-01T00:00:00.000Z info event=x sender=%s\n",
		    cases[i].text);
		check_line(want);
	}
}
END_TEST

START_TEST(names_every_level)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	const struct log_field fields[] = { { .name = NULL } };

	for (int i = 0; i < 4; i++) {
		log_line_build(&l,
		    (struct log_style){ .format = LOG_FORMAT_TEXT }, 0,
		    (enum log_level)i, "x", fields);
		ck_assert(
		    span_starts_with(span_from(span_make(l.data, l.len), 25),
			span_of(names[i])));
	}
}
END_TEST

static const struct string_case {
	struct span value;
	const char *text, *json;
} string_cases[] = {
	{ { NULL, 0 }, "\"\"", "\"\"" },
	{ { "", 0 }, "\"\"", "\"\"" },
	{ { "plain", 5 }, "plain", "\"plain\"" },
	{ { "a@b.example", 11 }, "a@b.example", "\"a@b.example\"" },
	{ { "::1", 3 }, "::1", "\"::1\"" },
	{ { "two words", 9 }, "\"two words\"", "\"two words\"" },
	{ { "a=b", 3 }, "\"a=b\"", "\"a=b\"" },
	{ { "say \"hi\"", 8 }, "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\"" },
	{ { "a\\b", 3 }, "\"a\\\\b\"", "\"a\\\\b\"" },
	{ { "x\r\ny\tz", 6 }, "\"x\\r\\ny\\tz\"", "\"x\\r\\ny\\tz\"" },
	{ { "a\0b", 3 }, "\"a\\u0000b\"", "\"a\\u0000b\"" },
	{ { "\x1b[2J\x7f", 5 }, "\"\\u001b[2J\\u007f\"",
	    "\"\\u001b[2J\\u007f\"" },
	{ { "J\xc3\xbcrgen", 7 }, "\"J\xc3\xbcrgen\"", "\"J\xc3\xbcrgen\"" },
	{ { "\xf0\x9f\x93\xa7", 4 }, "\"\xf0\x9f\x93\xa7\"",
	    "\"\xf0\x9f\x93\xa7\"" },
	/* C1, a line separator and a right-to-left override */
	{ { "\xc2\x85", 2 }, "\"\\u0085\"", "\"\\u0085\"" },
	{ { "\xe2\x80\xa8", 3 }, "\"\\u2028\"", "\"\\u2028\"" },
	{ { "\xe2\x80\xae", 3 }, "\"\\u202e\"", "\"\\u202e\"" },
	{ { "\xe2\x81\xa6", 3 }, "\"\\u2066\"", "\"\\u2066\"" },
	/* not UTF-8 */
	{ { "J\xfcrg", 4 }, "\"J\\xfcrg\"", "\"J\xef\xbf\xbdrg\"" },
	{ { "\xc3", 1 }, "\"\\xc3\"", "\"\xef\xbf\xbd\"" },
	{ { "\xc3\"", 2 }, "\"\\xc3\\\"\"", "\"\xef\xbf\xbd\\\"\"" },
	{ { "\xed\xa0\x80", 3 }, "\"\\xed\\xa0\\x80\"",
	    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ { "\xc0\x8a", 2 }, "\"\\xc0\\x8a\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
};

static void check_value(
    enum log_format format, struct log_field field, const char *want)
{
	const struct log_field fields[] = { field, { .name = NULL } };
	struct span head =
	    format == LOG_FORMAT_TEXT
		? SPAN("2026-11-22T10:00:00.123Z warn event=e v=")
		: SPAN(
		      "{\"ts\":\"2026-11-22T10:00:00.123Z\",\"level\":\"warn\","
		      "\"event\":\"e\",\"v\":");
	struct span end = format == LOG_FORMAT_TEXT ? SPAN("\n") : SPAN("}\n");

	build(format, "e", fields);
	struct span got = span_make(l.data, l.len);
	ck_assert(span_starts_with(got, head));
	ck_assert(span_iends_with(got, end));
	got = span_from(span_first(got, got.len - end.len), head.len);
	if (!span_eq(got, span_of(want)))
		ck_abort_msg("got  %.*s\nwant %s", SPAN_FMT(got), want);
}

START_TEST(escapes_strings)
{
	const struct string_case *c = &string_cases[_i];

	check_value(LOG_FORMAT_TEXT, LOG_SPAN("v", c->value), c->text);
	check_value(LOG_FORMAT_JSON, LOG_SPAN("v", c->value), c->json);
}
END_TEST

static const struct real_case {
	double value;
	const char *text;
} real_cases[] = {
	{ 0, "0" },
	{ -0.0, "0" },
	{ 1, "1" },
	{ -1.5, "-1.5" },
	{ 0.1, "0.1" },
	{ 100, "100" },
	{ 0.000001, "0.000001" },
	{ 0.0000001, "0" },
	{ -0.0000001, "0" },
	{ 0.9999996, "1" },
	{ 123456.789, "123456.789" },
	{ 999999999999.5, "999999999999.5" },
	{ 1e15, "null" },
	{ -DBL_MAX, "null" },
	{ (double)INFINITY, "null" },
	{ (double)-INFINITY, "null" },
	{ (double)NAN, "null" },
};

START_TEST(writes_reals_without_the_locale)
{
	const struct real_case *c = &real_cases[_i];

	check_value(LOG_FORMAT_TEXT, LOG_REAL("v", c->value), c->text);
	check_value(LOG_FORMAT_JSON, LOG_REAL("v", c->value), c->text);
}
END_TEST

START_TEST(writes_whole_numbers)
{
	check_value(LOG_FORMAT_TEXT, LOG_NUM("v", 0), "0");
	check_value(
	    LOG_FORMAT_JSON, LOG_NUM("v", INT64_MAX), "9223372036854775807");
	check_value(
	    LOG_FORMAT_JSON, LOG_NUM("v", INT64_MIN), "-9223372036854775808");
}
END_TEST

static void check_cut(enum log_format format)
{
	bool is_json = format == LOG_FORMAT_JSON;

	ck_assert(l.is_cut);
	ck_assert(span_iends_with(span_make(l.data, l.len),
	    is_json ? SPAN(",\"cut\":true}\n") : SPAN(" cut=true\n")));
	/* Quotes still come in pairs: the cut one was closed. */
	size_t quotes = 0;
	for (size_t i = 0; i < l.len; i++) {
		if (l.data[i] == '\\')
			i++;
		else if (l.data[i] == '"')
			quotes++;
	}
	ck_assert_uint_eq(quotes % 2, 0);
	ck_assert(span_is_utf8(span_make(l.data, l.len)));
}

/* A filler of every length moves the end of the room across what follows. */
START_TEST(cuts_between_characters_and_fields)
{
	static char filler[9000], tail[9000];
	static const char *const units[] = { "a", "b c", "\"", "\n", "\xfc",
		"\xc3\xbc", "\xe2\x80\xa8", "\xf0\x9f\x93\xa7" };
	const char *unit = units[_i / 2];
	enum log_format format = _i % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	size_t len = strlen(unit);

	memset(filler, 'f', sizeof(filler));
	for (size_t i = 0; i + len <= sizeof(tail); i += len)
		memcpy(tail + i, unit, len);
	for (size_t n = 8040; n < 8200; n++) {
		const struct log_field fields[] = { LOG_SPAN("filler",
							span_make(filler, n)),
			LOG_NUM("number", 1234567),
			LOG_SPAN("tail", span_make(tail, 8190)),
			LOG_STR("never", "seen"), { .name = NULL } };
		build(format, "big", fields);
		check_cut(format);
		ck_assert_uint_gt(l.len, LOG_LINE_MAX - 64);
		ck_assert_ptr_null(memmem(l.data, l.len, "never", 5));
	}
}
END_TEST

START_TEST(a_line_that_just_fits_is_not_cut)
{
	static char filler[LOG_LINE_MAX];
	size_t most = 0;

	memset(filler, 'f', sizeof(filler));
	for (size_t n = 7000; n < sizeof(filler); n++) {
		const struct log_field fields[] = {
			LOG_SPAN("f", span_make(filler, n)), { .name = NULL }
		};
		build(LOG_FORMAT_TEXT, "big", fields);
		if (!l.is_cut)
			most = n;
	}
	ck_assert_uint_gt(most, LOG_LINE_MAX - 100);
}
END_TEST

START_TEST(a_huge_event_name_is_cut_too)
{
	static char name[20000];
	const struct log_field fields[] = { LOG_NUM("n", 1), { .name = NULL } };

	memset(name, 'e', sizeof(name) - 1);
	build(LOG_FORMAT_TEXT, name, fields);
	check_cut(LOG_FORMAT_TEXT);
	build(LOG_FORMAT_JSON, name, fields);
	check_cut(LOG_FORMAT_JSON);
}
END_TEST

static size_t count_controls(void)
{
	size_t count = 0;

	for (size_t i = 0; i < l.len; i++)
		count += (unsigned char)l.data[i] < 0x20;
	return count;
}

START_TEST(random_bytes_never_break_a_line)
{
	uint32_t random = (uint32_t)_i + 1;
	char bytes[200];

	for (int round = 0; round < 500; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (char)(random >> 24);
		}
		const struct log_field fields[] = {
			LOG_SPAN("v", span_make(bytes, sizeof(bytes))),
			{ .name = NULL }
		};
		for (int f = 0; f < 2; f++) {
			build((enum log_format)f, "e", fields);
			ck_assert(span_is_utf8(span_make(l.data, l.len)));
			ck_assert_uint_eq(count_controls(), 1);
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/log_line");
	TCase *t = tcase_create("line");

	tcase_add_test(t, writes_text);
	tcase_add_test(t, writes_json);
	tcase_add_test(t, names_every_level);
	tcase_add_test(t, shows_addresses_as_told);
	tcase_add_loop_test(t, escapes_strings, 0, COUNT(string_cases));
	tcase_add_loop_test(
	    t, writes_reals_without_the_locale, 0, COUNT(real_cases));
	tcase_add_test(t, writes_whole_numbers);
	tcase_add_loop_test(t, cuts_between_characters_and_fields, 0, 16);
	tcase_add_test(t, a_line_that_just_fits_is_not_cut);
	tcase_add_test(t, a_huge_event_name_is_cut_too);
	tcase_add_loop_test(t, random_bytes_never_break_a_line, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
