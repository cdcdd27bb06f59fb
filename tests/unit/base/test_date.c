#include <base/date.h>

#include <support/unit.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct format_case {
	int64_t ms;
	const char *rfc5322, *rfc3339;
} format_cases[] = {
	{ 0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z" },
	{ -1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z" },
	{ 1795341600123, "Sun, 22 Nov 2026 10:00:00 +0000",
	    "2026-11-22T10:00:00.123Z" },
	{ 951782400000, "Tue, 29 Feb 2000 00:00:00 +0000",
	    "2000-02-29T00:00:00.000Z" },
	{ 4107542399999, "Sun, 28 Feb 2100 23:59:59 +0000",
	    "2100-02-28T23:59:59.999Z" },
	{ 4107542400000, "Mon, 01 Mar 2100 00:00:00 +0000",
	    "2100-03-01T00:00:00.000Z" },
	{ 2147483648000, "Tue, 19 Jan 2038 03:14:08 +0000",
	    "2038-01-19T03:14:08.000Z" },
	{ 253402300799999, "Fri, 31 Dec 9999 23:59:59 +0000",
	    "9999-12-31T23:59:59.999Z" },
	/* Nonsense must stay inside its buffer. */
	{ INT64_MAX, "Sun, 17 Aug 292278994 07:12:55 +0000",
	    "292278994-08-17T07:12:55.807Z" },
	{ INT64_MIN, "Sun, 16 May -292275055 16:47:04 +0000",
	    "-292275055-05-16T16:47:04.192Z" },
};

START_TEST(formats)
{
	const struct format_case *c = &format_cases[_i];
	char text[DATE_RFC5322_SIZE], stamp[DATE_RFC3339_SIZE];

	date_format_rfc5322(c->ms, text);
	ck_assert_str_eq(text, c->rfc5322);
	date_format_rfc3339(c->ms, stamp);
	ck_assert_str_eq(stamp, c->rfc3339);
}
END_TEST

/* Every day of 800 years against the C library. */
START_TEST(agrees_with_the_library)
{
	for (int64_t day = -146097; day <= 146097; day++) {
		char want[40], got[DATE_RFC5322_SIZE];
		time_t t = (time_t)(day * 86400 + 86399);
		struct tm tm;
		(void)gmtime_r(&t, &tm);
		(void)strftime(
		    want, sizeof(want), "%a, %d %b %Y %H:%M:%S +0000", &tm);
		date_format_rfc5322((int64_t)t * 1000, got);
		if (strcmp(got, want) != 0)
			ck_abort_msg("got %s, want %s", got, want);
	}
}
END_TEST

static const struct parse_case {
	const char *text;
	int64_t ms;
} parse_cases[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Tue, 29 Feb 2000 00:00:00 GMT", 951782400000 },
	{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799000 },
	{ "Sat, 01 Jan 0000 00:00:00 GMT", -62167219200000 },
};

START_TEST(parses_http_dates)
{
	const struct parse_case *c = &parse_cases[_i];
	int64_t ms = 4711;

	ck_assert_int_eq(date_parse_http(span_of(c->text), &ms), 0);
	ck_assert_int_eq(ms, c->ms);
}
END_TEST

static const char *const bad_dates[] = {
	"",
	"Sun",
	"Sun, 06 Nov 1994 08:49:37",
	"Sun, 06 Nov 1994 08:49:37 UTC",
	"Sun, 06 Nov 1994 08:49:37 GMT ",
	" Sun, 06 Nov 1994 08:49:37 GMT",
	"sun, 06 Nov 1994 08:49:37 GMT",
	"Xyz, 06 Nov 1994 08:49:37 GMT",
	"Sun, 06 Xyz 1994 08:49:37 GMT",
	"Sun, 6 Nov 1994 08:49:37 GMT",
	"Sun,  6 Nov 1994 08:49:37 GMT",
	"Sun, 00 Nov 1994 08:49:37 GMT",
	"Sun, 31 Nov 1994 08:49:37 GMT",
	"Sun, 32 Dec 1994 08:49:37 GMT",
	"Sun, 99 Dec 1994 08:49:37 GMT",
	"Wed, 29 Feb 1995 08:49:37 GMT",
	"Mon, 29 Feb 1900 08:49:37 GMT",
	"Sun, 06 Nov 94 08:49:37 GMT",
	"Sun, 06 Nov 19940 8:49:37 GMT",
	"Sun, 06 Nov 1994 24:00:00 GMT",
	"Sun, 06 Nov 1994 08:60:37 GMT",
	"Sun, 06 Nov 1994 08:49:61 GMT",
	"Sun, 06 Nov 1994 -8:49:37 GMT",
	"Sun, 06 Nov 1994 08-49-37 GMT",
	"Sunday, 06-Nov-94 08:49:37 GMT",
	"Sun Nov  6 08:49:37 1994",
	"120",
};

START_TEST(refuses_other_dates)
{
	int64_t ms = 4711;

	ck_assert_int_eq(date_parse_http(span_of(bad_dates[_i]), &ms), -EINVAL);
	ck_assert_int_eq(ms, 4711);
}
END_TEST

START_TEST(refuses_every_prefix_of_a_date)
{
	struct span whole = SPAN("Sun, 06 Nov 1994 08:49:37 GMT");
	int64_t ms;

	for (size_t len = 0; len < whole.len; len++)
		ck_assert_int_eq(
		    date_parse_http(span_first(whole, len), &ms), -EINVAL);
	ck_assert_int_eq(date_parse_http(span_make(NULL, 0), &ms), -EINVAL);
}
END_TEST

static const struct {
	const char *text;
	int64_t ms;
} rfc3339_cases[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-11-22T10:00:00.123Z", INT64_C(1795341600123) },
	{ "2026-11-22t10:00:00.1z", INT64_C(1795341600100) },
	{ "2026-11-22T10:00:00.123999999999Z", INT64_C(1795341600123) },
	{ "2026-11-22T12:30:00+02:30", INT64_C(1795341600000) },
	{ "2026-11-21T22:00:00-12:00", INT64_C(1795341600000) },
	{ "2026-11-22T10:00:00-00:00", INT64_C(1795341600000) },
	{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
	{ "0000-01-01T00:00:00Z", INT64_C(-62167219200000) },
};

START_TEST(parses_rfc3339)
{
	int64_t ms = 4711;

	ck_assert_int_eq(
	    date_parse_rfc3339(span_of(rfc3339_cases[_i].text), &ms), 0);
	ck_assert_int_eq(ms, rfc3339_cases[_i].ms);
}
END_TEST

static const char *const bad_rfc3339[] = { "", "2026-11-22",
	"2026-11-22T10:00:00", "2026-11-22 10:00:00Z", "2026-11-22T10:00Z",
	"2026-11-22T10:00:00.Z", "2026-11-22T24:00:00Z", "2026-02-29T10:00:00Z",
	"2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z", "2026-01-00T10:00:00Z",
	"2026-11-22T10:00:00+2:00", "2026-11-22T10:00:00+0200",
	"2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00Z ",
	"-026-11-22T10:00:00Z", "26-11-22T10:00:00Z", "1795341600" };

START_TEST(refuses_what_is_not_rfc3339)
{
	int64_t ms = 4711;

	ck_assert_int_eq(
	    date_parse_rfc3339(span_of(bad_rfc3339[_i]), &ms), -EINVAL);
	ck_assert_int_eq(ms, 4711);
}
END_TEST

START_TEST(formats_whole_seconds)
{
	char text[DATE_RFC3339_SIZE];

	date_format_rfc3339_s(INT64_C(1795341600999), text);
	ck_assert_str_eq(text, "2026-11-22T10:00:00Z");
}
END_TEST

START_TEST(counts_days_from_midnight)
{
	ck_assert_int_eq(date_day(0), 0);
	ck_assert_int_eq(date_day(86399999), 0);
	ck_assert_int_eq(date_day(86400000), 1);
	ck_assert_int_eq(date_day(-1), -1);
	ck_assert_int_eq(date_day(-86400000), -1);
	ck_assert_int_eq(date_day(-86400001), -2);
	ck_assert_int_eq(date_day(1795341600123), 20779);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/date");
	TCase *t = tcase_create("date");

	/* 800 years day by day take their time under a sanitizer. */
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, formats, 0, COUNT(format_cases));
	tcase_add_test(t, agrees_with_the_library);
	tcase_add_loop_test(t, parses_http_dates, 0, COUNT(parse_cases));
	tcase_add_loop_test(t, refuses_other_dates, 0, COUNT(bad_dates));
	tcase_add_test(t, refuses_every_prefix_of_a_date);
	tcase_add_loop_test(t, parses_rfc3339, 0, COUNT(rfc3339_cases));
	tcase_add_loop_test(
	    t, refuses_what_is_not_rfc3339, 0, COUNT(bad_rfc3339));
	tcase_add_test(t, formats_whole_seconds);
	tcase_add_test(t, counts_days_from_midnight);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
