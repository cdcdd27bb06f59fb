/*
 * One event as one line of text or JSON. Values come from peers: whatever
 * could end a line, a quoted string or a terminal's good behaviour is escaped,
 * and what is not UTF-8 never leaves as it came.
 */
#include "log_internal.h"

#include <base/date.h>
#include <base/hash.h>
#include <base/utf8.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
	RESERVE = 32,     /* kept for the end of a cut line */
	NUMBER_SIZE = 32, /* of any number as text */
	ADDRESS_HASH_BYTES = 8,
	ADDRESS_DOMAIN_MAX = 320 /* more than any address has */
};

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* Append all of it or, once anything did not fit, nothing any more. */
static void put(struct log_line *l, const char *data, size_t len)
{
	if (l->is_cut || len > LOG_LINE_MAX - RESERVE - l->len) {
		l->is_cut = true;
		return;
	}
	memcpy(l->data + l->len, data, len);
	l->len += len;
}

static void put_str(struct log_line *l, const char *cstr)
{
	put(l, cstr, strlen(cstr));
}

/* Append even to a cut line, out of the reserve. */
static void put_end(struct log_line *l, const char *cstr)
{
	size_t len = strlen(cstr);
	memcpy(l->data + l->len, cstr, len);
	l->len += len;
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Controls, and what reorders or breaks lines where they are shown. */
static bool is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Append a run of plain characters, as many as fit. */
static size_t put_plain(struct log_line *l, struct span s)
{
	size_t len = 0, room = LOG_LINE_MAX - RESERVE - l->len;

	while (len < s.len && is_plain(s.ptr[len]))
		len++;
	put(l, s.ptr, len < room ? len : room);
	if (len > room)
		l->is_cut = true;
	return len;
}

/* An ill-formed byte: text shows which, JSON can only say that there was. */
static void put_bad_byte(struct log_line *l, enum log_format format, char c)
{
	char text[8];

	if (format == LOG_FORMAT_JSON) {
		put_str(l, "\xef\xbf\xbd");
		return;
	}
	(void)snprintf(text, sizeof(text), "\\x%02x", (unsigned)(uint8_t)c);
	put_str(l, text);
}

static void put_escape(struct log_line *l, uint32_t c)
{
	char text[16] = { '\\', (char)c };

	if (c == '\n')
		text[1] = 'n';
	else if (c == '\r')
		text[1] = 'r';
	else if (c == '\t')
		text[1] = 't';
	else if (c != '"' && c != '\\')
		(void)snprintf(text, sizeof(text), "\\u%04x", (unsigned)c);
	put_str(l, text);
}

static void put_escaped(
    struct log_line *l, enum log_format format, struct span s)
{
	while (s.len > 0 && !l->is_cut) {
		uint32_t c;
		size_t len = put_plain(l, s);
		if (len == 0) {
			len = utf8_decode(s, &c);
			if (len == 0)
				put_bad_byte(l, format, s.ptr[0]);
			else if (is_unsafe(c) || c == '"' || c == '\\')
				put_escape(l, c);
			else
				put(l, s.ptr, len);
		}
		s = span_from(s, len ? len : 1);
	}
}

/* Whether text can show s as it is: printable ASCII, nothing structural. */
static bool is_bare(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_plain(s.ptr[i]) || s.ptr[i] == ' ' || s.ptr[i] == '=')
			return false;
	}
	return s.len > 0;
}

static void put_string(
    struct log_line *l, enum log_format format, struct span s)
{
	if (format == LOG_FORMAT_TEXT && is_bare(s)) {
		(void)put_plain(l, s);
		return;
	}
	put(l, "\"", 1);
	if (l->is_cut)
		return;
	put_escaped(l, format, s);
	put(l, "\"", 1);
	if (l->is_cut)
		put_end(l, "\"");
}

/* The same for a@B.example and A@b.example: mail cannot tell them apart. */
static void put_address_hash(
    struct log_line *l, enum log_format format, struct span address)
{
	uint8_t digest[HASH_SHA256_SIZE];
	struct hash_sha256 *h = hash_sha256_new();
	char text[2 * ADDRESS_HASH_BYTES + 1] = "";

