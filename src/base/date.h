/* Dates as text; no locale, no time zone but UTC. */
#pragma once

#include <base/span.h>

#include <stddef.h>
#include <stdint.h>

enum {
	DATE_RFC5322_SIZE = 40,
	DATE_RFC3339_SIZE = 40
};

/* "Sun, 22 Nov 2026 10:00:00 +0000" (RFC 5322 3.3). */
void date_format_rfc5322(int64_t wall_ms, char out[DATE_RFC5322_SIZE]);
/* "2026-11-22T10:00:00.000Z" (RFC 3339), milliseconds. */
void date_format_rfc3339(int64_t wall_ms, char out[DATE_RFC3339_SIZE]);
/* "2026-11-22T10:00:00Z": the same, whole seconds. */
void date_format_rfc3339_s(int64_t wall_ms, char out[DATE_RFC3339_SIZE]);
/*
 * Parse an HTTP-date (RFC 9110 5.6.7, IMF-fixdate form). Returns 0 or
 * -EINVAL.
 */
int date_parse_http(struct span s, int64_t *out_wall_ms);
/*
 * A date-time of RFC 3339, with a fraction or without, in any zone. Returns 0
 * or -EINVAL.
 */
int date_parse_rfc3339(struct span s, int64_t *out_wall_ms);
/* Days since 1970-01-01 in UTC: the window of a daily quota. */
int64_t date_day(int64_t wall_ms);
/* The first day of the month that day is in, both counted likewise. */
int64_t date_month(int64_t day);
