#include <base/buf.h>

#include <support/unit.h>

#include <errno.h>
#include <stdint.h>

static struct buf b;

static void setup(void)
{
	buf_init(&b, 1000);
}

static void teardown(void)
{
	buf_finish(&b);
}

static void check_holds(const char *text)
{
	struct span s = buf_span(&b);
	if (!span_eq(s, span_of(text)))
		ck_abort_msg("holds '%.*s', want '%s'", SPAN_FMT(s), text);
}

START_TEST(is_empty_at_first)
{
	ck_assert_uint_eq(buf_len(&b), 0);
	ck_assert_ptr_nonnull(buf_span(&b).ptr);
	buf_consume(&b, 0);
	buf_clear(&b);
	buf_shrink(&b, 0);
	check_holds("");
}
END_TEST

START_TEST(appends_at_the_end_and_consumes_at_the_start)
{
	ck_assert_int_eq(buf_add(&b, "one ", 4), 0);
	ck_assert_int_eq(buf_add_span(&b, SPAN("two ")), 0);
	ck_assert_int_eq(buf_add_str(&b, "three"), 0);
	check_holds("one two three");
	buf_consume(&b, 4);
	check_holds("two three");
	ck_assert_int_eq(buf_printf(&b, " %d", 4), 0);
	check_holds("two three 4");
	buf_clear(&b);
	check_holds("");
}
END_TEST

START_TEST(adds_nothing_without_memory)
{
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	ck_assert_int_eq(buf_add_span(&b, span_make(NULL, 0)), 0);
	ck_assert_int_eq(buf_reserve(&b, 0), 0);
	ck_assert_int_eq(buf_printf(&b, "%s", ""), 0);
	check_holds("");
}
END_TEST

START_TEST(never_holds_more_than_its_maximum)
{
	char block[1000] = { 0 };

	ck_assert_int_eq(buf_add(&b, block, 1000), 0);
	ck_assert_int_eq(buf_add(&b, "x", 1), -EMSGSIZE);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
	ck_assert_uint_eq(buf_len(&b), 1000);
	buf_consume(&b, 10);
	ck_assert_int_eq(buf_add(&b, block, 11), -EMSGSIZE);
	ck_assert_int_eq(buf_add(&b, block, 10), 0);
	ck_assert_uint_eq(buf_len(&b), 1000);
}
END_TEST

/* With bytes consumed the memory may be larger than the maximum. */
START_TEST(prints_no_more_than_its_maximum)
{
	char block[998] = { 0 };

	ck_assert_int_eq(buf_add(&b, block, sizeof(block)), 0);
	buf_consume(&b, 8);
	ck_assert_int_eq(buf_add(&b, block, 8), 0);
	ck_assert_uint_gt(b.cap - b.end, 10);
	ck_assert_int_eq(buf_printf(&b, "%s", "abc"), -EMSGSIZE);
	ck_assert_uint_eq(buf_len(&b), 998);
	ck_assert_int_eq(buf_printf(&b, "%s", "ab"), 0);
	ck_assert_uint_eq(buf_len(&b), 1000);
}
END_TEST

START_TEST(prints_up_to_the_last_byte_of_its_maximum)
{
	for (int len = 0; len < 1003; len++) {
		buf_clear(&b);
		ck_assert_int_eq(buf_printf(&b, "%*s", len, ""),
		    len <= 1000 ? 0 : -EMSGSIZE);
		ck_assert_int_eq((int)buf_len(&b), len <= 1000 ? len : 0);
		buf_finish(&b);
	}
}
END_TEST

START_TEST(a_failed_print_adds_nothing)
{
	ck_assert_int_eq(buf_add_str(&b, "kept"), 0);
	ck_assert_int_eq(buf_printf(&b, "%2000d", 1), -EMSGSIZE);
	check_holds("kept");
	ck_assert_int_eq(buf_printf(&b, " %d", 1), 0);
	check_holds("kept 1");
}
END_TEST

START_TEST(reserved_room_is_written_in_place)
{
	ck_assert_int_eq(buf_reserve(&b, 3), 0);
	memcpy(buf_tail(&b), "abc", 3);
	buf_commit(&b, 2);
	check_holds("ab");
	ck_assert_int_eq(buf_reserve(&b, 998), 0);
	memset(buf_tail(&b), 'x', 998);
	buf_commit(&b, 998);
	ck_assert_uint_eq(buf_len(&b), 1000);
	ck_assert(span_starts_with(buf_span(&b), SPAN("abxx")));
}
END_TEST

START_TEST(is_usable_after_finish)
{
	ck_assert_int_eq(buf_add_str(&b, "old"), 0);
	buf_finish(&b);
	check_holds("");
	ck_assert_int_eq(buf_add_str(&b, "new"), 0);
	buf_finish_secret(&b);
	check_holds("");
	ck_assert_int_eq(buf_add_str(&b, "again"), 0);
	check_holds("again");
	ck_assert_uint_eq(b.max, 1000);
}
END_TEST

/* Also where bytes were before they were moved to the start. */
START_TEST(overwrites_what_is_held_no_more)
{
	ck_assert_int_eq(buf_add_str(&b, "command secret tail"), 0);
	buf_consume(&b, 15);
	buf_cleanse_consumed(&b);
	check_holds("tail");
	for (size_t i = 0; i <= b.cap; i++)
		ck_assert(b.data[i] == 0 || (i >= b.start && i < b.end));
	buf_finish(&b);
	buf_cleanse_consumed(&b);
	check_holds("");
}
END_TEST

