/* How much is whose, also when the count has gone wrong. */
#include <store/holders.h>
#include <support/unit.h>

START_TEST(who_holds_nothing_is_forgotten_when_nobody_looks)
{
	struct holders *h = holders_new();
	struct store_held held;
	ck_assert_ptr_nonnull(h);
	ck_assert_ptr_null(holders_pin(h, SPAN("app")));
	holders_add(h, SPAN("app"), 10);
	/* Two end in one batch, of which one was never counted. */
	struct holder *a = holders_pin(h, SPAN("app"));
	struct holder *b = holders_pin(h, SPAN("app"));
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_eq(a, b);
	holders_drop(h, a, 10);
	holders_unpin(h, a);
	holders_drop(h, b, 10);
	holders_look(h, SPAN("app"), &held);
	ck_assert_uint_eq(held.messages, 0);
	ck_assert_uint_eq(held.bytes, 0);
	holders_unpin(h, b);
	ck_assert_ptr_null(holders_pin(h, SPAN("app")));
	holders_drop(h, NULL, 10);
	holders_unpin(h, NULL);
	holders_free(h);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.holders");
	TCase *tc = tcase_create("holders");
	tcase_add_test(tc, who_holds_nothing_is_forgotten_when_nobody_looks);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
