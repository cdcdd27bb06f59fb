#include <base/map.h>

#include <support/unit.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static struct map *m;

static void setup(void)
{
	m = map_new();
	ck_assert_ptr_nonnull(m);
}

static void teardown(void)
{
	map_free(m);
}

START_TEST(finds_what_was_put)
{
	int one, two;

	ck_assert_int_eq(map_put(m, SPAN("a"), &one), 0);
	ck_assert_int_eq(map_put(m, SPAN("b"), &two), 0);
	ck_assert_ptr_eq(map_get(m, SPAN("a")), &one);
	ck_assert_ptr_eq(map_get(m, SPAN("b")), &two);
	ck_assert_ptr_null(map_get(m, SPAN("A")));
	ck_assert_uint_eq(map_count(m), 2);
}
END_TEST

START_TEST(keeps_the_old_value)
{
	int one, two;

	ck_assert_int_eq(map_put(m, SPAN("a"), &one), 0);
	ck_assert_int_eq(map_put(m, SPAN("a"), &two), -EEXIST);
	ck_assert_ptr_eq(map_get(m, SPAN("a")), &one);
	ck_assert_uint_eq(map_count(m), 1);
}
END_TEST

START_TEST(keys_are_copied_byte_strings)
{
	char key[] = "k\0v";
	int one, two, three;

	ck_assert_int_eq(map_put(m, span_make(key, 3), &one), 0);
	ck_assert_int_eq(map_put(m, span_make(key, 1), &two), 0);
	ck_assert_int_eq(map_put(m, span_make(NULL, 0), &three), 0);
	memset(key, 'x', 3);
	ck_assert_ptr_eq(map_get(m, SPAN("k\0v")), &one);
	ck_assert_ptr_eq(map_get(m, SPAN("k")), &two);
	ck_assert_ptr_eq(map_get(m, SPAN("")), &three);
	ck_assert_ptr_null(map_get(m, SPAN("k\0")));
}
END_TEST

/* Keys of every length take every path through the hash. */
START_TEST(tells_keys_of_all_lengths_apart)
{
	static char zeros[64];
	static int values[64];

	for (size_t len = 0; len < 64; len++)
		ck_assert_int_eq(
		    map_put(m, span_make(zeros, len), &values[len]), 0);
	for (size_t len = 0; len < 64; len++)
		ck_assert_ptr_eq(
		    map_get(m, span_make(zeros, len)), &values[len]);
}
END_TEST

START_TEST(forgets_what_is_removed)
{
	int one, two;

	ck_assert_ptr_null(map_remove(m, SPAN("a")));
	ck_assert_int_eq(map_put(m, SPAN("a"), &one), 0);
	ck_assert_ptr_eq(map_remove(m, SPAN("a")), &one);
	ck_assert_ptr_null(map_get(m, SPAN("a")));
	ck_assert_ptr_null(map_remove(m, SPAN("a")));
	ck_assert_uint_eq(map_count(m), 0);
	ck_assert_int_eq(map_put(m, SPAN("a"), &two), 0);
	ck_assert_ptr_eq(map_get(m, SPAN("a")), &two);
}
END_TEST

enum {
	MANY = 20000
};

static struct span name(char text[16], size_t i)
{
	int len = snprintf(text, 16, "key-%zu", i);
	return span_make(text, (size_t)len);
}

static void mark(struct span key, void *value, void *ctx)
{
	char text[16];
	unsigned char *seen = ctx, *at = value;

	ck_assert(span_eq(key, name(text, (size_t)(at - seen))));
	(*at)++;
}

/* How often mark saw each, and every hundredth once more. */
static bool is_seen(const unsigned char *seen, unsigned more)
{
	for (size_t i = 0; i < MANY; i++) {
		if (seen[i] != 1 + (i % 100 == 0 ? more : 0))
			return false;
	}
	return true;
}

START_TEST(grows_and_shrinks_without_losing_any)
{
	static unsigned char seen[MANY];
	char text[16];

	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < MANY; i++)
		ck_assert_int_eq(map_put(m, name(text, i), &seen[i]), 0);
	ck_assert_uint_eq(map_count(m), MANY);
	map_each(m, mark, seen);
	ck_assert(is_seen(seen, 0));
	for (size_t i = 0; i < MANY; i++) {
		if (i % 100 != 0)
			ck_assert_ptr_eq(
			    map_remove(m, name(text, i)), &seen[i]);
	}
	ck_assert_uint_eq(map_count(m), MANY / 100);
	map_each(m, mark, seen);
	ck_assert(is_seen(seen, 1));
	for (size_t i = 0; i < MANY; i++)
		ck_assert_ptr_eq(
		    map_get(m, name(text, i)), i % 100 == 0 ? &seen[i] : NULL);
}
END_TEST

static void note_first(struct span key, void *value, void *ctx)
{
	char *order = ctx;

	(void)value;
	ck_assert_uint_eq(key.len, 1);
	order[strlen(order)] = key.ptr[0];
}

/* With a fixed seed 20 maps of 10 keys would all give the same order. */
START_TEST(places_keys_differently_in_every_map)
{
	char first[64] = "";
	bool differs = false;

	for (int i = 0; i < 20; i++) {
		struct map *other = map_new();
		char order[64] = "";
		for (const char *c = "0123456789"; *c; c++)
			ck_assert_int_eq(map_put(other, span_make(c, 1), m), 0);
		map_each(other, note_first, order);
		map_free(other);
		if (i == 0)
			memcpy(first, order, sizeof(first));
		differs = differs || strcmp(first, order) != 0;
	}
	ck_assert(differs);
}
END_TEST

START_TEST(frees_nothing)
{
	map_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/map");
	TCase *t = tcase_create("map");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, finds_what_was_put);
	tcase_add_test(t, keeps_the_old_value);
	tcase_add_test(t, keys_are_copied_byte_strings);
	tcase_add_test(t, tells_keys_of_all_lengths_apart);
	tcase_add_test(t, forgets_what_is_removed);
	tcase_add_test(t, grows_and_shrinks_without_losing_any);
	tcase_add_test(t, places_keys_differently_in_every_map);
	tcase_add_test(t, frees_nothing);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
