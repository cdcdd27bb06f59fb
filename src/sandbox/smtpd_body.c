/* See smtpd_body.h. */
#include <sandbox/smtpd_body.h>

static void add(struct smtpd_body *b, struct span bytes, struct buf *out)
{
	if (!b->is_too_large && buf_add_span(out, bytes) != 0)
		b->is_too_large = true;
}

/* Up to the end of the line, or of what there is. */
static size_t take_text(struct smtpd_body *b, struct span in, struct buf *out)
{
	const char *lf = memchr(in.ptr, '\n', in.len);
	size_t len = lf ? (size_t)(lf - in.ptr) + 1 : in.len;
	char before = len > 1 ? in.ptr[len - 2] : b->last;

	add(b, span_first(in, len), out);
	b->last = in.ptr[len - 1];
	b->state = lf && before == '\r' ? SMTPD_BODY_START : SMTPD_BODY_TEXT;
	return len;
}

/* The byte behind a dot, or behind a dot and a CR; 0: it is text. */
static size_t take_end(struct smtpd_body *b, char c, struct buf *out)
{
	if (b->state == SMTPD_BODY_DOT && c == '\r') {
		b->state = SMTPD_BODY_DOT_CR;
		return 1;
	}
	if (b->state == SMTPD_BODY_DOT_CR && c == '\n') {
		b->state = SMTPD_BODY_DONE;
		return 1;
	}
	b->last = '\0';
	if (b->state == SMTPD_BODY_DOT_CR) {
		add(b, SPAN("\r"), out);
		b->last = '\r';
	}
	b->state = SMTPD_BODY_TEXT;
	return 0;
}

size_t smtpd_body_feed(struct smtpd_body *b, struct span in, struct buf *out)
{
	size_t used = 0;

	while (used < in.len && b->state != SMTPD_BODY_DONE) {
		struct span rest = span_from(in, used);

		if (b->state == SMTPD_BODY_START && rest.ptr[0] == '.') {
			b->state = SMTPD_BODY_DOT;
			used++;
		} else if (b->state == SMTPD_BODY_DOT ||
			   b->state == SMTPD_BODY_DOT_CR) {
			used += take_end(b, rest.ptr[0], out);
		} else {
			if (b->state == SMTPD_BODY_START)
				b->last = '\0';
			used += take_text(b, rest, out);
		}
	}
	return used;
}

bool smtpd_body_has_bare_ends(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_end = text.ptr[i] == '\r' && i + 1 < text.len &&
			      text.ptr[i + 1] == '\n';

		if (is_end)
			i++;
		else if (text.ptr[i] == '\r' || text.ptr[i] == '\n')
			return true;
	}
	return false;
}
