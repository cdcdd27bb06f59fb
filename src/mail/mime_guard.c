/*
 * Counts lines that could be boundaries and the header fields after them,
 * without deciding what the message means: where it is in doubt it takes a
 * line for a boundary and text for a header. A body in a file passes through a
 * window, which grows only to hold one header.
 */
#include <mail/mime_guard.h>

#include <mail/header.h>

#include <errno.h>

enum {
	BOUNDARY_LINES_MAX = 4096,
	FIELDS_MAX = 16384,
	HEADER_BYTES_MAX = 4 * 1024 * 1024,
	COLONS_MAX = 4000, /* in addresses: GMime recurses on nested groups */
	KNOWN_MAX = 64,    /* boundaries told apart; above, all lines count */
	KNOWN_BYTES = 72,  /* of one that are looked at */
	WINDOW = 64 * 1024 /* read at a time; no boundary line is as long */
};

/* How a boundary starts. */
struct known {
	char text[KNOWN_BYTES];
	size_t len;
};

struct guard {
	struct known known[KNOWN_MAX];
	size_t known_count;
	bool is_any;     /* every line starting with -- may be one */
	bool has_digest; /* parts without a type may be messages */
	bool is_message; /* another header follows the empty line */
	bool is_refused;
	size_t boundary_lines, fields, header_bytes;
};

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

static void know(struct guard *g, struct span boundary)
{
	struct known *k;

	if (boundary.len == 0 || g->known_count == KNOWN_MAX) {
		g->is_any = true;
		return;
	}
	k = &g->known[g->known_count++];
	k->len = span_first(boundary, KNOWN_BYTES).len;
	memcpy(k->text, boundary.ptr, k->len);
}

/*
 * What follows the word "boundary" in a Content-Type. Only the plain form is
 * told apart; comments, escapes and RFC 2231 make every line count.
 */
static void learn_value(struct guard *g, struct span rest)
{
	size_t len = 0;
	bool is_quoted;

	rest = span_trim(rest);
	if (!span_starts_with(rest, SPAN("="))) {
		g->is_any = true;
		return;
	}
	rest = span_trim(span_from(rest, 1));
	is_quoted = span_starts_with(rest, SPAN("\""));
	rest = span_from(rest, is_quoted ? 1 : 0);
	while (len < rest.len && !is_one_of(rest.ptr[len], "\"\\; \t\r\n("))
		len++;
	know(g, span_first(rest, len));
}

/* Cut *rest after the next occurrence of word in any case. */
static bool find_word(struct span *rest, struct span word)
{
	ptrdiff_t at = span_ifind(*rest, word);

	if (at < 0)
		return false;
	*rest = span_from(*rest, (size_t)at + word.len);
	return true;
}

static void learn_type(struct guard *g, struct span value)
{
	struct span type = span_trim(value), rest = value;

	/* A comment before the type hides it. */
	if (span_istarts_with(type, SPAN("message")) ||
	    span_starts_with(type, SPAN("(")))
		g->is_message = true;
	if (span_istarts_with(type, SPAN("multipart")) &&
	    find_word(&rest, SPAN("digest")))
		g->has_digest = true;
	rest = value;
	while (find_word(&rest, SPAN("boundary")))
		learn_value(g, rest);
}

static bool is_address_field(struct span name)
{
	static const char *const names[] = { "", "From", "To", "Cc", "Bcc",
		"Reply-To", "Sender" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(name, span_of(names[i])))
			return true;
	}
	return span_istarts_with(name, SPAN("Resent-"));
}

/*
 * Whether a comment may be left open, which makes GMime 3.2 lose the memory
 * of the address before it. A parenthesis in quotes is none; but only when
 * every quoted string starts an address is it sure that GMime sees the same
 * quotes.
 */
static bool has_open_comment(struct span value)
{
	size_t anywhere = 0, outside = 0; /* open, with and without quotes */
	bool is_quoted = false, is_sure = true;
	char before = ',';

	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '(') {
			anywhere++;
			outside += is_quoted ? 0 : 1;
		} else if (c == ')') {
			anywhere -= anywhere > 0 ? 1 : 0;
			outside -= !is_quoted && outside > 0 ? 1 : 0;
		} else if (c == '"') {
			if (!is_quoted && !is_one_of(before, ",:;"))
				is_sure = false;
			is_quoted = !is_quoted;
		} else if (c == '\\') {
			is_sure = false;
		}
		if (!is_one_of(c, " \t\r\n"))
			before = c;
	}
	return anywhere > 0 && (!is_sure || is_quoted || outside > 0);
}

static void check_address_field(struct guard *g, struct span value)
{
	size_t colons = 0;

	for (size_t i = 0; i < value.len; i++)
		colons += value.ptr[i] == ':' ? 1 : 0;
	if (colons > COLONS_MAX || has_open_comment(value))
		g->is_refused = true;
}

