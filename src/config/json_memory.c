#include <config/json_memory.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Its memory stays malloc's: what json_dumps gives is freed by callers. */
static void wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

void json_memory_init(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}
