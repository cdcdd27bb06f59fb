/* Every recipient ends in exactly one list of a JSON API. */
#include <support/unit.h>

#include <common/split.h>
#include <common/str.h>
#include <provider/request_internal.h>

#include <stdio.h>

enum {
	MANY = 1000
};

static struct postern_request request;

static void set_up(void)
{
	request_init(&request, NULL);
}

static void tear_down(void)
{
	request_finish(&request);
}

static bool is(struct postern_str s, const char *expected)
{
	return str_ieq(s, str_of(expected)) &&
	       memcmp(s.ptr, expected, s.len) == 0;
}

START_TEST(sorts_recipients_by_the_header)
{
	const struct postern_address to[] = {
		{ STR("Bob"), STR("BOB@x") },
		{ STR("Gone"), STR("gone@x") },
		{ STR(""), STR("ann@x") },
		{ STR("Again"), STR("bob@x") },
	};
	const struct postern_address cc[] = { { STR(""), STR("ann@x") },
		{ STR("Eve"), STR("eve@x") } };
	const struct postern_str recipients[] = { STR("zed@x"), STR("ann@x"),
		STR("bob@x"), STR("eve@x"), STR("dan@x") };
	const struct postern_content content = {
		.to = to, .to_count = 4, .cc = cc, .cc_count = 2
	};
	const struct postern_mail mail = { .recipients = recipients,
		.recipient_count = 5,
		.content = &content };
	struct split lists;

	ck_assert_int_eq(
	    split_recipients(&mail, &request_host, &request, &lists), 0);
	ck_assert_uint_eq(lists.to_count, 2);
	ck_assert(is(lists.to[0].address, "bob@x"));
	ck_assert(is(lists.to[0].name, "Bob"));
	ck_assert(is(lists.to[1].address, "ann@x"));
	ck_assert_uint_eq(lists.cc_count, 1);
	ck_assert(is(lists.cc[0].address, "eve@x"));
	ck_assert_uint_eq(lists.bcc_count, 2);
	ck_assert(is(lists.bcc[0].address, "zed@x"));
	ck_assert(is(lists.bcc[1].address, "dan@x"));
}
END_TEST

START_TEST(handles_many)
{
	static char texts[MANY][16];
	static struct postern_str recipients[MANY];
	static struct postern_address to[MANY];
	const struct postern_content content = { .to = to, .to_count = MANY };
	const struct postern_mail mail = { .recipients = recipients,
		.recipient_count = MANY,
		.content = &content };
	struct split lists;

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "u%d@x", i);
		recipients[i] = str_of(texts[i]);
		to[MANY - 1 - i].address = recipients[i];
		to[MANY - 1 - i].name = STR("");
	}
	ck_assert_int_eq(
	    split_recipients(&mail, &request_host, &request, &lists), 0);
	ck_assert_uint_eq(lists.to_count, MANY);
	ck_assert(is(lists.to[0].address, "u999@x"));
	ck_assert_uint_eq(lists.bcc_count, 0);
}
END_TEST

START_TEST(puts_all_into_bcc_without_a_header)
{
	const struct postern_str recipients[] = { STR("b@x"), STR("a@x") };
	const struct postern_content content = { .to_count = 0 };
	const struct postern_mail mail = { .recipients = recipients,
		.recipient_count = 2,
		.content = &content };
	struct split lists;

	ck_assert_int_eq(
	    split_recipients(&mail, &request_host, &request, &lists), 0);
	ck_assert_uint_eq(lists.to_count + lists.cc_count, 0);
	ck_assert_uint_eq(lists.bcc_count, 2);
	ck_assert(is(lists.bcc[0].address, "b@x"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.split");
	TCase *t = tcase_create("split");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, sorts_recipients_by_the_header);
	tcase_add_test(t, handles_many);
	tcase_add_test(t, puts_all_into_bcc_without_a_header);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
