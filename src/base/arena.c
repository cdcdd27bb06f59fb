/*
 * Blocks that double from 1 to 32 KiB, zeroed by the allocator; what does not
 * fit a block of that size gets one of its own behind the current block, whose
 * room stays in use.
 */
#include <base/arena.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	BLOCK_MIN = 1024,
	BLOCK_MAX = 32768
};

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_finish(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
	a->used = 0;
}

void arena_finish_secret(struct arena *a)
{
	for (struct arena_block *b = a->blocks; b; b = b->next)
		explicit_bzero(b->data, b->used);
	arena_finish(a);
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block = calloc(1, sizeof(*block) + size);
	if (block)
		block->size = size;
	return block;
}

/* A block with room for size bytes, linked into the arena. */
static struct arena_block *add_block(struct arena *a, size_t size)
{
	struct arena_block *current = a->blocks, *block;
	size_t usual = current ? current->size * 2 : BLOCK_MIN;

	if (usual > BLOCK_MAX)
		usual = BLOCK_MAX;
	block = block_new(size > usual ? size : usual);
	if (!block)
		return NULL;
	if (current && size > usual) {
		block->next = current->next;
		current->next = block;
	} else {
		block->next = current;
		a->blocks = block;
	}
	return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);

	if (size > SIZE_MAX / 2)
		return NULL;
	size = size ? (size + align - 1) / align * align : align;
	if (a->used > a->max || size > a->max - a->used)
		return NULL;
	struct arena_block *block = a->blocks;
	if (!block || size > block->size - block->used) {
		block = add_block(a, size);
		if (!block)
			return NULL;
	}
	void *ptr = block->data + block->used;
	block->used += size;
	a->used += size;
	return ptr;
}

void *arena_copy(struct arena *a, const void *data, size_t size)
{
	void *copy = arena_alloc(a, size);
	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

char *arena_str(struct arena *a, struct span s)
{
	char *copy = arena_alloc(a, s.len + 1);
	if (copy && s.len)
		memcpy(copy, s.ptr, s.len);
	return copy;
}

struct span arena_span(struct arena *a, struct span s)
{
	char *copy = arena_str(a, s);
	return span_make(copy, copy ? s.len : 0);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	if (len >= 0)
		text = arena_alloc(a, (size_t)len + 1);
	if (text)
		(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(args);
	return text;
}
