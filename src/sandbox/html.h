/*
 * HTML written into a buffer with a limit. What is ours goes in as it stands,
 * all else through html_text. The first failure sticks, so that only
 * html_reply looks for it.
 */
#pragma once

#include <admin/httpd.h>
#include <base/buf.h>
#include <base/span.h>

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct html {
	struct buf out;
	bool is_bad; /* out of memory, or above the limit */
};

void html_init(struct html *h);
/* Markup of ours. */
void html_add(struct html *h, const char *markup);
/*
 * Text of anybody, escaped for an element and for an attribute in quotes;
 * bytes that are not UTF-8 and controls become U+FFFD.
 */
void html_text(struct html *h, struct span text);
/* Markup of somebody: only where the answer's policy lets it do nothing. */
void html_foreign(struct html *h, struct span markup);
/* A JSON string; nothing for anything else. */
void html_string(struct html *h, const json_t *string);
/* The first max bytes, and in words how many there are when that is not all. */
void html_cut(struct html *h, struct span text, size_t max);
void html_number(struct html *h, uint64_t number);
/* "12.3 kB" */
void html_size(struct html *h, uint64_t bytes);
/* "2026-11-22 10:00:00", UTC. */
void html_time(struct html *h, int64_t wall_ms);

/* Scripts and loads from elsewhere are forbidden on each. */
#define HTML_HEADERS                                                           \
	"X-Content-Type-Options: nosniff", "Cache-Control: no-store",          \
	    "Referrer-Policy: no-referrer", "X-DNS-Prefetch-Control: off"

/* Answer r with it, policy being a header line, and free it. */
void html_reply(
    struct html *h, struct httpd_request *r, int status, const char *policy);
