/*
 * The end-of-data machine. Around dots and lone CR or LF it goes byte by
 * byte; inside text, where nearly all bytes are, it leaps from line to line
 * with memchr and copies all clean lines of a feed at once.
 */
#include <smtp/data.h>

#include <errno.h>

void smtp_data_init(struct smtp_data *d)
{
	*d = (struct smtp_data){ .state = SMTP_DATA_LINE };
}

bool smtp_data_is_good(const struct smtp_data *d)
{
	return !d->has_nul && !d->is_too_large && !d->is_out_of_memory;
}

static void emit(struct smtp_data *d, struct buf *out, struct span s)
{
	int rc;

	if (s.len == 0 || !smtp_data_is_good(d))
		return;
	rc = buf_add_span(out, s);
	if (memchr(s.ptr, '\0', s.len))
		d->has_nul = true;
	if (rc == -EMSGSIZE)
		d->is_too_large = true;
	else if (rc < 0)
		d->is_out_of_memory = true;
	if (!smtp_data_is_good(d))
		buf_finish(out);
}

/* Index of the first c in [from, end) of s, else end. */
static size_t find(struct span s, size_t from, size_t end, char c)
{
	const char *p = memchr(s.ptr + from, c, end - from);

	return p ? (size_t)(p - s.ptr) : end;
}

static struct span slice(struct span s, size_t from, size_t end)
{
	return span_make(s.ptr + from, end - from);
}

/* Part of a line in which every CR is a bare one. */
static void emit_spaced(struct smtp_data *d, struct buf *out, struct span s)
{
	d->has_bare_cr = true;
	emit(d, out, s);
	if (!smtp_data_is_good(d))
		return;
	char *p = buf_tail(out) - s.len;
	while ((p = memchr(p, '\r', (size_t)(buf_tail(out) - p))) != NULL)
		*p++ = ' ';
}

/*
 * Lines from inside a line on, up to one that starts with a dot, a bare LF or
 * the end of s. Returns how many bytes that were. Each byte is looked at
 * once for LF and once for CR, however the two are mixed.
 */
static size_t take_text(struct smtp_data *d, struct span s, struct buf *out)
{
	size_t start = 0, i = 0; /* not copied yet; not examined yet */
	size_t lf = find(s, 0, s.len, '\n');

	for (;;) {
		size_t cr = find(s, i, lf, '\r');

		if (cr + 1 < lf) { /* with more of the line behind it */
			size_t end = s.ptr[lf - 1] == '\r' ? lf - 1 : lf;

			emit(d, out, slice(s, start, cr));
			emit_spaced(d, out, slice(s, cr, end));
			start = i = end;
			continue;
		}
		if (lf == s.len) {
			emit(d, out, slice(s, start, cr));
			d->state = cr < lf ? SMTP_DATA_CR : SMTP_DATA_TEXT;
			return s.len;
		}
		if (cr == lf) {
			emit(d, out, slice(s, start, lf));
			emit(d, out, SPAN("\r\n"));
			d->has_bare_lf = true;
			d->state = SMTP_DATA_LF;
			return lf + 1;
		}
		i = lf + 1;
		if (i == s.len || s.ptr[i] == '.') {
			emit(d, out, slice(s, start, i));
			d->state = SMTP_DATA_LINE;
			return i;
		}
		lf = find(s, i, s.len, '\n');
	}
}

/* A CR that no LF followed, and what stood before it. */
static void bare_cr(
    struct smtp_data *d, struct buf *out, struct span with_space)
{
	emit(d, out, with_space);
	d->has_bare_cr = true;
	d->state = SMTP_DATA_TEXT;
}

/*
 * One byte in a state where a line may turn out to be special. Returns false
 * when the byte is text after all and not taken; state is then TEXT.
 */
static bool take_byte(struct smtp_data *d, char c, struct buf *out)
{
	switch (d->state) {
	case SMTP_DATA_LINE:
		d->state = c == '.' ? SMTP_DATA_DOT : SMTP_DATA_TEXT;
		break;
	case SMTP_DATA_DOT:
		/* The dot of a stuffed line is gone with this. */
		d->state = SMTP_DATA_TEXT;
		if (c == '\r')
			d->state = SMTP_DATA_DOT_CR;
		if (c == '\n')
			d->state = SMTP_DATA_LF;
		d->has_bare_lf |= c == '\n';
		break;
	case SMTP_DATA_DOT_CR:
		if (c == '\n')
			d->state = SMTP_DATA_DONE;
		else
			bare_cr(d, out, SPAN(" "));
		break;
	case SMTP_DATA_CR:
		if (c == '\n') {
			emit(d, out, SPAN("\r\n"));
			d->state = SMTP_DATA_LINE;
		} else {
			bare_cr(d, out, SPAN(" "));
		}
		break;
	case SMTP_DATA_LF:
		d->state = c == '.' ? SMTP_DATA_LF_DOT : SMTP_DATA_TEXT;
		break;
	case SMTP_DATA_LF_DOT:
		d->state = SMTP_DATA_TEXT;
		if (c == '\r')
			d->state = SMTP_DATA_LF_DOT_CR;
		else if (c == '\n')
			d->state = SMTP_DATA_LF;
		else
			emit(d, out, SPAN("."));
		break;
	case SMTP_DATA_LF_DOT_CR:
		if (c == '\n')
			d->state = SMTP_DATA_LINE;
		else
			bare_cr(d, out, SPAN(". "));
		break;
	case SMTP_DATA_TEXT:
	case SMTP_DATA_DONE:
		break;
	}
	return d->state != SMTP_DATA_TEXT;
}

size_t smtp_data_feed(struct smtp_data *d, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.len && d->state != SMTP_DATA_DONE) {
		if (d->state == SMTP_DATA_TEXT)
			i += take_text(d, span_from(in, i), out);
		else if (take_byte(d, in.ptr[i], out))
			i++;
	}
	return i;
}
