/* The figures of /api/v1/stats as one JSON object. Main loop. */
#pragma once

#include <jansson.h>

struct admin;

enum {
	STATS_SCHEMA_VERSION = 1, /* keys are only ever added */
	STATS_USERS_MAX = 1000
};

/* NULL for memory. */
json_t *stats_render(const struct admin *a);
