/*
 * Every message to some providers is looked at, so it is done in large steps:
 * eight octets at once, and of lines only whether one of the 1000 octets from
 * a start on ends it, searched from behind.
 */
#include <mail/octets.h>

enum {
	LINE_BYTES = OCTETS_LINE_MAX + 2, /* with its CRLF */
	WINDOW = 8192                     /* read at a time */
};

static bool has_8bit(struct span s)
{
	const uint64_t highest = UINT64_C(0x8080808080808080);
	uint64_t eight, seen = 0;
	size_t i = 0;

	for (; i + sizeof(eight) <= s.len; i += sizeof(eight)) {
		memcpy(&eight, s.ptr + i, sizeof(eight));
		seen |= eight;
	}
	return (seen & highest) || !span_is_ascii(span_from(s, i));
}

/* *line: octets of the present line before s, and then at its end. */
static bool has_long_line(struct span s, size_t *line)
{
	while (s.len >= LINE_BYTES - *line) {
		size_t len = LINE_BYTES - *line;
		const char *lf = memrchr(s.ptr, '\n', len);

		if (!lf)
			return true;
		s = span_from(s, (size_t)(lf - s.ptr) + 1);
		*line = 0;
	}
	const char *lf = s.len > 0 ? memrchr(s.ptr, '\n', s.len) : NULL;

	*line = lf ? (size_t)(s.ptr + s.len - lf) - 1 : *line + s.len;
	return false;
}

static bool has_any(struct span s, unsigned wanted, size_t *line)
{
	return (wanted & OCTETS_8BIT && has_8bit(s)) ||
	       (wanted & OCTETS_LONG_LINES && has_long_line(s, line));
}

/* The stretch when it is in memory; else ptr is NULL. */
static struct span find_in_memory(
    const struct message *m, uint64_t offset, uint64_t length)
{
	uint64_t header = message_header(m).len;
	struct span body = message_body(m), none = { .ptr = NULL };

	if (!body.ptr || offset < header)
		return none;
	return span_first(
	    span_from(body, (size_t)(offset - header)), (size_t)length);
}

int octets_find(
    const struct message *m, uint64_t offset, uint64_t length, unsigned wanted)
{
	struct span all = find_in_memory(m, offset, length);
	char window[WINDOW];
	size_t line = 0;
	bool is_found = all.ptr && has_any(all, wanted, &line);

	while (!all.ptr && !is_found && length > 0) {
		size_t len = length < WINDOW ? (size_t)length : WINDOW;
		int rc = message_read_all(m, offset, window, len);

		if (rc < 0)
			return rc;
		is_found = has_any(span_make(window, len), wanted, &line);
		offset += len;
		length -= len;
	}
	/* The last may be without an end. */
	return is_found || line > OCTETS_LINE_MAX;
}
