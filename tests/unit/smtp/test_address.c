/* Mailboxes and paths. */
#include <smtp/address.h>

#include <stdio.h>
#include <string.h>

#include <support/unit.h>

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char *const good[] = {
	"a@example.com",
	"A.b-c+d=e@EXAMPLE.com",
	"!#$%&'*+-/=?^_`{|}~@example.com",
	"\"\"@example.com",
	"\"john doe\"@example.com",
	"\"a@b\"@example.com",
	"\"a\\\"b\\\\\"@example.com",
	"\"<>\"@example.com",
	"a@b",
	"a@1.2",
	"0a@0.example",
	"a@x-y.z--w.com",
	"a@[192.0.2.1]",
	"a@[IPv6:2001:db8::1]",
	"a@[ipv6:::]",
	"\xc3\xa9@\xc3\xa9.example",
	X63 "x@example.com",
	"a@" X63 ".com",
};

START_TEST(accepts_what_is_well_formed)
{
	struct smtp_address a;
	struct span s = span_of(good[_i]);
	char path[512];
	struct span rest;

	ck_assert_msg(
	    smtp_address_parse(s, &a) == SMTP_ADDRESS_OK, "%s", good[_i]);
	ck_assert(span_eq(a.whole, s));
	ck_assert_uint_eq(a.local.len + 1 + a.domain.len, s.len);
	ck_assert(a.is_literal == (a.domain.ptr[0] == '['));
	ck_assert(a.is_utf8 == !span_is_ascii(s));

	(void)snprintf(path, sizeof(path), "<%s> X=1", good[_i]);
	ck_assert_int_eq(
	    smtp_address_parse_path(span_of(path), &a, &rest), SMTP_ADDRESS_OK);
	ck_assert(span_eq(a.whole, s));
	ck_assert(span_eq(rest, SPAN(" X=1")));
}
END_TEST

static const char *const bad[] = {
	"",
	"a",
	"@",
	"@example.com",
	"a@",
	".a@example.com",
	"a.@example.com",
	"a..b@example.com",
	"a b@example.com",
	"a@b@example.com",
	"a(c)@example.com",
	"a<b@example.com",
	"\"a@example.com",
	"\"a\"b@example.com",
	"\"a\\\"@example.com",
	"\"a\nb\"@example.com",
	"a@.example.com",
	"a@example..com",
	"a@example.com.",
	"a@-example.com",
	"a@example-.com",
	"a@exa_mple.com",
	"a@exa mple.com",
	"a@[192.0.2]",
	"a@[192.0.2.256]",
	"a@[IPv6:1:2]",
	"a@[2001:db8::1]",
	"a@[]",
	"a@[192.0.2.11",
	"a@[tag:x]",
	"a@\xc3",
	X63 "xx@example.com",
	"a@" X63 "x.com",
	"a@" X63 "." X63 "." X63 "." X63,
	"xx@" X63 "." X63 "." X63 ".xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxx",
};

START_TEST(refuses_what_is_not)
{
	struct smtp_address a;

	ck_assert_msg(
	    smtp_address_parse(span_of(bad[_i]), &a) == SMTP_ADDRESS_BAD, "%s",
	    bad[_i]);
}
END_TEST

START_TEST(refuses_a_nul_in_a_literal)
{
	struct smtp_address a;

	ck_assert_int_eq(
	    smtp_address_parse(span_make("a@[192.0.2.1\0]", 14), &a),
	    SMTP_ADDRESS_BAD);
	ck_assert_int_eq(
	    smtp_address_parse(span_make("a\0@b.c", 6), &a), SMTP_ADDRESS_BAD);
}
END_TEST

