#include <base/netaddr.h>

#include <support/unit.h>

#include <netinet/in.h>
#include <sys/un.h>

static struct netaddr addr(const char *text)
{
	struct netaddr a = { .family = NETADDR_NONE };

	ck_assert_msg(netaddr_parse(span_of(text), &a), "%s", text);
	return a;
}

static bool has(const char *network, const char *text)
{
	struct netaddr a = addr(text);
	struct network n;

	ck_assert_msg(network_parse(span_of(network), &n), "%s", network);
	return network_has(&n, &a);
}

START_TEST(reads_and_writes_addresses)
{
	static const char *const same[] = { "192.0.2.1", "2001:db8::1", "::1",
		"0.0.0.0", "::" };
	static const char *const bad[] = { "", "192.0.2", "192.0.2.1:25",
		"[::1]", "fe80::1%eth0", "a.example", " 192.0.2.1" };
	char out[NETADDR_TEXT_SIZE];
	struct netaddr a;

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		a = addr(same[i]);
		ck_assert_str_eq(netaddr_format(&a, out), same[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    !netaddr_parse(span_of(bad[i]), &a), "%s", bad[i]);
	ck_assert(!netaddr_parse(span_make("1.2.3.4\0", 8), &a));
	a = addr("::ffff:192.0.2.1");
	ck_assert_str_eq(netaddr_format(&a, out), "192.0.2.1");
	a = (struct netaddr){ .family = NETADDR_UNIX };
	ck_assert_str_eq(netaddr_format(&a, out), "local");
	a.family = NETADDR_NONE;
	ck_assert_str_eq(netaddr_format(&a, out), "unknown");
}
END_TEST

START_TEST(takes_addresses_of_sockets)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct netaddr a, b;

	v4.sin_addr.s_addr = htonl(0x7f000001);
	a = netaddr_from_sockaddr((struct sockaddr *)&v4);
	b = addr("127.0.0.1");
	ck_assert(netaddr_eq(&a, &b));
	ck_assert(netaddr_is_local(&a));
	a = netaddr_from_sockaddr((struct sockaddr *)&v6);
	ck_assert(netaddr_is_local(&a));
	ck_assert(!netaddr_eq(&a, &b));
	a = netaddr_from_sockaddr((struct sockaddr *)&un);
	ck_assert(netaddr_is_local(&a));
	a = addr("::2");
	ck_assert(!netaddr_is_local(&a));
	a = addr("128.0.0.1");
	ck_assert(!netaddr_is_local(&a));
}
END_TEST

START_TEST(knows_what_lies_in_a_network)
{
	ck_assert(has("192.0.2.0/24", "192.0.2.255"));
	ck_assert(!has("192.0.2.0/24", "192.0.3.0"));
	ck_assert(has("192.0.2.128/25", "192.0.2.129"));
	ck_assert(!has("192.0.2.128/25", "192.0.2.127"));
	ck_assert(has("192.0.2.1", "192.0.2.1"));
	ck_assert(!has("192.0.2.1", "192.0.2.2"));
	ck_assert(has("0.0.0.0/0", "203.0.113.9"));
	ck_assert(!has("0.0.0.0/0", "2001:db8::1"));
	ck_assert(!has("::/0", "203.0.113.9"));
	ck_assert(has("2001:db8::/33", "2001:db8:7fff::"));
	ck_assert(!has("2001:db8::/33", "2001:db8:8000::"));
	ck_assert(has("::ffff:10.0.0.0/104", "10.1.2.3"));
	ck_assert(has("10.0.0.0/8", "::ffff:10.1.2.3"));
	ck_assert(!has("unix", "127.0.0.1"));
}
END_TEST

START_TEST(refuses_what_is_no_network)
{
	static const char *const bad[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33",
		"::/129", "10.0.0.1/8", "::1/64", "10.0.0.0/8/8", "10.0.0.0/-1",
		"::ffff:10.0.0.0/80", "local" };
	struct network n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    !network_parse(span_of(bad[i]), &n), "%s", bad[i]);
}
END_TEST

START_TEST(looks_through_lists_and_groups)
{
	struct network list[2];
	struct netaddr a = addr("2001:db8:1:2:3:4:5:6"), none = { 0 };
	struct network n = network_of(&a, 64);
	char out[NETADDR_TEXT_SIZE];

	ck_assert_str_eq(netaddr_format(&n.base, out), "2001:db8:1:2::");
	a = addr("192.0.2.77");
	n = network_of(&a, 64);
	ck_assert(netaddr_eq(&n.base, &a));
	ck_assert(network_parse(SPAN("unix"), &list[0]));
	ck_assert(network_parse(SPAN("192.0.2.0/24"), &list[1]));
	ck_assert(network_list_has(list, 2, &a));
	ck_assert(!network_list_has(list, 1, &a));
	ck_assert(!network_list_has(list, 2, &none));
	a = (struct netaddr){ .family = NETADDR_UNIX };
	ck_assert(network_list_has(list, 1, &a));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/netaddr");
	TCase *t = tcase_create("netaddr");

	tcase_add_test(t, reads_and_writes_addresses);
	tcase_add_test(t, takes_addresses_of_sockets);
	tcase_add_test(t, knows_what_lies_in_a_network);
	tcase_add_test(t, refuses_what_is_no_network);
	tcase_add_test(t, looks_through_lists_and_groups);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
