#include <mail/mime_scan.h>

/* FNV-1a; 0 is kept for what has no boundary. Who makes two boundaries
 * collide miscounts his own parts. */
static uint64_t name_of(struct span boundary)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < boundary.len; i++) {
		hash ^= (unsigned char)boundary.ptr[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return hash ? hash : 1;
}

static void enter(struct mime_scan *s, uint64_t name)
{
	if (s->depth < MIME_SCAN_DEPTH_MAX)
		s->open[s->depth] = name;
	s->depth++;
	if (s->depth > s->deepest)
		s->deepest = s->depth;
}

/* --- Content-Type --- */

/* The value of boundary=, quoted or not; empty when there is none. */
static struct span boundary_of(struct span type)
{
	ptrdiff_t at = span_ifind(type, SPAN("boundary="));
	struct span value = span_from(type, (size_t)at + strlen("boundary="));
	size_t len = 0;

	if (at < 0)
		return SPAN("");
	if (span_starts_with(value, SPAN("\""))) {
		value = span_from(value, 1);
		return span_cut(&value, '"');
	}
	while (len < value.len && !strchr("; \t\r\n", value.ptr[len]))
		len++;
	return span_first(value, len);
}

/* The header is complete: what does the body hold? */
static void begin_body(struct mime_scan *s)
{
	struct span type = span_trim(span_make(s->type, s->type_len));
	struct span boundary = boundary_of(type);

	s->type_len = 0;
	s->is_type = false;
	s->is_body = true;
	if (span_istarts_with(type, SPAN("multipart/")) && boundary.len > 0) {
		enter(s, name_of(boundary));
	} else if (span_istarts_with(type, SPAN("message/rfc822")) ||
		   span_istarts_with(type, SPAN("message/global"))) {
		enter(s, 0);
		s->parts++;
		s->is_body = false;
	}
}

static void add_type(struct mime_scan *s, struct span text)
{
	size_t room = sizeof(s->type) - s->type_len;

	text = span_first(text, room);
	memcpy(s->type + s->type_len, text.ptr, text.len);
	s->type_len += text.len;
}

/* --- lines --- */

/* The innermost open part that the rest of a line behind "--" names. */
static bool find_open(
    const struct mime_scan *s, struct span rest, size_t *out_at)
{
	uint64_t name = name_of(rest);
	size_t at =
	    s->depth < MIME_SCAN_DEPTH_MAX ? s->depth : MIME_SCAN_DEPTH_MAX;

	while (at > 0 && s->open[at - 1] != name)
		at--;
	*out_at = at;
	return at > 0;
}

static bool take_boundary(struct mime_scan *s, struct span line)
{
	struct span rest = span_trim(span_from(line, 2));
	size_t at;

	if (!span_starts_with(line, SPAN("--")) || s->depth == 0)
		return false;
	if (find_open(s, rest, &at)) {
		s->depth = at;
		s->parts++;
		s->is_body = false;
	} else if (rest.len > 2 &&
		   span_eq(span_from(rest, rest.len - 2), SPAN("--")) &&
		   find_open(s, span_first(rest, rest.len - 2), &at)) {
		s->depth = at - 1;
		s->is_body = true;
	} else {
		return false;
	}
	s->type_len = 0;
	s->is_type = false;
	return true;
}

static void take_field_line(struct mime_scan *s, struct span line)
{
	static const char name[] = "content-type:";

	if (span_starts_with(line, SPAN(" ")) ||
	    span_starts_with(line, SPAN("\t"))) {
		if (s->is_type)
			add_type(s, line);
		return;
	}
	s->is_type = s->type_len == 0 && span_istarts_with(line, span_of(name));
	if (s->is_type)
		add_type(s, span_from(line, strlen(name)));
}

static void take_line(struct mime_scan *s, struct span line)
{
	if (take_boundary(s, line) || s->is_body)
		return;
	if (span_trim(line).len == 0)
		begin_body(s);
	else
		take_field_line(s, line);
}

static void keep(struct mime_scan *s, struct span part)
{
	size_t room = sizeof(s->line) - s->line_len;

	part = span_first(part, room);
	memcpy(s->line + s->line_len, part.ptr, part.len);
	s->line_len += part.len;
}

void mime_scan_feed(struct mime_scan *s, struct span bytes)
{
	while (bytes.len > 0) {
		const char *lf = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = lf ? (size_t)(lf - bytes.ptr) + 1 : bytes.len;

		if (s->is_body && s->line_len == 0 && bytes.ptr[0] != '-')
			s->is_passing = true;
		if (!s->is_passing)
			keep(s, span_first(bytes, len));
		if (lf && !s->is_passing)
			take_line(s, span_make(s->line, s->line_len));
		if (lf) {
			s->line_len = 0;
			s->is_passing = false;
		}
		bytes = span_from(bytes, len);
	}
}
