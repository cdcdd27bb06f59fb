#include <base/arena.h>

#include <support/unit.h>

#include <stdint.h>

static struct arena a;

static void setup(void)
{
	arena_init(&a, 1 << 20);
}

static void teardown(void)
{
	arena_finish(&a);
}

static bool is_all(const unsigned char *bytes, size_t size, size_t value)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

START_TEST(gives_aligned_zeroed_memory_that_is_apart)
{
	unsigned char *ptrs[500];

	for (size_t i = 0; i < 500; i++) {
		size_t size = i * 7 % 300;
		ptrs[i] = arena_alloc(&a, size);
		ck_assert_ptr_nonnull(ptrs[i]);
		ck_assert_uint_eq(
		    (uintptr_t)ptrs[i] % _Alignof(max_align_t), 0);
		ck_assert(is_all(ptrs[i], size, 0));
		memset(ptrs[i], (int)(i % 255 + 1), size);
	}
	for (size_t i = 0; i < 500; i++)
		ck_assert(is_all(ptrs[i], i * 7 % 300, i % 255 + 1));
}
END_TEST

START_TEST(gives_empty_memory_an_address_of_its_own)
{
	void *one = arena_alloc(&a, 0), *two = arena_alloc(&a, 0);

	ck_assert_ptr_nonnull(one);
	ck_assert_ptr_nonnull(two);
	ck_assert_ptr_ne(one, two);
}
END_TEST

START_TEST(keeps_room_in_the_block_before_a_large_one)
{
	char *small = arena_alloc(&a, 16);
	char *large = arena_alloc(&a, 100000);
	char *next = arena_alloc(&a, 16);

	ck_assert_ptr_nonnull(large);
	ck_assert_ptr_eq(next, small + 16);
	memset(large, 1, 100000);
}
END_TEST

START_TEST(stops_at_its_limit)
{
	struct arena little;

	arena_init(&little, 64);
	ck_assert_ptr_nonnull(arena_alloc(&little, 48));
	ck_assert_ptr_null(arena_alloc(&little, 17));
	ck_assert_ptr_null(arena_alloc(&little, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&little, SIZE_MAX - 15));
	ck_assert_ptr_nonnull(arena_alloc(&little, 16));
	ck_assert_ptr_null(arena_alloc(&little, 0));
	ck_assert_ptr_null(arena_printf(&little, "%d", 1));
	ck_assert_ptr_null(arena_copy(&little, "x", 1));
	ck_assert_ptr_null(arena_span(&little, SPAN("x")).ptr);
	ck_assert_uint_eq(arena_span(&little, SPAN("x")).len, 0);
	ck_assert_uint_le(little.used, 64);
	arena_finish(&little);
}
END_TEST

START_TEST(is_usable_after_finish)
{
	ck_assert_ptr_nonnull(arena_alloc(&a, 1000000));
	ck_assert_ptr_null(arena_alloc(&a, 1000000));
	arena_finish(&a);
	ck_assert_uint_eq(a.used, 0);
	ck_assert_ptr_nonnull(arena_alloc(&a, 1000000));
}
END_TEST

START_TEST(copies_bytes_and_strings)
{
	char source[] = "abc";
	struct span s = arena_span(&a, span_of(source));
	char *str = arena_str(&a, span_first(span_of(source), 2));
	char *copy = arena_copy(&a, source, 3);

	memset(source, 'x', 3);
	ck_assert(span_eq(s, SPAN("abc")));
	ck_assert_int_eq(s.ptr[3], '\0');
	ck_assert_str_eq(str, "ab");
	ck_assert_mem_eq(copy, "abc", 3);
	ck_assert_str_eq(arena_str(&a, span_make(NULL, 0)), "");
	ck_assert_ptr_nonnull(arena_copy(&a, NULL, 0));
	ck_assert_ptr_nonnull(arena_span(&a, span_make(NULL, 0)).ptr);
}
END_TEST

START_TEST(prints)
{
	ck_assert_str_eq(arena_printf(&a, "%s=%d", "x", 42), "x=42");
	ck_assert_str_eq(arena_printf(&a, "%s", ""), "");
	char *wide = arena_printf(&a, "%50000d", 1);
	ck_assert_uint_eq(strlen(wide), 50000);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/arena");
	TCase *t = tcase_create("arena");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, gives_aligned_zeroed_memory_that_is_apart);
	tcase_add_test(t, gives_empty_memory_an_address_of_its_own);
	tcase_add_test(t, keeps_room_in_the_block_before_a_large_one);
	tcase_add_test(t, stops_at_its_limit);
	tcase_add_test(t, is_usable_after_finish);
	tcase_add_test(t, copies_bytes_and_strings);
	tcase_add_test(t, prints);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