	if (!h) {
		put_string(l, format, SPAN("no memory"));
		return;
	}
	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		hash_sha256_add(h, &c, 1);
	}
	hash_sha256_end(h, digest);
	for (size_t i = 0; i < ADDRESS_HASH_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
	put_string(l, format, span_of(text));
}

static void put_address(
    struct log_line *l, struct log_style style, struct span address)
{
	ptrdiff_t at = span_rindex(address, '@');
	char text[ADDRESS_DOMAIN_MAX];

	if (style.addresses == LOG_ADDRESSES_FULL || address.len == 0) {
		put_string(l, style.format, address);
	} else if (style.addresses == LOG_ADDRESSES_HASH) {
		put_address_hash(l, style.format, address);
	} else {
		struct span domain =
		    span_from(address, at < 0 ? address.len : (size_t)at);

		(void)snprintf(text, sizeof(text), "*%.*s", SPAN_FMT(domain));
		put_string(l, style.format, span_of(text));
	}
}

static void put_num(struct log_line *l, int64_t value)
{
	char text[NUMBER_SIZE];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	put_str(l, text);
}

/*
 * At most six decimals, and by integers only: printf's decimal point belongs
 * to the locale. What is no number, or far beyond any we measure, is null.
 */
static void put_real(struct log_line *l, double value)
{
	char text[NUMBER_SIZE];
	double size = fabs(value);

	if (!(size < 1e15)) {
		put_str(l, "null");
		return;
	}
	uint64_t whole = (uint64_t)size;
	uint64_t millionths = (uint64_t)((size - (double)whole) * 1e6 + 0.5);
	whole += millionths / 1000000;
	millionths %= 1000000;
	int len = snprintf(text, sizeof(text), "%s%" PRIu64 ".%06" PRIu64,
	    value < 0 && (whole || millionths) ? "-" : "", whole, millionths);
	while (text[len - 1] == '0')
		len--;
	put(l, text, (size_t)(text[len - 1] == '.' ? len - 1 : len));
}

static void put_name(
    struct log_line *l, enum log_format format, const char *name)
{
	if (format == LOG_FORMAT_TEXT) {
		put_str(l, " ");
		put_str(l, name);
		put_str(l, "=");
	} else {
		put_str(l, ",");
		put_string(l, format, span_of(name));
		put_str(l, ":");
	}
}

static void put_field(
    struct log_line *l, struct log_style style, const struct log_field *f)
{
	size_t before = l->len;

	put_name(l, style.format, f->name);
	size_t value = l->len;
	if (!l->is_cut) {
		switch (f->type) {
		case LOG_FIELD_STR:
			put_string(l, style.format, f->str);
			break;
		case LOG_FIELD_ADDRESS:
			put_address(l, style, f->str);
			break;
		case LOG_FIELD_NUM:
			put_num(l, f->num);
			break;
		case LOG_FIELD_REAL:
			put_real(l, f->real);
			break;
		case LOG_FIELD_NONE:
			break;
		}
	}
	/* No half field: of a cut one only a string may have been begun. */
	if (l->is_cut && l->len == value)
		l->len = before;
}

static void put_head(struct log_line *l, enum log_format format,
    int64_t wall_ms, enum log_level level)
{
	char ts[DATE_RFC3339_SIZE];

	date_format_rfc3339(wall_ms, ts);
	if (format == LOG_FORMAT_TEXT) {
		put_str(l, ts);
		put_str(l, " ");
		put_str(l, level_names[level]);
	} else {
		put_str(l, "{\"ts\":\"");
		put_str(l, ts);
		put_str(l, "\",\"level\":\"");
		put_str(l, level_names[level]);
		put_str(l, "\"");
	}
}

void log_line_build(struct log_line *l, struct log_style style, int64_t wall_ms,
    enum log_level level, const char *event, const struct log_field *fields)
{
	const struct log_field name = LOG_STR("event", event);

	l->len = 0;
	l->is_cut = false;
	put_head(l, style.format, wall_ms, level);
	put_field(l, style, &name);
	for (const struct log_field *f = fields; f->name && !l->is_cut; f++)
		if (f->type != LOG_FIELD_NONE)
			put_field(l, style, f);
	if (style.format == LOG_FORMAT_TEXT)
		put_end(l, l->is_cut ? " cut=true\n" : "\n");
	else
		put_end(l, l->is_cut ? ",\"cut\":true}\n" : "}\n");
}
