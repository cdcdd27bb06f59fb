#include <config/words.h>

#include <support/unit.h>

#include <string.h>

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	bool is_host;
} hosts[] = {
	{ "mail.example.com", true },
	{ "localhost", true },
	{ "xn--bcher-kva.example", true },
	{ "9a", true },
	{ "123", true }, /* a container's name may be */
	{ L63 ".example", true },
	{ "", false },
	{ ".", false },
	{ "a..b", false },
	{ "a.", false },
	{ "-a", false },
	{ "a-", false },
	{ "a_b", false },
	{ "a b", false },
	{ "10.0.0.1", false },
	{ "10.0.0.300", false },
	{ "a" L63, false },
	{ L63 "." L63 "." L63 "." L63, false },
	{ "b\xc3\xbc", false },
};

START_TEST(knows_a_host_name)
{
	ck_assert_msg(
	    words_is_hostname(span_of(hosts[_i].text)) == hosts[_i].is_host,
	    "%s", hosts[_i].text);
}
END_TEST

static const struct {
	const char *text, *same;
	unsigned port;
} addresses[] = {
	{ "127.0.0.1:25", "127.0.0.1:25", 25 },
	{ ":25", ":25", 25 },
	{ "Example.COM:025", "example.com:25", 25 },
	{ "[::1]:25", "[::1]:25", 25 },
	{ "[0:0::0:1]:25", "[::1]:25", 25 },
	{ "[2001:DB8::A]:0", "[2001:db8::a]:0", 0 },
	{ "localhost:65535", "localhost:65535", 65535 },
};

START_TEST(reads_an_address)
{
	char out[WORDS_ADDRESS_SIZE];
	unsigned port;

	ck_assert(words_parse_address(span_of(addresses[_i].text), out, &port));
	ck_assert_str_eq(out, addresses[_i].same);
	ck_assert_uint_eq(port, addresses[_i].port);
}
END_TEST

static const char *const no_addresses[] = { "", "25", "host",
	"host:", "host:65536", "host:-1", "host:smtp", "::1:25", "[::1]",
	"[::1]25", "[127.0.0.1]:25", "[]:25", "[:25", "]:25", "a b:25",
	"10.0.0.300:25", "[::1%lo]:25", "a_b:25" };

START_TEST(refuses_what_is_no_address)
{
	char out[WORDS_ADDRESS_SIZE];
	unsigned port;

	ck_assert_msg(
	    !words_parse_address(span_of(no_addresses[_i]), out, &port), "%s",
	    no_addresses[_i]);
}
END_TEST

static const struct {
	const char *text;
	bool is_pattern;
} patterns[] = {
	{ "*", true },
	{ "@example.com", true },
	{ "a@example.com", true },
	{ "\"a@b\"@example.com", true },
	{ "", false },
	{ "@", false },
	{ "a@", false },
	{ "example.com", false },
	{ "*@example.com", false },
	{ "@*.example.com", false },
	{ "a b@example.com", false },
};

START_TEST(knows_a_pattern)
{
	ck_assert_msg(words_is_pattern(span_of(patterns[_i].text)) ==
			  patterns[_i].is_pattern,
	    "%s", patterns[_i].text);
}
END_TEST

static const char *nearest_of(const char *wanted)
{
	struct words_nearest n = words_nearest_to(span_of(wanted));

	words_nearest_offer(&n, "listeners");
	words_nearest_offer(&n, "limits");
	words_nearest_offer(&n, "name");
	words_nearest_offer(&n, "tls");
	return n.best ? n.best : "-";
}

START_TEST(finds_the_word_that_was_meant)
{
	ck_assert_str_eq(nearest_of("listners"), "listeners");
	ck_assert_str_eq(nearest_of("limit"), "limits");
	ck_assert_str_eq(nearest_of("nmae"), "name");
	ck_assert_str_eq(nearest_of("tsl"), "-");
	ck_assert_str_eq(nearest_of("tl"), "-");
	ck_assert_str_eq(nearest_of("tlss"), "tls");
	ck_assert_str_eq(nearest_of("colour"), "-");
	ck_assert_str_eq(nearest_of(""), "-");
}
END_TEST

START_TEST(does_not_compare_very_long_words)
{
	char word[200];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ck_assert_str_eq(nearest_of(word), "-");
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.words");
	TCase *syntax = tcase_create("syntax");
	TCase *nearest = tcase_create("nearest");

	tcase_add_loop_test(syntax, knows_a_host_name, 0, COUNT(hosts));
	tcase_add_loop_test(syntax, reads_an_address, 0, COUNT(addresses));
	tcase_add_loop_test(
	    syntax, refuses_what_is_no_address, 0, COUNT(no_addresses));
	tcase_add_loop_test(syntax, knows_a_pattern, 0, COUNT(patterns));
	suite_add_tcase(s, syntax);
	tcase_add_test(nearest, finds_the_word_that_was_meant);
	tcase_add_test(nearest, does_not_compare_very_long_words);
	suite_add_tcase(s, nearest);
	return s;
}

UNIT_MAIN(make_suite)
