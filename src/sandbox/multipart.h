/*
 * multipart/form-data (RFC 7578), strictly: what a careful client writes and
 * nothing else. Pure; all spans point into the body.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>

struct multipart {
	struct span rest;
	struct span boundary;
	bool has_begun;
};

struct multipart_part {
	struct span name, filename, type, body;
	bool is_file; /* a filename was given */
};

/* Boundary of a Content-Type value; false when it is another type. */
bool multipart_begin(
    struct multipart *m, const char *content_type, struct span body);
/* 1 with *out filled, 0 after the last part, -EINVAL for a malformed body. */
int multipart_next(struct multipart *m, struct multipart_part *out);
