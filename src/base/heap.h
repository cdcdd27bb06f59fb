/*
 * Binary min-heap of intrusive nodes ordered by a 64-bit key, with removal
 * from the middle: timers and due times. Equal keys leave in any order.
 * Owned by one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t index; /* 1-based place in the heap, 0 = in none */
};

struct heap {
	struct heap_node **nodes;
	size_t count, cap;
};

void heap_init(struct heap *h);
void heap_finish(struct heap *h); /* does not touch the nodes */
/* Room for n nodes in all, so that later pushes cannot fail. 0 or -ENOMEM. */
int heap_reserve(struct heap *h, size_t n);
/* The node must be in no heap. 0 or -ENOMEM. */
int heap_push(struct heap *h, struct heap_node *n, uint64_t key);
/* Smallest key, or NULL; the node stays. */
struct heap_node *heap_peek(const struct heap *h);
/* Fine for a node in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);
static inline bool heap_has(const struct heap_node *n)
{
	return n->index != 0;
}
