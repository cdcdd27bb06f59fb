#include <support/unit.h>

#include <mail/trace.h>

START_TEST(knows_its_own_mark)
{
	ck_assert(trace_is_ours(
	    SPAN(" by mx.example (Postern) id 1; date"), "mx.example"));
	ck_assert(trace_is_ours(SPAN(" from x\r\n\tby mx.example (Postern)\r\n"
				     "\twith ESMTPSA id 1; date"),
	    "mx.example"));
	ck_assert(!trace_is_ours(
	    SPAN(" by mx2.example (Postern) id 1; date"), "mx.example"));
	ck_assert(!trace_is_ours(
	    SPAN(" by mx.example (Postfix) id 1; date"), "mx.example"));
	ck_assert(!trace_is_ours(SPAN(""), "mx.example"));
}
END_TEST

static const struct {
	const char *value;
	bool is_internal;
} cases[] = {
	{ " from a ([10.1.2.3]) by b", true },
	{ " from a ([172.31.255.255]) by b", true },
	{ " from a ([172.32.0.0]) by b", false },
	{ " from a ([192.168.0.1]) by b", true },
	{ " from a ([169.254.0.1]) by b", true },
	{ " from a ([127.0.0.1]) by b", true },
	{ " from a ([IPv6:::1]) by b", true },
	{ " from a ([ipv6:fe80::1]) by b", true },
	{ " from a ([fd12::1]) by b", true },
	{ " from a ([IPv6:2001:db8::1]) by b", false },
	{ " from a ([IPv6:::ffff:10.0.0.1]) by b", true },
	{ " from a ([192.0.2.1]) by b ([10.0.0.1])", true },
	{ " from a ([192.0.2.1]) by b", false },
	{ " from 10.0.0.1 by b", false },
	{ " from [ [ [10.0.0.1", false },
	{ " from [[10.0.0.1]", true },
	{ " from [] [x] [", false },
	{ "", false },
};

START_TEST(knows_private_networks)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(trace_is_internal(span_of(cases[i].value)) ==
				  cases[i].is_internal,
		    "%s", cases[i].value);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/trace");
	TCase *t = tcase_create("trace");

	tcase_add_test(t, knows_its_own_mark);
	tcase_add_test(t, knows_private_networks);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
