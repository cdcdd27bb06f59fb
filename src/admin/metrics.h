/* What /metrics says: every family, in a fixed order. Main loop. */
#pragma once

#include <base/buf.h>

#include <stdbool.h>

struct admin;

/* Appends the exposition to out. 0, or -ENOMEM or -EMSGSIZE from out. */
int metrics_render(const struct admin *a, bool is_openmetrics, struct buf *out);
