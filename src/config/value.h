/*
 * Text to typed value: numbers, durations, sizes, rates, booleans, names and
 * URLs. Pure; knows neither files nor tables. A function returns false after
 * filling the complaint, and sets *out only on success.
 */
#pragma once

#include <base/netaddr.h>
#include <base/span.h>
#include <postern/field.h>

#include <stdbool.h>
#include <stdint.h>

struct complaint {
	char what[256];  /* "must be between 1 and 1000" */
	char hint[256];  /* "write 30s", or "" */
	bool is_private; /* do not show the value: it may hold a secret */
};

/* Bounds of a row; both 0 = any. */
struct value_range {
	int64_t min, max;
};

bool value_parse_bool(struct span s, bool *out, struct complaint *c);
bool value_parse_int(
    struct span s, struct value_range range, int64_t *out, struct complaint *c);
/* In milliseconds: 500ms 30s 5m 2h 7d, and a bare 0. */
bool value_parse_duration(struct span s, struct value_range range,
    uint64_t *out, struct complaint *c);
/* In bytes: a plain number, KB MB GB TB, KiB MiB GiB TiB. */
bool value_parse_size(struct span s, struct value_range range, uint64_t *out,
    struct complaint *c);
/* 100/min, or 0 for no limit. */
bool value_parse_rate(
    struct span s, struct postern_rate *out, struct complaint *c);
/* 50%; a bare 0. */
bool value_parse_percent(
    struct span s, struct value_range range, int64_t *out, struct complaint *c);
/* 10%, or a size within range; a bare 0. */
bool value_parse_share(struct span s, struct value_range range,
    struct postern_share *out, struct complaint *c);
/* names ends with NULL; an empty name is a number that cannot be written. */
bool value_parse_enum(
    struct span s, const char *const *names, int *out, struct complaint *c);
/* 192.0.2.0/24, 2001:db8::/32, an address, or unix. */
bool value_parse_network(
    struct span s, struct network *out, struct complaint *c);
/* https, or http to the machine itself; no login, query or fragment. */
bool value_check_url(struct span s, struct complaint *c);
/* smtp or smtps, a host, perhaps a port; nothing else. */
bool value_check_smtp_url(struct span s, struct complaint *c);
/* UTF-8 without control characters: fit for one line of anything. */
bool value_check_text(struct span s, struct complaint *c);
