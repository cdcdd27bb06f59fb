/*
 * How deep and how many the parts of a message are, and which of them not
 * every provider can carry (mail/traits), seen while it arrives: no tree, no
 * second pass, less than 3 KiB whatever comes. It knows boundaries that are
 * written plainly; what it overlooks, the parser's own guard (mail/mime_guard)
 * still meets. One message, one thread.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MIME_SCAN_DEPTH_MAX = 128,     /* beyond, only "too deep" is known */
	MIME_SCAN_LINE_MAX = 512,      /* of a line, what is looked at */
	MIME_SCAN_TYPE_MAX = 1024,     /* of a Content-Type field, likewise */
	MIME_SCAN_DISPOSITION_MAX = 16 /* of a Content-Disposition field */
};

/* Zeroed: ready for the first byte of a header. */
struct mime_scan {
	uint64_t open[MIME_SCAN_DEPTH_MAX]; /* boundaries, 0 for a message */
	char kinds[MIME_SCAN_DEPTH_MAX];    /* of the same */
	size_t depth, deepest, parts;
	unsigned traits; /* POSTERN_CARRIES_* of the parts so far */
	char line[MIME_SCAN_LINE_MAX]; /* how the present one starts */
	size_t line_len;
	/* Of the present header. */
	char type[MIME_SCAN_TYPE_MAX];
	char disposition[MIME_SCAN_DISPOSITION_MAX]; /* how it starts */
	size_t type_len, disposition_len;
	bool has_content_id;
	int field; /* that goes on when the next line is folded */
	bool is_body;
	bool is_passing; /* inside a line that cannot be a boundary */
};

/* More of the message, in CRLF lines, cut anywhere. */
void mime_scan_feed(struct mime_scan *s, struct span bytes);
