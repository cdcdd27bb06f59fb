#include <support/unit.h>

#include <config/config.h>
#include <policy/pressure.h>

static const uint64_t gib = UINT64_C(1) << 30;

static struct pressure *p;
static struct config c;
static struct pressure_capacity have;

static void set_up(void)
{
	p = pressure_new();
	ck_assert_ptr_nonnull(p);
	c = (struct config){
		.queue = { .max_messages = 1000,
		    .max_bytes = 1000000,
		    .user_share = 25 },
		.spool = { .min_free = { .percent = 10 } },
		.memory = { .soft = 80, .hard = 95 },
		.smtp = { .max_message_size = 25 * 1024 * 1024 },
	};
	have = (struct pressure_capacity){ 100 * gib, 1000, 100000 };
	pressure_configure(p, &c, &have);
}

static void tear_down(void)
{
	pressure_free(p);
}

/* A mark, its level, where it ends, and one step towards trouble. */
static const struct {
	enum pressure_mark mark;
	uint64_t fine, level, still, end;
} marks[] = {
	{ PRESSURE_SPACE, UINT64_C(10) << 30, (UINT64_C(10) << 30) - 1,
	    (UINT64_C(12) << 30) - 1, UINT64_C(12) << 30 },
	{ PRESSURE_INODES, 100, 99, 119, 120 },
	{ PRESSURE_QUEUE_MESSAGES, 999, 1000, 901, 900 },
	{ PRESSURE_QUEUE_BYTES, 999999, 1000000, 900001, 900000 },
	{ PRESSURE_MEMORY, 79999, 80000, 75001, 75000 },
	{ PRESSURE_MEMORY_HARD, 94999, 95000, 75001, 75000 },
	{ PRESSURE_UNSYNCED, (64 << 20) - 1, 64 << 20, (32 << 20) + 1,
	    32 << 20 },
	{ PRESSURE_SYNC, 4999, 5000, 2501, 2500 },
};

START_TEST(begins_at_one_level_and_ends_at_another)
{
	enum pressure_mark mark = marks[_i].mark;

	for (int twice = 0; twice < 2; twice++) {
		ck_assert(!pressure_note(p, mark, marks[_i].fine));
		ck_assert(!pressure_note(p, mark, marks[_i].still));
		ck_assert(pressure_note(p, mark, marks[_i].level));
		ck_assert(pressure_note(p, mark, marks[_i].fine));
		ck_assert(pressure_note(p, mark, marks[_i].still));
		ck_assert(pressure_holds(p, mark));
		ck_assert(!pressure_note(p, mark, marks[_i].end));
		ck_assert(!pressure_holds(p, mark));
	}
}
END_TEST

START_TEST(asks_for_what_any_mark_that_holds_asks_for)
{
	ck_assert(!pressure_asks(p, PRESSURE_NO_MAIL));
	(void)pressure_note(p, PRESSURE_QUEUE_BYTES, UINT64_MAX);
	ck_assert(pressure_asks(p, PRESSURE_NO_MAIL));
	ck_assert(!pressure_asks(p, PRESSURE_NOT_READY));
	(void)pressure_note(p, PRESSURE_SPACE, 0);
	ck_assert(pressure_asks(p, PRESSURE_NOT_READY));
	(void)pressure_note(p, PRESSURE_QUEUE_BYTES, 0);
	ck_assert(pressure_asks(p, PRESSURE_NO_MAIL));
	(void)pressure_note(p, PRESSURE_SPACE, UINT64_MAX);
	ck_assert(!pressure_asks(p, PRESSURE_NO_MAIL));
}
END_TEST

/* Each mark alone, and all that follows from it. */
static const struct {
	enum pressure_mark mark;
	uint64_t beyond;
	unsigned effects;
} effects[] = {
	{ PRESSURE_SPACE, 0,
	    PRESSURE_NO_MAIL | PRESSURE_NO_FILES | PRESSURE_NOT_READY },
	{ PRESSURE_INODES, 0,
	    PRESSURE_NO_MAIL | PRESSURE_NO_FILES | PRESSURE_NOT_READY },
	{ PRESSURE_QUEUE_BYTES, UINT64_MAX, PRESSURE_NO_MAIL },
	{ PRESSURE_QUEUE_MESSAGES, UINT64_MAX, PRESSURE_NO_MAIL },
	{ PRESSURE_MEMORY, UINT64_MAX, PRESSURE_NO_SESSIONS },
	{ PRESSURE_MEMORY_HARD, UINT64_MAX,
	    PRESSURE_NO_SESSIONS | PRESSURE_PAUSE | PRESSURE_SPILL },
	{ PRESSURE_UNSYNCED, UINT64_MAX,
	    PRESSURE_PAUSE_STORED | PRESSURE_KEEP_STORED },
	{ PRESSURE_SYNC, UINT64_MAX, PRESSURE_PAUSE_STORED },
};

