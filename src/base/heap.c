/*
 * Binary min-heap in an array. Every node knows its place, which makes removal
 * from the middle, what a cancelled timer is, logarithmic too.
 */
#include <base/heap.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void heap_init(struct heap *h)
{
	*h = (struct heap){ .nodes = NULL };
}

void heap_finish(struct heap *h)
{
	free(h->nodes);
	heap_init(h);
}

int heap_reserve(struct heap *h, size_t n)
{
	if (n <= h->cap)
		return 0;
	struct heap_node **nodes =
	    reallocarray(h->nodes, n, sizeof(struct heap_node *));
	if (!nodes)
		return -ENOMEM;
	h->nodes = nodes;
	h->cap = n;
	return 0;
}

/* Places are counted from 1, so that the children of i are 2i and 2i + 1. */
static void place(struct heap *h, size_t index, struct heap_node *n)
{
	h->nodes[index - 1] = n;
	n->index = index;
}

static void move_up(struct heap *h, size_t index, struct heap_node *n)
{
	while (index > 1 && h->nodes[index / 2 - 1]->key > n->key) {
		place(h, index, h->nodes[index / 2 - 1]);
		index /= 2;
	}
	place(h, index, n);
}

static void move_down(struct heap *h, size_t index, struct heap_node *n)
{
	for (;;) {
		size_t child = index * 2;
		if (child > h->count)
			break;
		if (child < h->count &&
		    h->nodes[child]->key < h->nodes[child - 1]->key)
			child++;
		if (h->nodes[child - 1]->key >= n->key)
			break;
		place(h, index, h->nodes[child - 1]);
		index = child;
	}
	place(h, index, n);
}

int heap_push(struct heap *h, struct heap_node *n, uint64_t key)
{
	assert(!heap_has(n));
	if (h->count == h->cap) {
		int r = heap_reserve(h, h->cap ? h->cap * 2 : 16);
		if (r < 0)
			return r;
	}
	n->key = key;
	h->count++;
	move_up(h, h->count, n);
	return 0;
}

struct heap_node *heap_peek(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	if (!heap_has(n))
		return;
	assert(n->index <= h->count && h->nodes[n->index - 1] == n);
	size_t index = n->index;
	struct heap_node *last = h->nodes[--h->count];
	n->index = 0;
	if (last == n)
		return;
	/* The last one fills the gap, and may belong above or below it. */
	if (index > 1 && last->key < h->nodes[index / 2 - 1]->key)
		move_up(h, index, last);
	else
		move_down(h, index, last);
}
