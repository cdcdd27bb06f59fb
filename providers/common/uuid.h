/* UUIDs (RFC 9562) for APIs that know a call by one. Pure. */
#pragma once

#include <postern/provider.h>

enum {
	UUID_SIZE = 37 /* with its NUL */
};

/* The same one for the same text, in the form of version 4. */
void uuid_of(
    const struct postern_host *host, const char *text, char out[UUID_SIZE]);
