/*
 * What base does when there is no memory. The linker sends all allocations
 * through the functions below, which fail when told to: during one call only,
 * for Check needs memory too.
 */
#include <base/arena.h>
#include <base/buf.h>
#include <base/hash.h>
#include <base/heap.h>
#include <base/log.h>
#include <base/map.h>

#include <support/unit.h>

#include <errno.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);

/* How many allocations still succeed; negative = all. */
static int left = -1;

static bool may_have(void)
{
	if (left < 0)
		return true;
	if (left == 0)
		return false;
	left--;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return may_have() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_have() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return may_have() ? __real_realloc(ptr, size) : NULL;
}

void *__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
	return may_have() ? __real_reallocarray(ptr, count, size) : NULL;
}

static int got_int;
static void *got_ptr;

/* The result of a call during which n allocations succeed. */
#define INT_WITH(n, call) (left = (n), got_int = (call), left = -1, got_int)
#define PTR_WITH(n, call) (left = (n), got_ptr = (call), left = -1, got_ptr)

START_TEST(a_buffer_keeps_what_it_holds)
{
	struct buf b;
	char block[400] = { 0 };

	buf_init(&b, 10000);
	ck_assert_int_eq(INT_WITH(0, buf_add(&b, "x", 1)), -ENOMEM);
	ck_assert_int_eq(INT_WITH(0, buf_printf(&b, "%d", 1)), -ENOMEM);
	ck_assert_ptr_null(PTR_WITH(0, buf_take_cstr(&b)));
	ck_assert_int_eq(INT_WITH(1, buf_add_str(&b, "kept")), 0);
	ck_assert_int_eq(INT_WITH(0, buf_add(&b, block, 400)), -ENOMEM);
	ck_assert_int_eq(INT_WITH(0, buf_printf(&b, "%400d", 1)), -ENOMEM);
	ck_assert(span_eq(buf_span(&b), SPAN("kept")));
	buf_finish(&b);
}
END_TEST

START_TEST(a_buffer_that_cannot_shrink_goes_on)
{
	struct buf b;

	buf_init(&b, 10000);
	ck_assert_int_eq(buf_reserve(&b, 1000), 0);
	left = 0;
	buf_shrink(&b, 100);
	left = -1;
	ck_assert_uint_eq(b.cap, 1000);
	ck_assert_int_eq(INT_WITH(0, buf_add_str(&b, "again")), 0);
	buf_finish(&b);
}
END_TEST

START_TEST(an_arena_keeps_what_it_gave)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	ck_assert_ptr_null(PTR_WITH(0, arena_alloc(&a, 1)));
	ck_assert_ptr_null(PTR_WITH(0, arena_printf(&a, "%d", 1)));
	char *text = PTR_WITH(1, arena_str(&a, SPAN("kept")));
	ck_assert_str_eq(text, "kept");
	ck_assert_ptr_null(PTR_WITH(0, arena_alloc(&a, 5000)));
	/* The block has room. */
	ck_assert_ptr_nonnull(PTR_WITH(0, arena_alloc(&a, 16)));
	ck_assert_str_eq(text, "kept");
	arena_finish(&a);
}
END_TEST

START_TEST(a_map_is_not_made_by_halves)
{
	ck_assert_ptr_null(PTR_WITH(0, map_new()));
	ck_assert_ptr_null(PTR_WITH(1, map_new()));
	struct map *m = PTR_WITH(2, map_new());
	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(INT_WITH(0, map_put(m, SPAN("x"), m)), -ENOMEM);
	ck_assert_uint_eq(map_count(m), 0);
	map_free(m);
}
END_TEST

/* Memory for the entries, and none for a larger or smaller table. */
START_TEST(a_map_works_on_in_the_table_it_has)
{
	static int values[101];
	struct map *m = map_new();

	for (uint8_t i = 0; i < 100; i++)
		ck_assert_int_eq(
		    INT_WITH(1, map_put(m, span_make(&i, 1), &values[i])), 0);
	ck_assert_int_eq(map_put(m, SPAN("grows"), &values[100]), 0);
	for (uint8_t i = 0; i < 100; i++)
		ck_assert_ptr_eq(
		    PTR_WITH(0, map_remove(m, span_make(&i, 1))), &values[i]);
	ck_assert_ptr_eq(map_get(m, SPAN("grows")), &values[100]);
	map_free(m);
}
END_TEST

START_TEST(a_heap_keeps_its_nodes)
{
	struct heap h;
	struct heap_node n[20] = { { 0 } };

	heap_init(&h);
	ck_assert_int_eq(INT_WITH(0, heap_reserve(&h, 1)), -ENOMEM);
	ck_assert_int_eq(INT_WITH(0, heap_push(&h, &n[0], 1)), -ENOMEM);
	ck_assert(!heap_has(&n[0]));
	for (size_t i = 0; i < 16; i++)
		ck_assert_int_eq(heap_push(&h, &n[i], 16 - i), 0);
	ck_assert_int_eq(INT_WITH(0, heap_push(&h, &n[16], 0)), -ENOMEM);
	ck_assert(!heap_has(&n[16]));
	ck_assert_uint_eq(h.count, 16);
	ck_assert_ptr_eq(heap_peek(&h), &n[15]);
	heap_finish(&h);
}
END_TEST

START_TEST(an_incremental_digest_is_not_begun)
{
	ck_assert_ptr_null(PTR_WITH(0, hash_sha256_new()));
}
END_TEST

START_TEST(the_log_does_not_start)
{
	ck_assert_int_eq(INT_WITH(0, log_start()), -ENOMEM);
	log_stop();
	ck_assert_int_eq(log_start(), 0);
	log_stop();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/no_memory");
	TCase *t = tcase_create("no_memory");

	tcase_add_test(t, a_buffer_keeps_what_it_holds);
	tcase_add_test(t, a_buffer_that_cannot_shrink_goes_on);
	tcase_add_test(t, an_arena_keeps_what_it_gave);
	tcase_add_test(t, a_map_is_not_made_by_halves);
	tcase_add_test(t, a_map_works_on_in_the_table_it_has);
	tcase_add_test(t, a_heap_keeps_its_nodes);
	tcase_add_test(t, an_incremental_digest_is_not_begun);
	tcase_add_test(t, the_log_does_not_start);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
