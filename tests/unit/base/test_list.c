#include <base/list.h>

#include <support/unit.h>

struct item {
	int number;
	struct list link;
};

static struct list head;
static struct item items[4];

static void setup(void)
{
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].number = i;
		list_init(&items[i].link);
	}
}

/* The numbers in the list as decimal digits, behind a 9. */
static int digits(void)
{
	int all = 9;

	list_for_each (pos, &head)
		all = all * 10 + container_of(pos, struct item, link)->number;
	return all;
}

START_TEST(keeps_the_order_of_appending)
{
	ck_assert(list_is_empty(&head));
	for (int i = 0; i < 4; i++)
		list_append(&head, &items[i].link);
	ck_assert(!list_is_empty(&head));
	ck_assert_int_eq(digits(), 90123);
}
END_TEST

START_TEST(removes_from_anywhere_and_twice)
{
	for (int i = 0; i < 4; i++)
		list_append(&head, &items[i].link);
	list_remove(&items[2].link);
	ck_assert_int_eq(digits(), 9013);
	list_remove(&items[2].link);
	ck_assert_int_eq(digits(), 9013);
	list_remove(&items[0].link);
	list_remove(&items[3].link);
	ck_assert_int_eq(digits(), 91);
	list_append(&head, &items[0].link);
	ck_assert_int_eq(digits(), 910);
}
END_TEST

START_TEST(may_be_emptied_while_walked)
{
	for (int i = 0; i < 4; i++)
		list_append(&head, &items[i].link);
	list_for_each_safe (pos, next, &head)
		list_remove(pos);
	ck_assert(list_is_empty(&head));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/list");
	TCase *t = tcase_create("list");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, keeps_the_order_of_appending);
	tcase_add_test(t, removes_from_anywhere_and_twice);
	tcase_add_test(t, may_be_emptied_while_walked);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
