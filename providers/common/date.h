/* Dates in answers, read without locale or time zone. */
#pragma once

#include <postern/field.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * Parse "[Sun, ]22 Nov 2026 10:00:00[ zone]" at the start of s: an HTTP-date
 * or the date of a message; without a numeric zone it is UTC. Seconds since
 * 1970.
 */
bool date_parse(struct postern_str s, int64_t *out);
/* Parse "2026-11-22T10:00:00[.123]Z", the whole of s. Seconds since 1970. */
bool date_parse_iso(struct postern_str s, int64_t *out);
enum {
	DATE_AMZ_SIZE = 17
};
/* "20150830T123600Z", NUL-terminated. */
void date_format_amz(int64_t seconds, char out[DATE_AMZ_SIZE]);
enum {
	DATE_HTTP_SIZE = 30
};
/* "Sun, 30 Aug 2015 12:36:00 GMT" (RFC 9110 5.6.7), NUL-terminated. */
void date_format_http(int64_t seconds, char out[DATE_HTTP_SIZE]);
