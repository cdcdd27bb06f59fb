/* User names as clients write them, in the one form we compare. Private. */
#pragma once

#include <base/span.h>

#include <stdbool.h>

enum {
	NAME_BYTES_MAX = 320
};

struct name {
	size_t len;
	char text[NAME_BYTES_MAX + 1]; /* NUL-terminated */
};

/*
 * Lower case (ASCII). Whatever cannot be a name (empty, too long, spaces,
 * controls, broken UTF-8) becomes one name that no user can have, so that it
 * takes the same way, and the same time, as an unknown user.
 */
void name_canonical(struct span in, struct name *out);
/* Whether it is that one name. */
bool name_is_nobody(const struct name *n);
