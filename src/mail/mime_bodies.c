/*
 * The HTML is a sequence of segments. A text becomes one of them until HTML
 * comes in a later part of the same multipart/alternative: then the two are
 * forms of one thing. Beside each other in one part they are not.
 * Where nothing is marked as an alternative, a text before the first HTML is
 * taken for its other form, as programs mean it that confuse the two; a text
 * after it, such as the footer of a list, is not.
 */
#include <mail/mime_bodies.h>

#include <mail/charset.h>
#include <mail/mime.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* A byte of the message becomes three at most, and line breaks. */
	BODY_MAX = 4 * MIME_TEXT_MAX,
	JOINED_MAX = 8 * BODY_MAX,
	SEGMENTS_FIRST = 4
};

void mime_bodies_init(struct mime_bodies *b)
{
	*b = (struct mime_bodies){ .count = 0 };
	buf_init(&b->text, BODY_MAX);
	buf_init(&b->html, BODY_MAX);
}

void mime_bodies_finish(struct mime_bodies *b)
{
	buf_finish(&b->text);
	buf_finish(&b->html);
	free(b->segments);
	b->segments = NULL;
	b->count = b->cap = 0;
}

static int add_segment(
    struct mime_bodies *b, const struct mime_segment *segment)
{
	if (b->count == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : SEGMENTS_FIRST;
		struct mime_segment *grown =
		    realloc(b->segments, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		b->segments = grown;
		b->cap = cap;
	}
	b->segments[b->count++] = *segment;
	return 0;
}

/*
 * Texts that the HTML about to come is another form of: those in earlier parts
 * of an alternative it is within, not those that stand beside it in a part.
 */
static void drop_other_forms(
    struct mime_bodies *b, const struct mime_choice *in)
{
	for (size_t i = 0; i < b->count && !in && !b->has_html; i++)
		b->segments[i].is_dropped |=
		    !b->segments[i].is_html && b->segments[i].is_free;
	for (; in; in = in->outer) {
		for (size_t i = in->first; i < in->part; i++)
			b->segments[i].is_dropped |= !b->segments[i].is_html;
	}
}

/* Whether HTML was in an earlier part of an alternative. */
static bool has_other_form(
    const struct mime_bodies *b, const struct mime_choice *in)
{
	for (; in; in = in->outer) {
		for (size_t i = in->first; i < in->part; i++) {
			if (b->segments[i].is_html)
				return true;
		}
	}
	return false;
}

int mime_bodies_note(struct mime_bodies *b, bool is_html,
    const struct mime_choice *in, size_t offset)
{
	const struct buf *body = is_html ? &b->html : &b->text;
	struct mime_segment s = { .is_html = is_html,
		.is_free = !in,
		.offset = offset,
		.len = buf_len(body) - offset };
	int rc = 0;

	if (is_html)
		drop_other_forms(b, in);
	if (is_html || !has_other_form(b, in))
		rc = add_segment(b, &s);
	b->has_text = b->has_text || !is_html;
	b->has_html = b->has_html || is_html;
	return rc;
}

int mime_bodies_part(struct mime_bodies *b, bool is_html)
{
	struct buf *body = is_html ? &b->html : &b->text;
	struct span so_far = buf_span(body);

	if (so_far.len == 0 || so_far.ptr[so_far.len - 1] == '\n')
		return 0;
	return buf_add_str(body, "\r\n");
}

int mime_bodies_add_lines(
    struct mime_bodies *b, const struct mime_choice *in, struct span lines)
{
	int rc = mime_bodies_part(b, false);
	size_t before = buf_len(&b->text);

	while (rc == 0 && lines.len > 0) {
		bool is_last = !memchr(lines.ptr, '\n', lines.len);
		rc =
		    charset_to_utf8(span_cut(&lines, '\n'), SPAN(""), &b->text);
		if (rc == 0 && !is_last)
			rc = buf_add_str(&b->text, "\r\n");
	}
	return rc < 0 ? rc : mime_bodies_note(b, false, in, before);
}

static int add_escaped(struct buf *out, struct span text)
{
	int rc = 0;

	while (rc == 0 && text.len > 0) {
		size_t run = 0;
		while (run < text.len && text.ptr[run] != '<' &&
		       text.ptr[run] != '>' && text.ptr[run] != '&')
			run++;
		rc = buf_add(out, text.ptr, run);
		if (rc < 0 || run == text.len)
			break;
		rc = buf_add_str(out, text.ptr[run] == '<'   ? "&lt;"
				      : text.ptr[run] == '>' ? "&gt;"
							     : "&amp;");
		text = span_from(text, run + 1);
	}
	return rc;
}

static const char shown_begin[] = "<div style=\"white-space: pre-wrap\">";
static const char shown_end[] = "</div>\r\n";

static struct span content_of(
    const struct mime_bodies *b, const struct mime_segment *s)
{
	struct span from = buf_span(s->is_html ? &b->html : &b->text);

	return span_first(span_from(from, s->offset), s->len);
}

/* At most; so that the memory for all is asked for once. */
static size_t shown_length(
    const struct mime_bodies *b, const struct mime_segment *s)
{
	struct span content = content_of(b, s);
	size_t length = content.len + sizeof("\r\n");

	if (s->is_dropped)
		return 0;
	if (s->is_html)
		return length;
	for (size_t i = 0; i < content.len; i++) {
		if (content.ptr[i] == '&')
			length += sizeof("&amp;") - 2;
		else if (content.ptr[i] == '<' || content.ptr[i] == '>')
			length += sizeof("&lt;") - 2;
	}
	return length + sizeof(shown_begin) + sizeof(shown_end);
}

static int add_shown(
    struct buf *out, const struct mime_bodies *b, const struct mime_segment *s)
{
	struct span content = content_of(b, s);
	int rc;

	if (s->is_html)
		return buf_add_span(out, content);
	rc = buf_add_str(out, shown_begin);
	if (rc == 0)
		rc = add_escaped(out, content);
	return rc < 0 ? rc : buf_add_str(out, shown_end);
}

static int join(const struct mime_bodies *b, struct buf *joined)
{
	bool was_html = false;
	size_t length = 0;
	int rc;

	for (size_t i = 0; i < b->count; i++)
		length += shown_length(b, &b->segments[i]);
	rc = buf_reserve(joined, length);
	for (size_t i = 0; rc == 0 && i < b->count; i++) {
		const struct mime_segment *s = &b->segments[i];
		if (s->is_dropped)
			continue;
		if (was_html)
			rc = buf_add_str(joined, "\r\n");
		if (rc == 0)
			rc = add_shown(joined, b, s);
		was_html = s->is_html;
	}
	return rc;
}

int mime_bodies_join(struct mime_bodies *b)
{
	struct buf joined;
	bool is_mixed = false;
	int rc = 0;

	for (size_t i = 0; i < b->count; i++)
		is_mixed = is_mixed || !(b->segments[i].is_html ||
					   b->segments[i].is_dropped);
	if (b->has_html && is_mixed) {
		buf_init(&joined, JOINED_MAX);
		rc = join(b, &joined);
		buf_finish(rc < 0 ? &joined : &b->html);
		if (rc == 0)
			b->html = joined;
	}
	buf_fit(&b->text);
	buf_fit(&b->html);
	return rc;
}
