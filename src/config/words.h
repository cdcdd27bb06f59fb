/*
 * Small syntaxes the configuration is made of: host names, addresses to
 * listen on, address patterns; and the nearest word to a misspelt one.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	WORDS_HOST_MAX = 253,
	WORDS_ADDRESS_SIZE = 280
};

/* Letters, digits and inner hyphens in labels of up to 63 (RFC 1123 2.1). */
bool words_is_hostname(struct span s);
/*
 * Whether s is "host:port", "[v6]:port" or ":port"; out gets one spelling for
 * all ways to write the same address, port its number.
 */
bool words_parse_address(
    struct span s, char out[WORDS_ADDRESS_SIZE], unsigned *port);
/* "a@b", "@b" or "*". */
bool words_is_pattern(struct span s);

/* The best of several candidates, offered one by one. */
struct words_nearest {
	struct span wanted;
	const char *best; /* NULL when nothing is near */
	size_t distance;
};

struct words_nearest words_nearest_to(struct span wanted);
void words_nearest_offer(struct words_nearest *n, const char *candidate);
