/* See multipart.h. */
#include <sandbox/multipart.h>

#include <errno.h>
#include <string.h>

enum {
	BOUNDARY_MAX = 70 /* RFC 2046 5.1.1 */
};

/*
 * Cut the next "; name=value" off *rest. Values may be quoted; an escaped
 * quote inside one is left as it is. False at the end or when malformed,
 * which leaves *rest non-empty.
 */
static bool next_param(struct span *rest, struct span *name, struct span *value)
{
	struct span s = span_trim(*rest);

	*rest = s;
	if (s.len == 0 || s.ptr[0] != ';')
		return false;
	s = span_trim(span_from(s, 1));
	ptrdiff_t equals = span_index(s, '=');
	if (equals <= 0)
		return false;
	*name = span_trim(span_first(s, (size_t)equals));
	s = span_from(s, (size_t)equals + 1);
	if (s.len && s.ptr[0] == '"') {
		size_t end = 1;

		while (end < s.len && s.ptr[end] != '"')
			end += s.ptr[end] == '\\' ? 2 : 1;
		if (end >= s.len)
			return false;
		*value = span_make(s.ptr + 1, end - 1);
		*rest = span_from(s, end + 1);
	} else {
		ptrdiff_t end = span_index(s, ';');

		*value = span_trim(end < 0 ? s : span_first(s, (size_t)end));
		*rest = span_from(s, end < 0 ? s.len : (size_t)end);
	}
	return true;
}

bool multipart_begin(
    struct multipart *m, const char *content_type, struct span body)
{
	struct span rest = span_of(content_type);
	const struct span type = SPAN("multipart/form-data");
	struct span name, value;

	*m = (struct multipart){ .rest = body };
	if (!content_type || !span_istarts_with(rest, type))
		return false;
	rest = span_from(rest, type.len);
	while (next_param(&rest, &name, &value)) {
		if (span_ieq(name, SPAN("boundary")))
			m->boundary = value;
	}
	return rest.len == 0 && m->boundary.len > 0 &&
	       m->boundary.len <= BOUNDARY_MAX;
}

/* Take text off the start of *s when it is there. */
static bool take(struct span *s, struct span text)
{
	if (!span_starts_with(*s, text))
		return false;
	*s = span_from(*s, text.len);
	return true;
}

/* Where "CRLF--boundary" begins in s, or -1. */
static ptrdiff_t find_delimiter(struct span s, struct span boundary)
{
	const struct span start = SPAN("\r\n--");
	size_t from = 0;

	while (from < s.len) {
		const char *at =
		    memmem(s.ptr + from, s.len - from, start.ptr, start.len);

		if (!at)
			break;
		from = (size_t)(at - s.ptr) + start.len;
		if (span_starts_with(span_from(s, from), boundary))
			return at - s.ptr;
	}
	return -1;
}

static int read_disposition(struct span value, struct multipart_part *out)
{
	struct span name, text;

	if (!take(&value, SPAN("form-data")))
		return -EINVAL;
	while (next_param(&value, &name, &text)) {
		if (span_ieq(name, SPAN("name"))) {
			out->name = text;
		} else if (span_ieq(name, SPAN("filename"))) {
			out->filename = text;
			out->is_file = true;
		}
	}
	return value.len ? -EINVAL : 0;
}

static int read_header(struct span line, struct multipart_part *out)
{
	ptrdiff_t colon = span_index(line, ':');

	if (colon <= 0)
		return -EINVAL;
	struct span name = span_first(line, (size_t)colon);
	struct span value = span_trim(span_from(line, (size_t)colon + 1));

	if (span_ieq(name, SPAN("content-disposition")))
		return read_disposition(value, out);
	if (span_ieq(name, SPAN("content-type")))
		out->type = value;
	return 0;
}

/* Header lines up to and with the empty one. */
static int read_headers(struct span *s, struct multipart_part *out)
{
	while (!take(s, SPAN("\r\n"))) {
		const char *end = memmem(s->ptr, s->len, "\r\n", 2);

		if (!end)
			return -EINVAL;
		size_t len = (size_t)(end - s->ptr);
		int rc = read_header(span_first(*s, len), out);
		if (rc)
			return rc;
		*s = span_from(*s, len + 2);
	}
	return out->name.ptr ? 0 : -EINVAL;
}

int multipart_next(struct multipart *m, struct multipart_part *out)
{
	struct span *s = &m->rest;

	*out = (struct multipart_part){ .name = { NULL, 0 } };
	if (!m->has_begun) {
		if (!take(s, SPAN("--")) || !take(s, m->boundary))
			return -EINVAL;
		m->has_begun = true;
	}
	if (take(s, SPAN("--"))) {
		(void)take(s, SPAN("\r\n"));
		return s->len ? -EINVAL : 0;
	}
	if (!take(s, SPAN("\r\n")))
		return -EINVAL;
	int rc = read_headers(s, out);
	if (rc)
		return rc;
	ptrdiff_t end = find_delimiter(*s, m->boundary);
	if (end < 0)
		return -EINVAL;
	out->body = span_first(*s, (size_t)end);
	*s = span_from(*s, (size_t)end + 4 + m->boundary.len);
	return 1;
}
