#include <config/value.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

#define SECOND UINT64_C(1000) /* ms */
#define KB UINT64_C(1000)
#define KIB UINT64_C(1024)

/* Rising, so that the last one that divides a value is the best to print. */
static const struct unit durations[] = {
	{ "ms", 1 },
	{ "s", SECOND },
	{ "m", SECOND * 60 },
	{ "h", SECOND * 3600 },
	{ "d", SECOND * 3600 * 24 },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KB", KB },
	{ "MB", KB * 1000 },
	{ "GB", KB * 1000 * 1000 },
	{ "TB", KB * 1000 * 1000 * 1000 },
	{ "KiB", KIB },
	{ "MiB", KIB * 1024 },
	{ "GiB", KIB * 1024 * 1024 },
	{ "TiB", KIB * 1024 * 1024 * 1024 },
	{ NULL, 0 },
};

static const struct unit periods[] = {
	{ "s", SECOND },
	{ "sec", SECOND },
	{ "min", SECOND * 60 },
	{ "hour", SECOND * 3600 },
	{ "day", SECOND * 3600 * 24 },
	{ NULL, 0 },
};

static bool __attribute__((format(printf, 3, 4)))
complain(struct complaint *c, const char *what, const char *hint, ...)
{
	va_list args;

	(void)snprintf(c->what, sizeof(c->what), "%s", what);
	va_start(args, hint);
	(void)vsnprintf(c->hint, sizeof(c->hint), hint, args);
	va_end(args);
	return false;
}

bool value_parse_bool(struct span s, bool *out, struct complaint *c)
{
	static const struct {
		const char *word;
		const char *meant;
	} habits[] = {
		{ "yes", "true" },
		{ "on", "true" },
		{ "true", "true" },
		{ "1", "true" },
		{ "no", "false" },
		{ "off", "false" },
		{ "false", "false" },
		{ "0", "false" },
	};

	if (span_eq(s, SPAN("true")) || span_eq(s, SPAN("false"))) {
		*out = s.len == 4;
		return true;
	}
	for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++)
		if (span_ieq(s, span_of(habits[i].word)))
			return complain(c, "must be true or false", "write %s",
			    habits[i].meant);
	return complain(c, "must be true or false", "%s", "");
}

/* --- numbers, with or without a unit --- */

/* 64KiB rather than 65536; units NULL = none. */
static void format_number(int64_t n, const struct unit *units, char out[32])
{
	const struct unit *best = NULL;

	for (const struct unit *u = units; n > 0 && u && u->name; u++)
		if ((uint64_t)n % u->factor == 0 &&
		    (!best || u->factor > best->factor))
			best = u;
	if (!best)
		best = units;
	if (best && n != 0)
		(void)snprintf(out, 32, "%lld%s",
		    (long long)(n / (int64_t)best->factor), best->name);
	else
		(void)snprintf(out, 32, "%lld", (long long)n);
}

static bool check_range(int64_t n, struct value_range range,
    const struct unit *units, struct complaint *c)
{
	char low[32], high[32], what[96];

	if ((range.min == 0 && range.max == 0) ||
	    (n >= range.min && n <= range.max))
		return true;
	format_number(range.min, units, low);
	format_number(range.max, units, high);
	if (range.max == INT64_MAX)
		(void)snprintf(what, sizeof(what), "must be at least %s", low);
	else
		(void)snprintf(
		    what, sizeof(what), "must be between %s and %s", low, high);
	return complain(c, what, "%s", "");
}

static const struct unit *find_unit(const struct unit *units, struct span name)
{
	for (const struct unit *u = units; u->name; u++)
		if (span_eq(name, span_of(u->name)))
			return u;
	return NULL;
}

