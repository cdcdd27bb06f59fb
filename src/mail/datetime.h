/* Whether a Date field holds a date (RFC 5322 3.3), for header_rewrite. */
#pragma once

#include <base/span.h>

#include <stdbool.h>

/*
 * Judge the value of a Date field, folds and comments at its end included.
 * Generous: obsolete zones and years of two digits count as dates.
 */
bool datetime_is_valid(struct span value);
