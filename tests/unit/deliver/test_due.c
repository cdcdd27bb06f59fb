#include <support/unit.h>

#include <deliver/due.h>

static struct due due;

static struct id id_of(unsigned n)
{
	struct id id = { .bytes = { 0 } };

	/* Their time, and what makes them differ otherwise. */
	for (unsigned i = 0; i < 4; i++)
		id.bytes[5 - i] = id.bytes[15 - i] = (uint8_t)(n >> (8 * i));
	return id;
}

static void setup(void)
{
	due_init(&due);
}

static void teardown(void)
{
	due_finish(&due);
}

START_TEST(earliest_leaves_first_and_not_early)
{
	struct id out;
	int priority;
	int64_t next;

	ck_assert(!due_next(&due, &next));
	ck_assert(!due_take(&due, 1000, &out, &priority));
	ck_assert_int_eq(due_put(&due, id_of(1), 300, 0), 0);
	ck_assert_int_eq(due_put(&due, id_of(2), 100, 0), 0);
	ck_assert_int_eq(due_put(&due, id_of(3), 200, 0), 0);
	ck_assert(due_next(&due, &next));
	ck_assert_int_eq(next, 100);
	ck_assert(!due_take(&due, 99, &out, &priority));
	for (unsigned n = 0; n < 3; n++) {
		static const unsigned order[] = { 2, 3, 1 };

		ck_assert(due_take(&due, 100 * (n + 1), &out, &priority));
		ck_assert(id_eq(out, id_of(order[n])));
	}
	ck_assert(!due_take(&due, 1000, &out, &priority));
	ck_assert_uint_eq(due.count, 0);
}
END_TEST

START_TEST(an_id_waits_once)
{
	struct id out;
	int priority;

	ck_assert_int_eq(due_put(&due, id_of(1), 300, 0), 0);
	ck_assert_int_eq(due_put(&due, id_of(1), 100, 0), 0);
	ck_assert_int_eq(due_put(&due, id_of(1), 200, 0), 0);
	ck_assert_uint_eq(due.count, 1);
	ck_assert(!due_take(&due, 199, &out, &priority));
	ck_assert(due_take(&due, 200, &out, &priority));
	ck_assert(!due_take(&due, 1000, &out, &priority));
}
END_TEST

START_TEST(many_keep_their_order)
{
	enum {
		COUNT = 20000
	};
	struct id out;
	int priority;
	int64_t now = 0;

	for (unsigned n = 0; n < COUNT; n++)
		ck_assert_int_eq(
		    due_put(&due, id_of(n), (n * 7919) % COUNT, 0), 0);
	ck_assert_uint_eq(due.count, COUNT);
	for (unsigned n = 0; n < COUNT; n++) {
		int64_t next;

		ck_assert(due_next(&due, &next));
		ck_assert_int_ge(next, now);
		now = next;
		ck_assert(due_take(&due, now, &out, &priority));
	}
	ck_assert_uint_eq(due.count, 0);
}
END_TEST

START_TEST(a_crowd_leaves_the_oldest_first)
{
	enum {
		COUNT = 100000
	};
	struct id out, last = id_of(0);
	int priority;
	unsigned sweeps = 1;

	for (unsigned n = 1; n <= COUNT; n++)
		ck_assert_int_eq(
		    due_put(&due, id_of(n), (int64_t)n * 7919 % COUNT, 0), 0);
	for (unsigned n = 0; n < COUNT; n++) {
		ck_assert(due_take(&due, COUNT, &out, &priority));
		sweeps += memcmp(&out, &last, sizeof(out)) < 0;
		last = out;
	}
	ck_assert(!due_take(&due, COUNT, &out, &priority));
	ck_assert_uint_le(sweeps, 5);
}
END_TEST