/* Cut the digits at the start of *s off; false when there are none. */
static bool cut_number(struct span *s, unsigned long long *out)
{
	size_t digits = 0;

	while (
	    digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9')
		digits++;
	if (!span_parse_u64(span_first(*s, digits), INT64_MAX, out))
		return false;
	*s = span_from(*s, digits);
	return true;
}

static bool scale(uint64_t n, uint64_t factor, int64_t *out)
{
	if (n > (uint64_t)INT64_MAX / factor)
		return false;
	*out = (int64_t)(n * factor);
	return true;
}

bool value_parse_int(
    struct span s, struct value_range range, int64_t *out, struct complaint *c)
{
	bool is_negative = span_starts_with(s, SPAN("-"));
	struct span digits = span_from(s, is_negative ? 1 : 0);
	unsigned long long n;
	int64_t value;

	if (!span_parse_u64(digits, INT64_MAX, &n))
		return complain(c, "must be a whole number", "%s", "");
	value = is_negative ? -(int64_t)n : (int64_t)n;
	if (!check_range(value, range, NULL, c))
		return false;
	*out = value;
	return true;
}

bool value_parse_duration(
    struct span s, struct value_range range, uint64_t *out, struct complaint *c)
{
	static const char what[] = "must be a duration";
	static const char how[] = "write a number and ms, s, m, h or d: 30s";
	const struct unit *unit;
	struct span rest = s;
	unsigned long long n;
	int64_t ms;

	if (!cut_number(&rest, &n))
		return complain(c, what, "%s", how);
	unit = rest.len == 0 && n == 0 ? durations : find_unit(durations, rest);
	if (rest.len == 0 && !unit)
		return complain(c, what, "give it a unit: %llus", n);
	if (!unit || !scale(n, unit->factor, &ms))
		return complain(c, what, "%s", how);
	if (!check_range(ms, range, durations, c))
		return false;
	*out = (uint64_t)ms;
	return true;
}

bool value_parse_size(
    struct span s, struct value_range range, uint64_t *out, struct complaint *c)
{
	const struct unit *unit;
	struct span rest = s;
	unsigned long long n;
	int64_t bytes;

	if (!cut_number(&rest, &n))
		return complain(c, "must be a size",
		    "write bytes, or a number and KiB, MiB, GiB, KB, MB or GB");
	unit = find_unit(sizes, rest);
	if (!unit || !scale(n, unit->factor, &bytes))
		return complain(c, "must be a size",
		    "units are KiB MiB GiB TiB (1024) and KB MB GB TB (1000)");
	if (!check_range(bytes, range, sizes, c))
		return false;
	*out = (uint64_t)bytes;
	return true;
}

bool value_parse_percent(
    struct span s, struct value_range range, int64_t *out, struct complaint *c)
{
	static const struct unit percent[] = { { "%", 1 }, { NULL, 0 } };
	struct span rest = s;
	unsigned long long n;

	if (!cut_number(&rest, &n) || n > 100 ||
	    !(span_eq(rest, SPAN("%")) || (rest.len == 0 && n == 0)))
		return complain(
		    c, "must be a share", "write a whole number and %%: 50%%");
	if (!check_range((int64_t)n, range, percent, c))
		return false;
	*out = (int64_t)n;
	return true;
}

bool value_parse_share(struct span s, struct value_range range,
    struct postern_share *out, struct complaint *c)
{
	uint64_t bytes = 0;
	int64_t percent = 0;

	if (s.len > 0 && s.ptr[s.len - 1] == '%') {
		if (!value_parse_percent(
			s, (struct value_range){ 0, 0 }, &percent, c))
			return false;
	} else if (!value_parse_size(s, range, &bytes, c)) {
		return false;
	}
	*out = (struct postern_share){ .percent = (uint64_t)percent,
		.bytes = bytes };
	return true;
}

bool value_parse_rate(
    struct span s, struct postern_rate *out, struct complaint *c)
{
	static const char what[] = "must be a rate";
	const struct unit *unit;
	struct span rest = s;
	unsigned long long n;

	if (span_eq(s, SPAN("0"))) {
		*out = (struct postern_rate){ .per_ms = periods[0].factor };
		return true;
	}
	if (!cut_number(&rest, &n) || !span_starts_with(rest, SPAN("/")))
		return complain(c, what,
		    "write a number, / and s, min, hour or day: 100/min");
	unit = find_unit(periods, span_from(rest, 1));
	if (!unit)
		return complain(
		    c, what, "after the / goes s, sec, min, hour or day");
	if (n == 0)
		return complain(c, "must be at least one per period",
		    "write 0 alone for no limit");
	*out = (struct postern_rate){ .count = n, .per_ms = unit->factor };
	return true;
}

/* --- words --- */

bool value_parse_enum(
    struct span s, const char *const *names, int *out, struct complaint *c)
{
	char what[sizeof(c->what)] = "must be one of ";
	size_t used = strlen(what);
	const char *comma = "";

	for (int i = 0; names[i]; i++) {
		if (*names[i] && span_eq(s, span_of(names[i]))) {
			*out = i;
			return true;
		}
	}
	for (int i = 0; names[i] && used < sizeof(what); i++) {
		if (!*names[i])
			continue;
		int n = snprintf(
		    what + used, sizeof(what) - used, "%s%s", comma, names[i]);
		used += n > 0 ? (size_t)n : 0;
		comma = ", ";
	}
	return complain(c, what, "%s", "");
}

bool value_check_text(struct span s, struct complaint *c)
{
	c->is_private = true; /* who knows what texts are for */
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return complain(c,
			    "must be one line without control characters", "%s",
			    "");
	if (!span_is_utf8(s))
		return complain(c, "must be UTF-8", "%s", "");
	return true;
}

bool value_parse_network(
    struct span s, struct network *out, struct complaint *c)
{
	if (network_parse(s, out))
		return true;
	return complain(c, "must be an address, a network or unix",
	    "as 192.0.2.0/24 or 2001:db8::/32, nothing set behind the prefix");
}

/* --- URLs --- */

static bool is_loopback(struct span host)
{
	struct netaddr a;

	return span_ieq(host, SPAN("localhost")) ||
	       (netaddr_parse(host, &a) && netaddr_is_local(&a));
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool split_authority(struct span s, struct span *host)
{
	unsigned long long port;
	struct span rest = s;

	if (span_starts_with(s, SPAN("["))) {
		rest = span_from(s, 1);
		if (span_index(rest, ']') < 0)
			return false;
		*host = span_cut(&rest, ']');
		if (rest.len > 0 && rest.ptr[0] != ':')
			return false;
		rest = span_from(rest, 1);
		if (rest.len == 0)
			return s.ptr[s.len - 1] == ']' && host->len > 0;
	} else {
		*host = span_cut(&rest, ':');
		if (!rest.ptr)
			return host->len > 0;
	}
	return host->len > 0 && span_parse_u64(rest, 65535, &port) && port > 0;
}

static bool has_space(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

bool value_check_url(struct span s, struct complaint *c)
{
	bool is_http = span_istarts_with(s, SPAN("http://"));
	struct span rest = span_from(s, is_http ? 7 : 8);
	struct span authority, host = { 0 };

	/* A login, or a connection string, which has a key in it. */
	c->is_private = span_index(s, '@') >= 0 || span_index(s, '=') >= 0;
	if (!is_http && !span_istarts_with(s, SPAN("https://")))
		return complain(
		    c, "must be a URL that begins with https://", "%s", "");
	if (has_space(s) || span_index(s, '?') >= 0 || span_index(s, '#') >= 0)
		return complain(
		    c, "must be a URL without spaces, ? and #", "%s", "");
	authority = span_cut(&rest, '/');
	if (span_index(authority, '@') >= 0)
		return complain(c, "must not contain a login",
		    "there are keys for credentials");
	if (!split_authority(authority, &host))
		return complain(c, "must be a URL with a host",
		    "https://api.example.com/path");
	if (is_http && !is_loopback(host))
		return complain(c, "must begin with https://",
		    "http is for this machine only: localhost, 127.0.0.1, "
		    "[::1]");
	return true;
}

bool value_check_smtp_url(struct span s, struct complaint *c)
{
	bool is_tls = span_istarts_with(s, SPAN("smtps://"));
	struct span authority = span_from(s, is_tls ? 8 : 7), host = { 0 };

	c->is_private = span_index(s, '@') >= 0;
	if (!is_tls && !span_istarts_with(s, SPAN("smtp://")))
		return complain(c,
		    "must be a URL that begins with smtp:// or smtps://", "%s",
		    "");
	if (span_index(authority, '@') >= 0)
		return complain(c, "must not contain a login",
		    "there are keys for credentials");
	if (has_space(s) || span_index(authority, '/') >= 0 ||
	    span_index(authority, '?') >= 0 ||
	    span_index(authority, '#') >= 0 ||
	    !split_authority(authority, &host))
		return complain(c, "must be a host, with a port or without",
		    "smtp://mail.example.org:587");
	return true;
}