START_TEST(stays_secret_until_told_otherwise)
{
	b.is_secret = true;
	ck_assert_int_eq(buf_add_str(&b, "secret"), 0);
	ck_assert_int_eq(buf_reserve(&b, 900), 0); /* grows */
	check_holds("secret");
	ck_assert(b.is_secret);
	buf_finish(&b);
	ck_assert(b.is_secret);
	ck_assert_int_eq(buf_add_str(&b, "again"), 0);
	check_holds("again");
	free(buf_take_cstr(&b));
	ck_assert(b.is_secret);
	b.is_secret = false;
	buf_finish_secret(&b);
	ck_assert(!b.is_secret);
}
END_TEST

START_TEST(keeps_memory_until_shrunk)
{
	ck_assert_int_eq(buf_reserve(&b, 900), 0);
	ck_assert_int_eq(buf_add_str(&b, "x"), 0);
	buf_shrink(&b, 100);
	ck_assert_uint_ge(b.cap, 900); /* not while it holds something */
	buf_consume(&b, 1);
	ck_assert_uint_ge(b.cap, 900);
	buf_shrink(&b, 900 * 2);
	ck_assert_uint_ge(b.cap, 900);
	buf_shrink(&b, 100);
	ck_assert_uint_eq(b.cap, 100);
	ck_assert_int_eq(buf_printf(&b, "%150d", 1), 0);
	buf_clear(&b);
	buf_shrink(&b, 0);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(buf_add_str(&b, "y"), 0);
	check_holds("y");
}
END_TEST

START_TEST(hands_its_memory_over_as_a_c_string)
{
	char *text = buf_take_cstr(&b);
	ck_assert_str_eq(text, "");
	free(text);
	ck_assert_int_eq(buf_add_str(&b, "drop,keep"), 0);
	buf_consume(&b, 5);
	text = buf_take_cstr(&b);
	ck_assert_str_eq(text, "keep");
	free(text);
	check_holds("");
	ck_assert_int_eq(buf_printf(&b, "%1000s", "full"), 0);
	text = buf_take_cstr(&b);
	ck_assert_uint_eq(strlen(text), 1000);
	free(text);
}
END_TEST

START_TEST(a_zero_maximum_holds_nothing)
{
	struct buf none;

	buf_init(&none, 0);
	ck_assert_int_eq(buf_add(&none, "x", 1), -EMSGSIZE);
	ck_assert_int_eq(buf_printf(&none, "x"), -EMSGSIZE);
	ck_assert_int_eq(buf_printf(&none, "%s", ""), 0);
	ck_assert_int_eq(buf_add(&none, "", 0), 0);
	buf_finish(&none);
}
END_TEST

static void put_counted(size_t n, uint64_t first)
{
	for (size_t i = 0; i < n; i++)
		buf_tail(&b)[i] = (char)(uint8_t)(first + i);
	buf_commit(&b, n);
}

static void take_counted(size_t n, uint64_t first)
{
	for (size_t i = 0; i < n; i++) {
		if (buf_span(&b).ptr[i] != (char)(uint8_t)(first + i))
			ck_abort_msg("byte %zu of %zu differs", i, n);
	}
	buf_consume(&b, n);
}

/* A queue of the byte values of a counter, against two counters. */
START_TEST(stays_in_order_under_random_use)
{
	uint32_t random = (uint32_t)_i * 2654435761u + 1;
	uint64_t in = 0, out = 0;

	for (int step = 0; step < 5000; step++) {
		random = random * 1664525 + 1013904223;
		size_t n = random >> 16 & 0xff;
		if (random >> 30 == 0) {
			n = n < buf_len(&b) ? n : buf_len(&b);
			take_counted(n, out);
			out += n;
		} else if (buf_reserve(&b, n) == 0) {
			put_counted(n, in);
			in += n;
		} else {
			ck_assert_uint_gt(buf_len(&b) + n, 1000);
		}
		ck_assert_uint_eq(buf_len(&b), in - out);
		ck_assert(buf_len(&b) <= 1000 && b.cap <= 1500);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/buf");
	TCase *t = tcase_create("buf");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, is_empty_at_first);
	tcase_add_test(t, appends_at_the_end_and_consumes_at_the_start);
	tcase_add_test(t, adds_nothing_without_memory);
	tcase_add_test(t, never_holds_more_than_its_maximum);
	tcase_add_test(t, prints_no_more_than_its_maximum);
	tcase_add_test(t, prints_up_to_the_last_byte_of_its_maximum);
	tcase_add_test(t, a_failed_print_adds_nothing);
	tcase_add_test(t, reserved_room_is_written_in_place);
	tcase_add_test(t, is_usable_after_finish);
	tcase_add_test(t, overwrites_what_is_held_no_more);
	tcase_add_test(t, stays_secret_until_told_otherwise);
	tcase_add_test(t, keeps_memory_until_shrunk);
	tcase_add_test(t, hands_its_memory_over_as_a_c_string);
	tcase_add_test(t, a_zero_maximum_holds_nothing);
	tcase_add_loop_test(t, stays_in_order_under_random_use, 0, 8);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
