/*
 * The end-of-data machine. Inside text, where nearly all bytes are, it leaps
 * from line to line with memchr and copies all clean lines of a window at
 * once. Around dots and lone CR or LF it goes byte by byte, and goes on so for
 * a while: where there is one there may be many, and no content may cost much
 * more per byte than another.
 */
#include <smtp/data.h>

#include <errno.h>

enum {
	ROUGH = 64,    /* bytes taken one by one */
	WINDOW = 1024, /* bytes looked at for their line ends at a time */
	HELD_BACK = 2  /* bytes of output whose input came before */
};

/* What a piece of input taken byte by byte leaves. */
struct piece {
	char bytes[HELD_BACK + 2 * ROUGH];
	size_t len;
};

void smtp_data_init(struct smtp_data *d, enum smtp_data_kind kind)
{
	*d = (struct smtp_data){ .kind = kind, .state = SMTP_DATA_LINE };
}

bool smtp_data_is_good(const struct smtp_data *d)
{
	return !d->has_nul && !d->is_too_large && !d->is_out_of_memory &&
	       !d->is_dropped;
}

/* Of what rules the content out the first in its order counts. */
static void emit(struct smtp_data *d, struct buf *out, struct span s)
{
	const char *nul;
	int rc;

	if (s.len == 0 || !smtp_data_is_good(d))
		return;
	nul = memchr(s.ptr, '\0', s.len);
	if (nul)
		s = span_first(s, (size_t)(nul - s.ptr) + 1);
	rc = buf_add_span(out, s);
	if (rc == -EMSGSIZE)
		d->is_too_large = true;
	else if (rc < 0)
		d->is_out_of_memory = true;
	else
		d->has_nul = nul != NULL;
	if (!smtp_data_is_good(d))
		buf_finish(out);
}

/* Index of the first c in [from, end) of s, else end. */
static size_t find(struct span s, size_t from, size_t end, char c)
{
	const char *p = memchr(s.ptr + from, c, end - from);

	return p ? (size_t)(p - s.ptr) : end;
}

/*
 * Clean text from inside a line on: up to a lone CR or LF, a line that starts
 * with a dot, or the end of s. Returns how many bytes that were.
 */
static size_t take_text(struct smtp_data *d, struct span s, struct buf *out)
{
	bool has_dots = d->kind != SMTP_DATA_CHUNKS;
	size_t i = 0;

	for (;;) {
		size_t lf = find(s, i, s.len, '\n');
		size_t cr = find(s, i, lf, '\r');

		if (lf == s.len || cr + 1 != lf) {
			i = cr;
			break;
		}
		i = lf + 1;
		d->is_past_first = true;
		if (i == s.len || (has_dots && s.ptr[i] == '.')) {
			d->state = SMTP_DATA_LINE;
			break;
		}
	}
	emit(d, out, span_first(s, i));
	return i;
}

static void put(struct piece *p, struct span s)
{
	memcpy(p->bytes + p->len, s.ptr, s.len);
	p->len += s.len;
}

static void note_bare(struct smtp_data *d, char c)
{
	d->has_bare_lf |= c == '\n';
	d->has_bare_cr |= c == '\r';
	if (d->first_bare == 0)
		d->first_bare = c;
}

/* An LF without a CR before it. True when it is a line end of this message. */
static bool meet_lf(struct smtp_data *d)
{
	if (d->kind == SMTP_DATA_LENIENT && !d->is_past_first)
		d->is_lf = true;
	d->is_past_first = true;
	if (!d->is_lf)
		note_bare(d, '\n');
	return d->is_lf;
}

static void lone_lf(struct smtp_data *d, struct piece *out)
{
	put(out, SPAN("\r\n"));
	d->state = meet_lf(d) ? SMTP_DATA_LINE : SMTP_DATA_LF;
}

/* A CR that no LF followed, and what stood before it. */
static void bare_cr(
    struct smtp_data *d, struct piece *out, struct span with_space)
{
	put(out, with_space);
	note_bare(d, '\r');
	d->state = SMTP_DATA_TEXT;
}

/* The dot of a stuffed line is gone with this. */
static void after_dot(struct smtp_data *d, char c)
{
	d->state = SMTP_DATA_TEXT;
	if (c == '\r')
		d->state = SMTP_DATA_DOT_CR;
	if (c == '\n')
		d->state = meet_lf(d) ? SMTP_DATA_DONE : SMTP_DATA_LF;
}

/* Returns false when the byte is text after all and not taken. */
static bool take_byte(struct smtp_data *d, char c, struct piece *out)
{
	bool is_dot = c == '.' && d->kind != SMTP_DATA_CHUNKS;

	switch (d->state) {
	case SMTP_DATA_LINE:
		d->state = is_dot ? SMTP_DATA_DOT : SMTP_DATA_TEXT;
		break;
	case SMTP_DATA_DOT:
		after_dot(d, c);
		break;
	case SMTP_DATA_DOT_CR:
		if (c == '\n')
			d->state = SMTP_DATA_DONE;
		else
			bare_cr(d, out, SPAN(" "));
		break;
	case SMTP_DATA_CR:
		if (c == '\n') {
			put(out, SPAN("\r\n"));
			d->is_past_first = true;
			d->state = SMTP_DATA_LINE;
		} else {
			bare_cr(d, out, SPAN(" "));
		}
		break;
	case SMTP_DATA_LF:
		d->state = is_dot ? SMTP_DATA_LF_DOT : SMTP_DATA_TEXT;
		break;
	case SMTP_DATA_LF_DOT:
		d->state = SMTP_DATA_TEXT;
		if (c == '\r')
			d->state = SMTP_DATA_LF_DOT_CR;
		else if (c == '\n')
			d->state = SMTP_DATA_LF;
		else
			put(out, SPAN("."));
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

static void take_text_byte(struct smtp_data *d, char c, struct piece *out)
{
	if (c == '\r')
		d->state = SMTP_DATA_CR;
	else if (c == '\n')
		lone_lf(d, out);
	else
		out->bytes[out->len++] = c;
}

/* Any bytes, at most ROUGH; up to the end of the content. */
static size_t take_rough(struct smtp_data *d, struct span s, struct buf *out)
{
	struct piece piece;
	size_t i = 0;

	piece.len = 0;
	for (; i < s.len && d->state != SMTP_DATA_DONE; i++) {
		if (!take_byte(d, s.ptr[i], &piece))
			take_text_byte(d, s.ptr[i], &piece);
	}
	emit(d, out, span_make(piece.bytes, piece.len));
	return i;
}

size_t smtp_data_feed(struct smtp_data *d, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.len && d->state != SMTP_DATA_DONE) {
		struct span rest = span_from(in, i);
		size_t used = 0;

		if (d->state == SMTP_DATA_TEXT)
			used = take_text(d, span_first(rest, WINDOW), out);
		if (used == 0)
			used = take_rough(d, span_first(rest, ROUGH), out);
		i += used;
	}
	return i;
}

void smtp_data_end(struct smtp_data *d, struct buf *out)
{
	struct piece piece;

	piece.len = 0;
	if (d->state == SMTP_DATA_CR)
		bare_cr(d, &piece, SPAN(" "));
	if (d->state == SMTP_DATA_TEXT)
		put(&piece, SPAN("\r\n"));
	emit(d, out, span_make(piece.bytes, piece.len));
	d->state = SMTP_DATA_DONE;
}
