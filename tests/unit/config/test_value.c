#include <config/value.h>

#include <support/unit.h>

#include <string.h>

static const struct value_range any = { 0, 0 };
static struct complaint c;

static const struct {
	const char *text;
	uint64_t ms;
} durations[] = {
	{ "0", 0 },
	{ "0s", 0 },
	{ "500ms", 500 },
	{ "30s", 30000 },
	{ "5m", 300000 },
	{ "2h", 7200000 },
	{ "7d", 604800000 },
	{ "106751991167d", 9223372036828800000ULL },
};

START_TEST(reads_a_duration)
{
	uint64_t ms = 1;

	ck_assert(
	    value_parse_duration(span_of(durations[_i].text), any, &ms, &c));
	ck_assert_uint_eq(ms, durations[_i].ms);
}
END_TEST

static const char *const no_durations[] = { "", "s", "5", "-5s", "+5s", "5 s",
	"5S", "1.5h", "5min", "5s5m", "0x5s", "106751991168d",
	"99999999999999999999s" };

START_TEST(refuses_what_is_no_duration)
{
	uint64_t ms = 7;

	ck_assert(
	    !value_parse_duration(span_of(no_durations[_i]), any, &ms, &c));
	ck_assert_str_eq(c.what, "must be a duration");
	ck_assert_uint_eq(ms, 7);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{ "0", 0 },
	{ "26214400", 26214400 },
	{ "1B", 1 },
	{ "64KiB", 65536 },
	{ "10MiB", 10485760 },
	{ "2GiB", 2147483648ULL },
	{ "1TiB", 1099511627776ULL },
	{ "64KB", 64000 },
	{ "25MB", 25000000 },
	{ "3GB", 3000000000ULL },
	{ "3TB", 3000000000000ULL },
};

