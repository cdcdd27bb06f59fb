/*
 * The functions of malloc stand before those of the C library, for all its
 * users: GMime and Jansson are in the count. Only while it is asked for.
 */
#include "memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

static size_t held, peak, from;
static bool is_counting;

void memory_begin(void)
{
	is_counting = true;
	from = peak = held;
}

size_t memory_peak(void)
{
	is_counting = false;
	return peak - from;
}

/* Under a sanitizer malloc is its own. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static void *take(void *memory)
{
	if (is_counting && memory) {
		held += malloc_usable_size(memory);
		if (held > peak)
			peak = held;
	}
	return memory;
}

static void give(void *memory)
{
	if (is_counting && memory)
		held -= malloc_usable_size(memory);
}

void *malloc(size_t size)
{
	return take(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return take(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
	give(memory);
	return take(__libc_realloc(memory, size));
}

void free(void *memory)
{
	give(memory);
	__libc_free(memory);
}

#endif
