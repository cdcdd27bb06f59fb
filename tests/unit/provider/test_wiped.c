/* A request leaves no key or token behind in memory that is freed. */
#include <support/freed.h>
#include <support/unit.h>

#include <provider/request_internal.h>

static const struct postern_host *const host = &request_host;
static struct postern_request request;

START_TEST(a_key_in_a_header_is_overwritten)
{
	request_init(&request, NULL);
	ck_assert_int_eq(
	    host->header(&request, "Authorization", "Bearer " FREED_SECRET), 0);
	request_finish(&request);
	ck_assert_uint_eq(freed_secrets, 0);
}
END_TEST

START_TEST(a_key_in_the_body_is_overwritten_also_while_it_grows)
{
	static const char more[4096];

	request_init(&request, NULL);
	ck_assert_int_eq(
	    host->body(&request, FREED_SECRET, sizeof(FREED_SECRET) - 1), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(host->body(&request, more, sizeof(more)), 0);
	request_finish(&request);
	ck_assert_uint_eq(freed_secrets, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider/wiped");
	TCase *t = tcase_create("wiped");

	tcase_add_test(t, a_key_in_a_header_is_overwritten);
	tcase_add_test(t, a_key_in_the_body_is_overwritten_also_while_it_grows);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
