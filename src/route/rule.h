/*
 * What a rule wants of a header: "Name", a field that is there, or "Name:
 * pattern" for its value, unfolded and decoded (RFC 2047), in which * stands
 * for anything. ASCII letters match in either case. Pure, and of a header only
 * so much is looked at that the time is bounded.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>

enum {
	RULE_VALUE_MAX = 8 * 1024 /* bytes, of all fields of that name */
};

/* Whether one of the fields in header is as rule wants it. */
bool rule_fits_header(struct span rule, struct span header);
/* Whether the whole of text fits the pattern. */
bool rule_fits_text(struct span pattern, struct span text);
