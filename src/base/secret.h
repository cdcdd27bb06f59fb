/*
 * A value that must never reach a log, a reply or an error text: its type has
 * no formatter. Heap memory, overwritten when freed.
 */
#pragma once

#include <base/span.h>

struct secret {
	char *value; /* NUL-terminated; NULL = not set */
	size_t len;
};

/* Copy; 0 or -ENOMEM. The old value is overwritten and freed. */
int secret_set(struct secret *s, struct span value);
void secret_clear(struct secret *s);
