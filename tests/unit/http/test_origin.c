#include <support/unit.h>

#include <http/http_internal.h>

static const struct {
	const char *url;
	bool is_proxy;
	const char *host; /* NULL: refused */
	unsigned port;
} origins[] = {
	{ "https://api.example.com/v3/mail/send", false, "api.example.com",
	    443 },
	{ "HTTPS://api.example.com", false, "api.example.com", 443 },
	{ "http://127.0.0.1:8025/x?y=http://z:1/", false, "127.0.0.1", 8025 },
	{ "http://localhost", false, "localhost", 80 },
	{ "https://[2001:db8::1]:8443/", false, "2001:db8::1", 8443 },
	{ "https://[::1]", false, "::1", 443 },
	{ "https://user:pa:ss@host:1/", false, "host", 1 },
	{ "https://host?query@x", false, "host", 443 },
	{ "ftp://host/", false, NULL, 0 },
	{ "https://", false, NULL, 0 },
	{ "https:///path", false, NULL, 0 },
	{ "https://[::1", false, NULL, 0 },
	{ "https://[::1]x", false, NULL, 0 },
	{ "https://host:0/", false, NULL, 0 },
	{ "https://host:65536/", false, NULL, 0 },
	{ "https://host:/", false, NULL, 0 },
	{ "https://host:8x/", false, NULL, 0 },
	{ "", false, NULL, 0 },
	{ "proxy.local:3128", true, "proxy.local", 3128 },
	{ "http://proxy.local:3128", true, "proxy.local", 3128 },
	{ "http://proxy.local", true, "proxy.local", 1080 },
	{ "https://user:secret@proxy.local", true, "proxy.local", 443 },
	{ "socks5h://[::1]:9050", true, "::1", 9050 },
	{ "", true, NULL, 0 },
};

START_TEST(finds_host_and_port)
{
	struct origin o;
	int rc = origins[_i].is_proxy ? origin_parse_proxy(origins[_i].url, &o)
				      : origin_parse_url(origins[_i].url, &o);

	ck_assert_msg((rc == 0) == (origins[_i].host != NULL), "%s: %d",
	    origins[_i].url, rc);
	if (rc == 0) {
		ck_assert(span_eq(o.host, span_of(origins[_i].host)));
		ck_assert_uint_eq(o.port, origins[_i].port);
	}
}
END_TEST

START_TEST(tells_addresses_from_names)
{
	ck_assert(resolve_is_literal(SPAN("127.0.0.1")));
	ck_assert(resolve_is_literal(SPAN("2001:db8::1")));
	ck_assert(!resolve_is_literal(SPAN("127.0.0.1.example")));
	ck_assert(!resolve_is_literal(SPAN("localhost")));
	ck_assert(!resolve_is_literal(SPAN("")));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("http/origin");
	TCase *t = tcase_create("origin");

	tcase_add_loop_test(
	    t, finds_host_and_port, 0, sizeof(origins) / sizeof(origins[0]));
	tcase_add_test(t, tells_addresses_from_names);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