static const struct {
	const char *in;
	enum smtp_address_result result;
	const char *whole, *rest;
} paths[] = {
	{ "<>", SMTP_ADDRESS_OK, "", "" },
	{ "<> SIZE=1", SMTP_ADDRESS_OK, "", " SIZE=1" },
	{ "<a@b.c>", SMTP_ADDRESS_OK, "a@b.c", "" },
	{ "<@x.y:a@b.c>", SMTP_ADDRESS_OK, "a@b.c", "" },
	{ "<@x.y,@z:a@b.c>", SMTP_ADDRESS_OK, "a@b.c", "" },
	{ "<\"a>b\"@b.c>", SMTP_ADDRESS_OK, "\"a>b\"@b.c", "" },
	{ "<\"a\\\">b\"@b.c> X", SMTP_ADDRESS_OK, "\"a\\\">b\"@b.c", " X" },
	{ "", SMTP_ADDRESS_NO_PATH, NULL, NULL },
	{ "a@b.c", SMTP_ADDRESS_NO_PATH, NULL, NULL },
	{ "<", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<a@b.c", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<a@b.c>x", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "< a@b.c>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<<a@b.c>>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<\"a>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<@x.y>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<@x.y:>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<@:a@b.c>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "<@x.y,z:a@b.c>", SMTP_ADDRESS_BAD, NULL, NULL },
};

START_TEST(reads_paths)
{
	struct smtp_address a;
	struct span rest;

	ck_assert_int_eq(
	    smtp_address_parse_path(span_of(paths[_i].in), &a, &rest),
	    paths[_i].result);
	if (paths[_i].result != SMTP_ADDRESS_OK)
		return;
	ck_assert(span_eq(a.whole, span_of(paths[_i].whole)));
	ck_assert(span_eq(rest, span_of(paths[_i].rest)));
}
END_TEST

static const struct {
	const char *in;
	enum smtp_address_result result;
	const char *whole, *rest;
} bare[] = {
	{ "a@b.c", SMTP_ADDRESS_OK, "a@b.c", "" },
	{ "a@b.c SIZE=1", SMTP_ADDRESS_OK, "a@b.c", " SIZE=1" },
	{ "a@[192.0.2.1] X", SMTP_ADDRESS_OK, "a@[192.0.2.1]", " X" },
	{ "\"a b\"@b.c X", SMTP_ADDRESS_OK, "\"a b\"@b.c", " X" },
	{ "", SMTP_ADDRESS_NO_PATH, NULL, NULL },
	{ " a@b.c", SMTP_ADDRESS_NO_PATH, NULL, NULL },
	{ "SIZE=1", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "a@b.c>", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "a@b@c.d", SMTP_ADDRESS_BAD, NULL, NULL },
	{ "\"a b@b.c", SMTP_ADDRESS_BAD, NULL, NULL },
};

START_TEST(reads_addresses_without_brackets)
{
	struct smtp_address a;
	struct span rest;

	ck_assert_int_eq(
	    smtp_address_parse_bare(span_of(bare[_i].in), &a, &rest),
	    bare[_i].result);
	if (bare[_i].result != SMTP_ADDRESS_OK)
		return;
	ck_assert(span_eq(a.whole, span_of(bare[_i].whole)));
	ck_assert(span_eq(rest, span_of(bare[_i].rest)));
}
END_TEST

START_TEST(tells_a_qualified_domain)
{
	struct smtp_address a;

	ck_assert_int_eq(smtp_address_parse(SPAN("a@b.c"), &a), 0);
	ck_assert(smtp_address_is_qualified(&a));
	ck_assert_int_eq(smtp_address_parse(SPAN("a@[192.0.2.1]"), &a), 0);
	ck_assert(smtp_address_is_qualified(&a));
	ck_assert_int_eq(smtp_address_parse(SPAN("a@localhost"), &a), 0);
	ck_assert(!smtp_address_is_qualified(&a));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("address");
	TCase *tc = tcase_create("syntax");

	tcase_add_loop_test(tc, accepts_what_is_well_formed, 0,
	    (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(
	    tc, refuses_what_is_not, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, refuses_a_nul_in_a_literal);
	tcase_add_loop_test(
	    tc, reads_paths, 0, (int)(sizeof(paths) / sizeof(paths[0])));
	tcase_add_loop_test(tc, reads_addresses_without_brackets, 0,
	    (int)(sizeof(bare) / sizeof(bare[0])));
	tcase_add_test(tc, tells_a_qualified_domain);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
