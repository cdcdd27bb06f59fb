/* Addresses to listen on, as people write them. */
#include <base/hostport.h>

#include <support/unit.h>

static struct hostport hp;

START_TEST(takes_hosts_and_ports_apart)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool is_bracketed;
	} good[] = {
		{ "127.0.0.1:587", "127.0.0.1", 587, false },
		{ "[2001:db8::1]:465", "2001:db8::1", 465, true },
		{ "[::]:25", "::", 25, true },
		{ ":2525", "", 2525, false },
		{ "localhost:0", "localhost", 0, false },
		{ "mail.example.com:65535", "mail.example.com", 65535, false },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(hostport_parse(span_of(good[i].text), &hp), "%s",
		    good[i].text);
		ck_assert_str_eq(hp.host, good[i].host);
		ck_assert_uint_eq(hp.port, good[i].port);
		ck_assert_int_eq(hp.is_bracketed, good[i].is_bracketed);
	}
}
END_TEST

START_TEST(refuses_anything_else)
{
	static const char *const bad[] = { "", ":", "127.0.0.1", "587",
		"::1:25", "[::1:25", "::1]:25", "[]:25", "[:25", "a:b", "a:-1",
		"a: 1", "a:65536", "a:1x", "[::1]25" };
	char big[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    !hostport_parse(span_of(bad[i]), &hp), "%s", bad[i]);
	memset(big, 'a', sizeof(big));
	memcpy(big + sizeof(big) - 3, ":25", 3);
	ck_assert(!hostport_parse(span_make(big, sizeof(big)), &hp));
	ck_assert(!hostport_parse(span_make("a\0b:1", 5), &hp));
}
END_TEST

START_TEST(knows_sockets_of_the_file_system)
{
	ck_assert_str_eq(hostport_unix_path("unix:/run/a"), "/run/a");
	ck_assert_str_eq(hostport_unix_path("unix:"), "");
	ck_assert_ptr_null(hostport_unix_path("localhost:25"));
	ck_assert_ptr_null(hostport_unix_path("/run/a"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("hostport");
	TCase *tc = tcase_create("hostport");

	tcase_add_test(tc, takes_hosts_and_ports_apart);
	tcase_add_test(tc, refuses_anything_else);
	tcase_add_test(tc, knows_sockets_of_the_file_system);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
