/*
 * Header fields found in a block of CRLF lines. Used on every message and by
 * every view of it: spans into the block, no memory of its own.
 */
#include <mail/header.h>

#include <errno.h>

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes up to and with the next LF; all of s when there is none. */
static size_t line_length(struct span s)
{
	const char *lf = memchr(s.ptr, '\n', s.len);

	return lf ? (size_t)(lf - s.ptr) + 1 : s.len;
}

static struct span without_crlf(struct span s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* RFC 5322 2.2: printable ASCII but the colon; white space before the colon
 * (4.5) is not part of it. Empty when it is no name. */
static struct span field_name(struct span before_colon)
{
	while (before_colon.len > 0 &&
	       is_wsp(before_colon.ptr[before_colon.len - 1]))
		before_colon.len--;
	for (size_t i = 0; i < before_colon.len; i++) {
		unsigned char c = (unsigned char)before_colon.ptr[i];
		if (c <= ' ' || c >= 0x7f)
			return span_first(before_colon, 0);
	}
	return before_colon;
}

bool header_next(struct span *rest, struct message_field *out)
{
	size_t len;
	ptrdiff_t colon;

	if (rest->len == 0 || rest->ptr[0] == '\n' ||
	    (rest->len > 1 && rest->ptr[0] == '\r' && rest->ptr[1] == '\n'))
		return false;
	len = line_length(*rest);
	while (len < rest->len && is_wsp(rest->ptr[len]))
		len += line_length(span_from(*rest, len));
	out->whole = span_first(*rest, len);
	*rest = span_from(*rest, len);

	colon = span_index(out->whole, ':');
	out->name = span_first(out->whole, 0);
	out->value = without_crlf(out->whole);
	if (colon <= 0)
		return true;
	out->name = field_name(span_first(out->whole, (size_t)colon));
	if (out->name.len > 0)
		out->value = span_from(out->value, (size_t)colon + 1);
	return true;
}

bool header_find(struct span block, struct span name, struct message_field *out)
{
	struct message_field field;

	while (header_next(&block, &field)) {
		if (span_ieq(field.name, name)) {
			*out = field;
			return true;
		}
	}
	return false;
}

int header_unfold(struct span value, struct buf *out)
{
	int rc = buf_reserve(out, value.len);

	while (rc == 0 && value.len > 0) {
		size_t len = line_length(value);
		struct span line = without_crlf(span_first(value, len));
		rc = buf_add_span(out, line);
		value = span_from(value, len);
		if (value.len == 0)
			break;
		while (value.len > 0 && is_wsp(value.ptr[0]))
			value = span_from(value, 1);
		if (rc == 0)
			rc = buf_add(out, " ", 1);
	}
	return rc;
}

size_t header_length(struct span raw)
{
	struct span rest = raw;
	const char *end;

	if (span_starts_with(raw, SPAN("\r\n")))
		return 2;
	end = memmem(rest.ptr, rest.len, "\r\n\r\n", 4);
	return end ? (size_t)(end - raw.ptr) + 4 : 0;
}