START_TEST(asks_for_just_what_follows_from_a_mark)
{
	ck_assert(pressure_note(p, effects[_i].mark, effects[_i].beyond));
	for (unsigned bit = 1; bit <= PRESSURE_NO_FILES; bit <<= 1)
		ck_assert_int_eq(
		    pressure_asks(p, bit), (effects[_i].effects & bit) != 0);
}
END_TEST

START_TEST(is_near_where_a_mark_would_not_end)
{
	ck_assert(!pressure_is_near(p, PRESSURE_MEMORY, 75000));
	ck_assert(pressure_is_near(p, PRESSURE_MEMORY, 75001));
	ck_assert(!pressure_holds(p, PRESSURE_MEMORY));
	c.memory.soft = 0;
	pressure_configure(p, &c, &have);
	ck_assert(!pressure_is_near(p, PRESSURE_MEMORY, UINT64_MAX));
}
END_TEST

START_TEST(takes_space_in_bytes_and_not_less_than_a_large_message)
{
	c.spool.min_free = (struct postern_share){ .bytes = gib };
	pressure_configure(p, &c, &have);
	ck_assert(!pressure_note(p, PRESSURE_SPACE, gib));
	ck_assert(pressure_note(p, PRESSURE_SPACE, gib - 1));
	ck_assert_uint_eq(pressure_floor(p), gib / 2);
	ck_assert(!pressure_note(p, PRESSURE_INODES, 0));
	c.spool.min_free.bytes = 1;
	pressure_configure(p, &c, &have);
	ck_assert(!pressure_note(p, PRESSURE_SPACE, 50 * 1024 * 1024));
	ck_assert(pressure_note(p, PRESSURE_SPACE, 37 * 1024 * 1024));
}
END_TEST

START_TEST(levels_of_zero_never_hold)
{
	c.queue = (struct config_queue){ .max_messages = 0 };
	c.spool.min_free = (struct postern_share){ 0, 0 };
	c.memory = (struct config_memory){ .limit = 1 };
	pressure_configure(p, &c, &have);
	for (unsigned i = 0; i < PRESSURE_UNSYNCED; i++) {
		ck_assert(!pressure_note(p, (enum pressure_mark)i, 0));
		ck_assert(!pressure_note(p, (enum pressure_mark)i, UINT64_MAX));
	}
	ck_assert_uint_eq(pressure_floor(p), 0);
	ck_assert(!pressure_note_user(p, SPAN("a"), 1U << 30, UINT64_MAX));
}
END_TEST

START_TEST(a_new_level_holds_from_the_next_reading)
{
	ck_assert(!pressure_note(p, PRESSURE_QUEUE_MESSAGES, 500));
	c.queue.max_messages = 400;
	pressure_configure(p, &c, &have);
	ck_assert(pressure_note(p, PRESSURE_QUEUE_MESSAGES, 500));
	c.queue.max_messages = 0;
	pressure_configure(p, &c, &have);
	ck_assert(!pressure_note(p, PRESSURE_QUEUE_MESSAGES, 500));
}
END_TEST

START_TEST(one_user_above_a_share_leaves_the_others_alone)
{
	ck_assert(!pressure_note_user(p, SPAN("a"), 249, 0));
	ck_assert(pressure_note_user(p, SPAN("a"), 250, 0));
	ck_assert(!pressure_note_user(p, SPAN("b"), 249, 249999));
	ck_assert(pressure_note_user(p, SPAN("b"), 1, 250000));
	ck_assert(pressure_note_user(p, SPAN("a"), 201, 0));
	ck_assert(!pressure_note_user(p, SPAN("a"), 200, 0));
	ck_assert(!pressure_note_user(p, SPAN("a"), 249, 0));
	ck_assert(pressure_note_user(p, SPAN("b"), 1, 200001));
	ck_assert(!pressure_note_user(p, SPAN("b"), 1, 200000));
	ck_assert(!pressure_asks(p, PRESSURE_NO_MAIL));
}
END_TEST

START_TEST(a_share_of_a_small_queue_is_at_least_one)
{
	c.queue.max_messages = 3;
	pressure_configure(p, &c, &have);
	ck_assert(!pressure_note_user(p, SPAN("a"), 0, 0));
	ck_assert(pressure_note_user(p, SPAN("a"), 1, 0));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy/pressure");
	TCase *t = tcase_create("pressure");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, begins_at_one_level_and_ends_at_another, 0,
	    sizeof(marks) / sizeof(marks[0]));
	tcase_add_test(t, asks_for_what_any_mark_that_holds_asks_for);
	tcase_add_loop_test(t, asks_for_just_what_follows_from_a_mark, 0,
	    sizeof(effects) / sizeof(effects[0]));
	tcase_add_test(t, is_near_where_a_mark_would_not_end);
	tcase_add_test(
	    t, takes_space_in_bytes_and_not_less_than_a_large_message);
	tcase_add_test(t, levels_of_zero_never_hold);
	tcase_add_test(t, a_new_level_holds_from_the_next_reading);
	tcase_add_test(t, one_user_above_a_share_leaves_the_others_alone);
	tcase_add_test(t, a_share_of_a_small_queue_is_at_least_one);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
