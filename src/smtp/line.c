/*
 * Command lines. A bare LF or CR is a byte like others here: the command
 * parser refuses it, so two peers cannot disagree on where a line ends.
 */
#include <smtp/line.h>

void smtp_line_init(struct smtp_line_reader *r)
{
	*r = (struct smtp_line_reader){ .scanned = 0 };
}

/* Length of the first line with its CRLF, or 0. */
static size_t line_length(struct span s, size_t from)
{
	while (from < s.len) {
		const char *lf = memchr(s.ptr + from, '\n', s.len - from);
		if (!lf)
			return 0;
		size_t at = (size_t)(lf - s.ptr);
		if (at > 0 && s.ptr[at - 1] == '\r')
			return at + 1;
		from = at + 1;
	}
	return 0;
}

/* Drop up to the CRLF; true when it was there. */
static bool discard(struct smtp_line_reader *r, struct buf *in)
{
	struct span s = buf_span(in);
	size_t len;

	if (s.len == 0)
		return false;
	if (r->was_cr && s.ptr[0] == '\n')
		len = 1;
	else
		len = line_length(s, 0);
	r->was_cr = s.ptr[s.len - 1] == '\r';
	buf_consume(in, len > 0 ? len : s.len);
	return len > 0;
}

enum smtp_line_result smtp_line_next(struct smtp_line_reader *r, struct buf *in,
    size_t limit, struct span *out_line)
{
	struct span s = buf_span(in);
	size_t len;

	if (!r->is_discarding) {
		len = line_length(s, r->scanned);
		if (len > 0 && len <= limit) {
			*out_line = span_first(s, len - 2);
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
	smtp_line_init(r);
	return SMTP_LINE_TOO_LONG;
}
