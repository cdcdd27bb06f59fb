/* Addresses as providers take them. */
#include <sandbox/addr.h>
#include <support/unit.h>

static const struct {
	const char *text, *address; /* NULL: refused */
} cases[] = {
	{ "a@b.example", "a@b.example" },
	{ " Ann <a.b+c@x-y.example> ", "a.b+c@x-y.example" },
	{ "\"x, y\" <a@b.example>", "a@b.example" },
	{ "\"quoted local\"@b.example", "\"quoted local\"@b.example" },
	{ "<a@b.example>", "a@b.example" },
	{ "a@b.example (Ann)", "a@b.example" },
	{ "(Ann)", NULL },
	{ "", NULL },
	{ "a", NULL },
	{ "@b.example", NULL },
	{ "a@", NULL },
	{ "a@b", NULL },
	{ "a@b..example", NULL },
	{ "a@-b.example", NULL },
	{ ".a@b.example", NULL },
	{ "a b@c.example", NULL },
	{ "a@b@c.example", NULL },
	{ "m\xc3\xbcller@b.example", NULL },
	{ "a@m\xc3\xbcller.example", NULL },
	{ "a@b.example>", NULL },
};

START_TEST(takes_only_addresses)
{
	struct span out;
	bool ok = addr_parse(span_of(cases[_i].text), &out);

	ck_assert_msg(ok == (cases[_i].address != NULL), "%s", cases[_i].text);
	if (ok)
		ck_assert(span_eq(out, span_of(cases[_i].address)));
}
END_TEST

START_TEST(splits_lists_outside_quotes)
{
	struct span rest = SPAN("a@b.c,\"x, \\\"y\" <d@e.f>, g@h.i");

	ck_assert(span_eq(addr_next(&rest), SPAN("a@b.c")));
	ck_assert(span_eq(addr_next(&rest), SPAN("\"x, \\\"y\" <d@e.f>")));
	ck_assert(span_eq(addr_next(&rest), SPAN(" g@h.i")));
	ck_assert_ptr_null(rest.ptr);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/addr");
	TCase *t = tcase_create("addr");

	tcase_add_loop_test(
	    t, takes_only_addresses, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, splits_lists_outside_quotes);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
