#include <base/secret.h>

#include <support/unit.h>

START_TEST(holds_a_copy)
{
	char source[] = "s3cret";
	struct secret s = { 0 };

	ck_assert_int_eq(secret_set(&s, span_of(source)), 0);
	memset(source, 'x', 6);
	ck_assert_str_eq(s.value, "s3cret");
	ck_assert_uint_eq(s.len, 6);
	secret_clear(&s);
	ck_assert_ptr_null(s.value);
	ck_assert_uint_eq(s.len, 0);
	secret_clear(&s);
}
END_TEST

START_TEST(tells_empty_from_not_set)
{
	struct secret s = { 0 };

	ck_assert_int_eq(secret_set(&s, span_make(NULL, 0)), 0);
	ck_assert_str_eq(s.value, "");
	ck_assert_uint_eq(s.len, 0);
	secret_clear(&s);
}
END_TEST

START_TEST(may_be_set_from_itself)
{
	struct secret s = { 0 };

	ck_assert_int_eq(secret_set(&s, SPAN("prefix:value")), 0);
	ck_assert_int_eq(
	    secret_set(&s, span_from(span_make(s.value, s.len), 7)), 0);
	ck_assert_str_eq(s.value, "value");
	secret_clear(&s);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/secret");
	TCase *t = tcase_create("secret");

	tcase_add_test(t, holds_a_copy);
	tcase_add_test(t, tells_empty_from_not_set);
	tcase_add_test(t, may_be_set_from_itself);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