START_TEST(reads_a_size)
{
	uint64_t bytes = 1;

	ck_assert(value_parse_size(span_of(sizes[_i].text), any, &bytes, &c));
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const char *const no_sizes[] = { "", "K", "5K", "5M", "5kib", "5 MiB",
	"1.5MiB", "-1", "16777216TiB" };

START_TEST(refuses_what_is_no_size)
{
	uint64_t bytes;

	ck_assert(!value_parse_size(span_of(no_sizes[_i]), any, &bytes, &c));
	ck_assert_str_eq(c.what, "must be a size");
}
END_TEST

static const struct {
	const char *text;
	uint64_t count, per_ms;
} rates[] = {
	{ "0", 0, 1000 },
	{ "1/s", 1, 1000 },
	{ "2/sec", 2, 1000 },
	{ "100/min", 100, 60000 },
	{ "5/hour", 5, 3600000 },
	{ "9000/day", 9000, 86400000 },
};

START_TEST(reads_a_rate)
{
	struct postern_rate rate;

	ck_assert(value_parse_rate(span_of(rates[_i].text), &rate, &c));
	ck_assert_uint_eq(rate.count, rates[_i].count);
	ck_assert_uint_eq(rate.per_ms, rates[_i].per_ms);
}
END_TEST

static const char *const no_shares[] = { "", "50", "%", "101%", "50 %", "-1%",
	"0.5", "5.5%", "50%%" };

START_TEST(refuses_what_is_no_share)
{
	int64_t share;

	ck_assert(
	    !value_parse_percent(span_of(no_shares[_i]), any, &share, &c));
	ck_assert_str_ne(c.hint, "");
}
END_TEST

START_TEST(reads_a_share)
{
	struct value_range range = { 0, 100 };
	int64_t share = -1;

	ck_assert(value_parse_percent(SPAN("50%"), range, &share, &c));
	ck_assert_int_eq(share, 50);
	ck_assert(value_parse_percent(SPAN("0"), range, &share, &c));
	ck_assert_int_eq(share, 0);
	range.min = 1;
	ck_assert(!value_parse_percent(SPAN("0%"), range, &share, &c));
	ck_assert_str_eq(c.what, "must be between 1% and 100%");
}
END_TEST

START_TEST(reads_a_share_of_something_or_a_size)
{
	struct value_range range = { 0, 1024 };
	struct postern_share share;

	ck_assert(value_parse_share(SPAN("10%"), range, &share, &c));
	ck_assert(share.percent == 10 && share.bytes == 0);
	ck_assert(value_parse_share(SPAN("1KiB"), range, &share, &c));
	ck_assert(share.percent == 0 && share.bytes == 1024);
	ck_assert(value_parse_share(SPAN("0"), range, &share, &c));
	ck_assert(share.percent == 0 && share.bytes == 0);
	ck_assert(!value_parse_share(SPAN("2KiB"), range, &share, &c));
	ck_assert(!value_parse_share(SPAN("101%"), range, &share, &c));
	ck_assert(!value_parse_share(SPAN("%"), range, &share, &c));
	ck_assert(!value_parse_share(SPAN(""), range, &share, &c));
}
END_TEST

static const char *const no_rates[] = { "", "100", "100/", "/min", "100/m",
	"100 / min", "-1/min", "0/min", "1/min/min", "1.5/s" };

START_TEST(refuses_what_is_no_rate)
{
	struct postern_rate rate;

	ck_assert(!value_parse_rate(span_of(no_rates[_i]), &rate, &c));
	ck_assert_str_ne(c.hint, "");
}
END_TEST

START_TEST(reads_whole_numbers)
{
	int64_t n;

	ck_assert(value_parse_int(SPAN("-5"), any, &n, &c));
	ck_assert_int_eq(n, -5);
	ck_assert(value_parse_int(SPAN("9223372036854775807"), any, &n, &c));
	ck_assert_int_eq(n, INT64_MAX);
	ck_assert(!value_parse_int(SPAN("9223372036854775808"), any, &n, &c));
	ck_assert(!value_parse_int(SPAN("--5"), any, &n, &c));
	ck_assert(!value_parse_int(SPAN("-"), any, &n, &c));
	ck_assert(!value_parse_int(SPAN("5.0"), any, &n, &c));
	ck_assert(!value_parse_int(SPAN("0x5"), any, &n, &c));
	ck_assert(!value_parse_int(SPAN("1_000"), any, &n, &c));
}
END_TEST

START_TEST(names_bounds_in_the_unit_of_the_row)
{
	const struct value_range a_minute_to_a_day = { 60000, 86400000 };
	const struct value_range sizes_allowed = { 4096, 16777216 };
	const struct value_range any_positive = { 1, INT64_MAX };
	uint64_t n;
	int64_t i;

	ck_assert(!value_parse_duration(SPAN("2d"), a_minute_to_a_day, &n, &c));
	ck_assert_str_eq(c.what, "must be between 1m and 1d");
	ck_assert(!value_parse_size(SPAN("1"), sizes_allowed, &n, &c));
	ck_assert_str_eq(c.what, "must be between 4KiB and 16MiB");
	ck_assert(!value_parse_int(SPAN("0"), any_positive, &i, &c));
	ck_assert_str_eq(c.what, "must be at least 1");
	ck_assert(value_parse_duration(SPAN("1d"), a_minute_to_a_day, &n, &c));
	ck_assert(value_parse_duration(SPAN("60s"), a_minute_to_a_day, &n, &c));
}
END_TEST

START_TEST(knows_two_booleans)
{
	bool b = false;

	ck_assert(value_parse_bool(SPAN("true"), &b, &c));
	ck_assert(b);
	ck_assert(value_parse_bool(SPAN("false"), &b, &c));
	ck_assert(!b);
	ck_assert(!value_parse_bool(SPAN("Yes"), &b, &c));
	ck_assert_str_eq(c.hint, "write true");
	ck_assert(!value_parse_bool(SPAN("0"), &b, &c));
	ck_assert_str_eq(c.hint, "write false");
	ck_assert(!value_parse_bool(SPAN("True"), &b, &c));
	ck_assert_str_eq(c.hint, "write true");
	ck_assert(!value_parse_bool(SPAN(""), &b, &c));
	ck_assert_str_eq(c.hint, "");
}
END_TEST

START_TEST(finds_a_name_and_lists_them_all)
{
	static const char *const names[] = { "", "hybrid", "queued", NULL };
	int n = 9;

	ck_assert(value_parse_enum(SPAN("queued"), names, &n, &c));
	ck_assert_int_eq(n, 2);
	ck_assert(!value_parse_enum(SPAN(""), names, &n, &c));
	ck_assert(!value_parse_enum(SPAN("Hybrid"), names, &n, &c));
	ck_assert_str_eq(c.what, "must be one of hybrid, queued");
	ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(survives_names_longer_than_a_message)
{
	static char long_name[300];
	const char *const names[] = { long_name, long_name, NULL };
	int n;

	memset(long_name, 'n', sizeof(long_name) - 1);
	ck_assert(!value_parse_enum(SPAN("x"), names, &n, &c));
	ck_assert_uint_lt(strlen(c.what), sizeof(c.what));
}
END_TEST

static const char *const urls[] = { "https://api.example.com",
	"HTTPS://api.example.com:8443/v3/mail", "https://[2001:db8::1]:443/x",
	"https://10.1.2.3/", "http://127.0.0.1:8025/ses", "http://127.255.0.9/",
	"http://localhost", "http://LOCALHOST:80/x", "http://[::1]:8025/x",
	"http://[::1]" };

START_TEST(accepts_a_url)
{
	ck_assert_msg(
	    value_check_url(span_of(urls[_i]), &c), "%s: %s", urls[_i], c.what);
}
END_TEST

static const char *const no_urls[] = { "", "example.com", "ftp://localhost/",
	"http://example.com", "http://127.0.0.1.example.com",
	"http://localhost.example.com", "http://1.127.0.0", "http://0.0.0.0",
	"http://[::2]", "http://127.1", "http://[::1", "https://",
	"https:///path", "https://:443", "https://host:", "https://host:0",
	"https://host:65536", "https://host:a", "https://[::1]x",
	"https://[::1]:", "https://[]", "https://user@host", "https://a b",
	"https://a\r\nb", "https://host/?q", "https://host/#f" };

START_TEST(refuses_a_url)
{
	ck_assert_msg(
	    !value_check_url(span_of(no_urls[_i]), &c), "%s", no_urls[_i]);
}
END_TEST

START_TEST(does_not_show_a_url_with_a_login)
{
	c = (struct complaint){ .what = "" };
	ck_assert(!value_check_url(SPAN("ftp://me:secret@host"), &c));
	ck_assert(c.is_private);
}
END_TEST

static const char *const servers[] = { "smtp://mail.example.com",
	"SMTPS://mail.example.com:465", "smtp://[2001:db8::1]:587",
	"smtp://192.0.2.1:25", "smtps://[::1]" };

START_TEST(accepts_a_mail_server)
{
	ck_assert_msg(value_check_smtp_url(span_of(servers[_i]), &c), "%s: %s",
	    servers[_i], c.what);
}
END_TEST

static const char *const no_servers[] = { "", "mail.example.com",
	"https://mail.example.com", "smtp:mail.example.com", "smtp://",
	"smtp://:25", "smtp://host:", "smtp://host:0", "smtp://host:65536",
	"smtp://host/", "smtp://host/name", "smtp://user@host", "smtp://a b",
	"smtp://a\r\nb", "smtp://host?q", "smtp://host#f", "smtp://[::1]x" };

START_TEST(refuses_what_is_no_mail_server)
{
	ck_assert_msg(!value_check_smtp_url(span_of(no_servers[_i]), &c), "%s",
	    no_servers[_i]);
}
END_TEST

START_TEST(text_is_one_line_of_utf8)
{
	ck_assert(value_check_text(SPAN("Gr\xc3\xbc\xc3\x9f"), &c));
	ck_assert(value_check_text(SPAN(""), &c));
	ck_assert(!value_check_text(SPAN("a\r\nb"), &c));
	ck_assert(!value_check_text(SPAN("a\tb"), &c));
	ck_assert(!value_check_text(SPAN("a\x7f"), &c));
	ck_assert(!value_check_text(SPAN("caf\xe9"), &c));
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.value");
	TCase *numbers = tcase_create("numbers");
	TCase *words = tcase_create("words");

	tcase_add_loop_test(
	    numbers, refuses_what_is_no_share, 0, COUNT(no_shares));
	tcase_add_test(numbers, reads_a_share);
	tcase_add_test(numbers, reads_a_share_of_something_or_a_size);
	tcase_add_loop_test(numbers, reads_a_duration, 0, COUNT(durations));
	tcase_add_loop_test(
	    numbers, refuses_what_is_no_duration, 0, COUNT(no_durations));
	tcase_add_loop_test(numbers, reads_a_size, 0, COUNT(sizes));
	tcase_add_loop_test(
	    numbers, refuses_what_is_no_size, 0, COUNT(no_sizes));
	tcase_add_loop_test(numbers, reads_a_rate, 0, COUNT(rates));
	tcase_add_loop_test(
	    numbers, refuses_what_is_no_rate, 0, COUNT(no_rates));
	tcase_add_test(numbers, reads_whole_numbers);
	tcase_add_test(numbers, names_bounds_in_the_unit_of_the_row);
	suite_add_tcase(s, numbers);
	tcase_add_test(words, knows_two_booleans);
	tcase_add_test(words, finds_a_name_and_lists_them_all);
	tcase_add_test(words, survives_names_longer_than_a_message);
	tcase_add_loop_test(words, accepts_a_url, 0, COUNT(urls));
	tcase_add_loop_test(words, refuses_a_url, 0, COUNT(no_urls));
	tcase_add_loop_test(words, accepts_a_mail_server, 0, COUNT(servers));
	tcase_add_loop_test(
	    words, refuses_what_is_no_mail_server, 0, COUNT(no_servers));
	tcase_add_test(words, does_not_show_a_url_with_a_login);
	tcase_add_test(words, text_is_one_line_of_utf8);
	suite_add_tcase(s, words);
	return s;
}

UNIT_MAIN(make_suite)