START_TEST(the_old_hold_up_nobody_for_more_than_a_sweep)
{
	struct id out;
	int priority;

	ck_assert_int_eq(due_put(&due, id_of(1000), 1, 0), 0);
	for (unsigned n = 0; n < 100; n++) {
		/* It comes back at once, and so does another one. */
		ck_assert_int_eq(due_put(&due, id_of(1), 1, 0), 0);
		ck_assert_int_eq(due_put(&due, id_of(2), 1, 0), 0);
		ck_assert(due_take(&due, 1, &out, &priority));
		if (id_eq(out, id_of(1000))) {
			ck_assert_uint_le(n, 3);
			return;
		}
	}
	ck_abort_msg("it never left");
}
END_TEST

START_TEST(what_was_due_can_be_put_off)
{
	struct id out;
	int priority;
	int64_t next;

	for (unsigned n = 1; n <= 3; n++)
		ck_assert_int_eq(due_put(&due, id_of(n), 1, 0), 0);
	ck_assert(due_take(&due, 1, &out, &priority));
	ck_assert(id_eq(out, id_of(1)));
	ck_assert_int_eq(due_put(&due, id_of(2), 50, 0), 0);
	ck_assert_int_eq(due_put(&due, id_of(3), 40, 0), 0);
	ck_assert(!due_take(&due, 39, &out, &priority));
	ck_assert(due_next(&due, &next));
	ck_assert_int_eq(next, 40);
	ck_assert(due_take(&due, 40, &out, &priority));
	ck_assert(id_eq(out, id_of(3)));
	ck_assert_uint_eq(due.count, 1);
}
END_TEST

START_TEST(times_before_the_epoch_are_due)
{
	struct id out;
	int priority;

	ck_assert_int_eq(due_put(&due, id_of(1), -5, 0), 0);
	ck_assert(due_take(&due, 0, &out, &priority));
}
END_TEST

START_TEST(higher_priority_leaves_first_when_due)
{
	static const struct {
		int64_t at_ms;
		int priority;
	} rows[] = { { 10, -9 }, { 20, 0 }, { 30, 9 }, { 15, 0 }, { 99, 9 } };
	static const unsigned order[] = { 2, 1, 3, 0 };
	struct id out;
	int priority;
	int64_t next;

	for (unsigned n = 0; n < 5; n++)
		ck_assert_int_eq(
		    due_put(&due, id_of(n), rows[n].at_ms, rows[n].priority),
		    0);
	ck_assert(due_next(&due, &next));
	ck_assert_int_eq(next, 10);
	/* One whose time has not come holds nobody up. */
	for (unsigned n = 0; n < 4; n++) {
		ck_assert(due_take(&due, 50, &out, &priority));
		ck_assert(id_eq(out, id_of(order[n])));
		ck_assert_int_eq(priority, rows[order[n]].priority);
	}
	ck_assert(!due_take(&due, 50, &out, &priority));
	ck_assert_uint_eq(due.count, 1);
}
END_TEST

START_TEST(a_priority_beyond_the_scale_is_its_end)
{
	struct id out;
	int priority;

	ck_assert_int_eq(due_put(&due, id_of(1), 1, 100), 0);
	ck_assert(due_take(&due, 1, &out, &priority));
	ck_assert_int_eq(priority, 9);
	ck_assert_int_eq(due_put(&due, id_of(1), 1, -100), 0);
	ck_assert(due_take(&due, 1, &out, &priority));
	ck_assert_int_eq(priority, STORE_EVENT_PRIORITY);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/due");
	TCase *t = tcase_create("due");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, earliest_leaves_first_and_not_early);
	tcase_add_test(t, an_id_waits_once);
	tcase_add_test(t, many_keep_their_order);
	tcase_add_test(t, a_crowd_leaves_the_oldest_first);
	tcase_add_test(t, the_old_hold_up_nobody_for_more_than_a_sweep);
	tcase_add_test(t, what_was_due_can_be_put_off);
	tcase_add_test(t, times_before_the_epoch_are_due);
	tcase_add_test(t, higher_priority_leaves_first_when_due);
	tcase_add_test(t, a_priority_beyond_the_scale_is_its_end);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
