/*
 * What is freed while a test runs, looked through for a secret: link with
 * -Wl,--wrap=free, which sees what the libraries under test free.
 */
#pragma once

#include <malloc.h>
#include <stddef.h>
#include <string.h>

#define FREED_SECRET "a-secret-that-must-not-stay-behind"

static unsigned freed_secrets; /* blocks that held it */

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	if (memory && memmem(memory, malloc_usable_size(memory), FREED_SECRET,
			  sizeof(FREED_SECRET) - 1))
		freed_secrets++;
	__real_free(memory);
}
