/*
 * Command lines. A bare LF or CR is a byte like others here: the command
 * parser refuses it, so two peers cannot disagree on where a line ends. Only
 * a reader that takes_lf ends a line there.
 */
#include <smtp/line.h>

void smtp_line_init(struct smtp_line_reader *r)
{
	*r = (struct smtp_line_reader){ .scanned = 0 };
}

/* Length of the first line with its end, or 0. */
static size_t line_length(
    const struct smtp_line_reader *r, struct span s, size_t from)
{
	while (from < s.len) {
		const char *lf = memchr(s.ptr + from, '\n', s.len - from);
		if (!lf)
			return 0;
		size_t at = (size_t)(lf - s.ptr);
		if (r->takes_lf || (at > 0 && s.ptr[at - 1] == '\r'))
			return at + 1;
		from = at + 1;
	}
	return 0;
}

/* Drop up to the end of the line; true when it was there. */
static bool discard(struct smtp_line_reader *r, struct buf *in)
{
	struct span s = buf_span(in);
	size_t len;

	if (s.len == 0)
		return false;
	if (r->was_cr && s.ptr[0] == '\n')
		len = 1;
	else
		len = line_length(r, s, 0);
	r->was_cr = s.ptr[s.len - 1] == '\r';
	buf_consume(in, len > 0 ? len : s.len);
	return len > 0;
}

/* A line with its end, without it. */
static struct span cut_end(struct span line)
{
	size_t len = line.len - 1;

	if (len > 0 && line.ptr[len - 1] == '\r')
		len--;
	return span_first(line, len);
}

enum smtp_line_result smtp_line_next(struct smtp_line_reader *r, struct buf *in,
    size_t limit, struct span *out_line)
{
	struct span s = buf_span(in);
	size_t len;

	if (!r->is_discarding) {
		len = line_length(r, s, r->scanned);
		if (len > 0 && len <= limit) {
			*out_line = cut_end(span_first(s, len));
			r->scanned = 0;
			buf_consume(in, len);
			return SMTP_LINE_OK;
		}
		r->scanned = s.len;
		if (len == 0 && s.len < limit)
			return SMTP_LINE_NONE;
		r->is_discarding = true;
	}
	if (!discard(r, in))
		return SMTP_LINE_NONE;
	r->scanned = 0;
	r->is_discarding = r->was_cr = false;
	return SMTP_LINE_TOO_LONG;
}