static bool is_boundary(const struct guard *g, struct span line)
{
	struct span text;

	if (!span_starts_with(line, SPAN("--")))
		return false;
	if (g->is_any)
		return true;
	text = span_from(line, 2);
	for (size_t i = 0; i < g->known_count; i++) {
		const struct known *k = &g->known[i];
		if (span_starts_with(text, span_make(k->text, k->len)))
			return true;
	}
	return false;
}

static bool is_too_much(const struct guard *g)
{
	return g->is_refused || g->boundary_lines > BOUNDARY_LINES_MAX ||
	       g->fields > FIELDS_MAX || g->header_bytes > HEADER_BYTES_MAX;
}

static void begin_part(struct guard *g)
{
	g->boundary_lines++;
	g->is_message = g->has_digest;
}

/* Fields up to the empty line, which is cut off as well. */
static void scan_header(struct guard *g, struct span *rest)
{
	struct message_field field;

	while (!is_too_much(g)) {
		if (is_boundary(g, *rest)) {
			(void)span_cut(rest, '\n');
			begin_part(g);
			continue;
		}
		if (!header_next(rest, &field))
			break;
		g->fields++;
		g->header_bytes += field.whole.len;
		if (span_istarts_with(
			span_trim(field.whole), SPAN("content-type")))
			learn_type(g, field.value);
		else if (is_address_field(field.name))
			check_address_field(g, field.value);
	}
	(void)span_cut(rest, '\n');
}

/* --- the body --- */

/* What of the body is looked at: all of it, when it is in memory. */
struct window {
	const struct message *m;
	struct buf bytes; /* of a body elsewhere */
	uint64_t next;    /* in the message, what was not read yet */
	struct span rest;
	int rc;
};

static bool is_all_read(const struct window *w)
{
	return w->next == message_size(w->m);
}

/* Read on, behind what is left. False at the end, or when that fails. */
static bool read_on(struct window *w)
{
	uint64_t left = message_size(w->m) - w->next;
	size_t len = left < WINDOW ? (size_t)left : WINDOW;

	if (left == 0 || w->rc < 0)
		return false;
	buf_consume(&w->bytes, buf_len(&w->bytes) - w->rest.len);
	w->rc = buf_reserve(&w->bytes, len);
	if (w->rc == 0)
		w->rc =
		    message_read_all(w->m, w->next, buf_tail(&w->bytes), len);
	if (w->rc < 0)
		return false;
	buf_commit(&w->bytes, len);
	w->next += len;
	w->rest = buf_span(&w->bytes);
	return true;
}

static void open_window(struct window *w, const struct message *m)
{
	*w = (struct window){ .m = m, .rest = message_body(m) };
	buf_init(&w->bytes, HEADER_BYTES_MAX + 2 * WINDOW);
	w->next = message_source(m) ? message_header(m).len : message_size(m);
	if (!w->rest.ptr)
		w->rest = SPAN("");
}

/* Length up to an empty line, or 0: there is none yet. */
static size_t find_end_of_header(struct span s)
{
	const char *at = s.ptr, *end = s.ptr + s.len;

	if (span_starts_with(s, SPAN("\n")) ||
	    span_starts_with(s, SPAN("\r\n")))
		return 1;
	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		struct span rest = span_make(at + 1, (size_t)(end - at) - 1);
		if (span_starts_with(rest, SPAN("\n")) ||
		    span_starts_with(rest, SPAN("\r\n")))
			return (size_t)(at + 1 - s.ptr);
		at++;
	}
	return 0;
}

/* Have a whole header in the window, or more than one may be. */
static void hold_header(struct window *w)
{
	while (!is_all_read(w) && w->rest.len <= HEADER_BYTES_MAX &&
	       find_end_of_header(w->rest) == 0 && read_on(w))
		;
}

/* Cut the line off; of one longer than the window, how it starts. */
static struct span cut_line(struct window *w)
{
	while (!is_all_read(w) && w->rest.len < WINDOW &&
	       !memchr(w->rest.ptr, '\n', w->rest.len) && read_on(w))
		;
	return span_cut(&w->rest, '\n');
}

/* Lines up to the next boundary. */
static void scan_body(struct guard *g, struct window *w)
{
	while (w->rest.len > 0 || read_on(w)) {
		struct span line = cut_line(w);
		if (is_boundary(g, line)) {
			begin_part(g);
			return;
		}
	}
}

static void scan_parts(struct guard *g, struct window *w)
{
	while ((w->rest.len > 0 || read_on(w)) && !is_too_much(g)) {
		if (g->is_message)
			g->is_message = false;
		else
			scan_body(g, w);
		hold_header(w);
		scan_header(g, &w->rest);
	}
}

int mime_guard_check(const struct message *m)
{
	struct guard g = { .is_any = false };
	struct span header = message_header(m);
	struct window w;

	open_window(&w, m);
	scan_header(&g, &header);
	scan_parts(&g, &w);
	buf_finish(&w.bytes);
	if (w.rc < 0)
		return w.rc;
	return is_too_much(&g) ? -E2BIG : 0;
}
