/*
 * How deep and how many the parts of a message are, seen while it arrives: no
 * tree, no second pass, less than 3 KiB whatever comes. It knows boundaries
 * that are written plainly; what it overlooks, the parser's own guard
 * (mail/mime_guard) still meets. One message, one thread.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MIME_SCAN_DEPTH_MAX = 128, /* beyond, only "too deep" is known */
	MIME_SCAN_LINE_MAX = 512,  /* of a line, what is looked at */
	MIME_SCAN_TYPE_MAX = 1024  /* of a Content-Type field, likewise */
};

/* Zeroed: ready for the first byte of a header. */
struct mime_scan {
	uint64_t open[MIME_SCAN_DEPTH_MAX]; /* boundaries, 0 for a message */
	size_t depth, deepest, parts;
	char line[MIME_SCAN_LINE_MAX]; /* how the present one starts */
	size_t line_len;
	char type[MIME_SCAN_TYPE_MAX];
	size_t type_len;
	bool is_body, is_type;
	bool is_passing; /* inside a line that cannot be a boundary */
};

/* More of the message, in CRLF lines, cut anywhere. */
void mime_scan_feed(struct mime_scan *s, struct span bytes);
