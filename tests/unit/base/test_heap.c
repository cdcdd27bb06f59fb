#include <base/heap.h>

#include <support/unit.h>

static struct heap h;

static void setup(void)
{
	heap_init(&h);
}

static void teardown(void)
{
	heap_finish(&h);
}

static uint32_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* Every node knows its place and no child is smaller than its parent. */
static bool is_heap(void)
{
	for (size_t i = 1; i <= h.count; i++) {
		if (h.nodes[i - 1]->index != i)
			return false;
		if (i > 1 && h.nodes[i / 2 - 1]->key > h.nodes[i - 1]->key)
			return false;
	}
	return true;
}

START_TEST(an_empty_heap_has_no_smallest)
{
	struct heap_node n = { 0 };

	ck_assert_ptr_null(heap_peek(&h));
	heap_remove(&h, &n);
	ck_assert(!heap_has(&n));
}
END_TEST

START_TEST(peeks_at_the_smallest_and_leaves_it)
{
	struct heap_node a = { 0 }, b = { 0 };

	ck_assert_int_eq(heap_push(&h, &a, 2), 0);
	ck_assert_int_eq(heap_push(&h, &b, 1), 0);
	ck_assert_ptr_eq(heap_peek(&h), &b);
	ck_assert_ptr_eq(heap_peek(&h), &b);
	ck_assert(heap_has(&a) && heap_has(&b));
	heap_remove(&h, &b);
	ck_assert(!heap_has(&b));
	ck_assert_ptr_eq(heap_peek(&h), &a);
	heap_remove(&h, &a);
	ck_assert_ptr_null(heap_peek(&h));
	ck_assert_int_eq(heap_push(&h, &b, 3), 0);
	ck_assert_ptr_eq(heap_peek(&h), &b);
}
END_TEST

START_TEST(orders_the_whole_range_of_keys)
{
	struct heap_node n[3] = { { 0 }, { 0 }, { 0 } };

	ck_assert_int_eq(heap_push(&h, &n[0], UINT64_MAX), 0);
	ck_assert_int_eq(heap_push(&h, &n[1], 1ull << 63), 0);
	ck_assert_int_eq(heap_push(&h, &n[2], 0), 0);
	for (int i = 2; i >= 0; i--) {
		ck_assert_ptr_eq(heap_peek(&h), &n[i]);
		heap_remove(&h, &n[i]);
	}
}
END_TEST

START_TEST(reserved_room_lets_pushes_succeed)
{
	struct heap_node n[100] = { { 0 } };

	ck_assert_int_eq(heap_reserve(&h, 100), 0);
	struct heap_node **before = h.nodes;
	for (size_t i = 0; i < 100; i++)
		ck_assert_int_eq(heap_push(&h, &n[i], i), 0);
	ck_assert_ptr_eq(h.nodes, before);
	ck_assert_int_eq(heap_reserve(&h, 10), 0);
	ck_assert_uint_eq(h.count, 100);
	ck_assert(is_heap());
}
END_TEST

enum {
	NODES = 300
};

/* Few distinct keys make ties, many make order. */
START_TEST(stays_a_heap_under_random_use)
{
	struct heap_node n[NODES] = { { 0 } };
	uint32_t keys = _i % 2 ? 7 : 1000000;
	size_t in = 0;

	random_state = (uint32_t)_i + 1;
	for (int step = 0; step < 5000; step++) {
		struct heap_node *node = &n[next_random() % NODES];
		if (heap_has(node)) {
			heap_remove(&h, node);
			in--;
		} else {
			ck_assert_int_eq(
			    heap_push(&h, node, next_random() % keys), 0);
			in++;
		}
		ck_assert_uint_eq(h.count, in);
		ck_assert(is_heap());
	}
	uint64_t last = 0;
	while (heap_peek(&h)) {
		struct heap_node *node = heap_peek(&h);
		ck_assert(node->key >= last);
		last = node->key;
		heap_remove(&h, node);
		in--;
	}
	ck_assert_uint_eq(in, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/heap");
	TCase *t = tcase_create("heap");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_empty_heap_has_no_smallest);
	tcase_add_test(t, peeks_at_the_smallest_and_leaves_it);
	tcase_add_test(t, orders_the_whole_range_of_keys);
	tcase_add_test(t, reserved_room_lets_pushes_succeed);
	tcase_add_loop_test(t, stays_a_heap_under_random_use, 0, 6);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
