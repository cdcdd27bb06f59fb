#include <mail/mime_scan.h>

#include <postern/provider.h>

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

/* What is open. */
enum kind {
	KIND_OTHER = 0,
	KIND_ALTERNATIVE,
	KIND_RELATED,
	KIND_DIGEST,
	KIND_MESSAGE
};

enum field {
	FIELD_OTHER = 0,
	FIELD_TYPE,
	FIELD_DISPOSITION
};

static void enter(struct mime_scan *s, uint64_t name, enum kind kind)
{
	if (s->depth < MIME_SCAN_DEPTH_MAX) {
		s->open[s->depth] = name;
		s->kinds[s->depth] = (char)kind;
	}
	s->depth++;
	if (s->depth > s->deepest)
		s->deepest = s->depth;
}

static size_t known_depth(const struct mime_scan *s)
{
	return s->depth < MIME_SCAN_DEPTH_MAX ? s->depth : MIME_SCAN_DEPTH_MAX;
}

static bool is_within(const struct mime_scan *s, enum kind kind)
{
	return memchr(s->kinds, (int)kind, known_depth(s));
}

static bool is_directly_in(const struct mime_scan *s, enum kind kind)
{
	return s->depth > 0 && s->depth <= MIME_SCAN_DEPTH_MAX &&
	       s->kinds[s->depth - 1] == (char)kind;
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

/* "type/subtype", without what follows. */
static struct span media_of(struct span type)
{
	size_t len = 0;

	while (len < type.len && !strchr("; \t\r\n(", type.ptr[len]))
		len++;
	return span_first(type, len);
}

static bool has_text(struct span type, struct span text)
{
	return span_ifind(type, text) >= 0;
}

/* --- what not everybody carries --- */

/* S/MIME in one piece; as a part of something else it is a file. */
static unsigned traits_of_smime(const struct mime_scan *s, struct span type)
{
	if (s->depth > 0)
		return 0;
	return has_text(type, SPAN("signed-data")) ||
		       has_text(type, SPAN("certs-only"))
		   ? POSTERN_CARRIES_SIGNED
		   : POSTERN_CARRIES_ENCRYPTED;
}

static unsigned traits_of_text(
    const struct mime_scan *s, struct span type, struct span media)
{
	struct span how = span_make(s->disposition, s->disposition_len);
	bool is_file = span_istarts_with(span_trim(how), SPAN("attachment"));

	if (span_ieq(media, SPAN("text/calendar")))
		return !is_file || has_text(type, SPAN("method="))
			   ? POSTERN_CARRIES_CALENDAR
			   : 0;
	if (is_file || span_ieq(media, SPAN("text/plain")) ||
	    span_ieq(media, SPAN("text/html")) ||
	    !is_directly_in(s, KIND_ALTERNATIVE))
		return 0;
	return POSTERN_CARRIES_ALTERNATIVES;
}

static unsigned traits_of_multipart(struct span media)
{
	if (span_ieq(media, SPAN("multipart/signed")))
		return POSTERN_CARRIES_SIGNED;
	if (span_ieq(media, SPAN("multipart/encrypted")))
		return POSTERN_CARRIES_ENCRYPTED;
	if (span_ieq(media, SPAN("multipart/report")))
		return POSTERN_CARRIES_REPORTS;
	return 0;
}

static bool is_message(struct span media)
{
	return span_ieq(media, SPAN("message/rfc822")) ||
	       span_ieq(media, SPAN("message/global"));
}

static bool is_shown(const struct mime_scan *s)
{
	struct span how = span_make(s->disposition, s->disposition_len);

	return s->has_content_id &&
	       (is_within(s, KIND_RELATED) ||
		   span_istarts_with(span_trim(how), SPAN("inline")));
}

static unsigned traits_of_part(
    const struct mime_scan *s, struct span type, struct span media)
{
	if (span_istarts_with(media, SPAN("multipart/")))
		return traits_of_multipart(media);
	if (is_message(media))
		return POSTERN_CARRIES_NESTED;
	if (span_istarts_with(media, SPAN("message/")))
		return POSTERN_CARRIES_REPORTS;
	if (span_istarts_with(media, SPAN("text/")))
		return traits_of_text(s, type, media);
	if (span_ieq(media, SPAN("application/pkcs7-mime")) ||
	    span_ieq(media, SPAN("application/x-pkcs7-mime")))
		return traits_of_smime(s, type);
	return is_shown(s) ? POSTERN_CARRIES_INLINE : 0;
}

/* --- headers of parts --- */

static void begin_header(struct mime_scan *s)
{
	s->type_len = s->disposition_len = 0;
	s->has_content_id = false;
	s->field = FIELD_OTHER;
	s->is_body = false;
}

static enum kind kind_of(struct span media)
{
	if (span_ieq(media, SPAN("multipart/alternative")))
		return KIND_ALTERNATIVE;
	if (span_ieq(media, SPAN("multipart/related")))
		return KIND_RELATED;
	if (span_ieq(media, SPAN("multipart/digest")))
		return KIND_DIGEST;
	return KIND_OTHER;
}

/* The header is complete: what does the body hold? */
static void begin_body(struct mime_scan *s)
{
	struct span type = span_trim(span_make(s->type, s->type_len));
	struct span media = media_of(type), boundary;

	if (media.len == 0 && is_directly_in(s, KIND_DIGEST))
		media = SPAN("message/rfc822"); /* RFC 2046 5.1.5 */
	/* What is in a message that is a part of this one goes with it. */
	if (!is_within(s, KIND_MESSAGE))
		s->traits |= traits_of_part(s, type, media);
	if (is_message(media)) {
		enter(s, 0, KIND_MESSAGE);
		s->parts++;
		begin_header(s);
		return;
	}
	s->is_body = true;
	if (!span_istarts_with(media, SPAN("multipart/")))
		return;
	boundary = boundary_of(type);
	if (boundary.len > 0)
		enter(s, name_of(boundary), kind_of(media));
}

/* Keep as much of text as there is room for. */
static void add(char *to, size_t *len, size_t size, struct span text)
{
	text = span_first(text, size - *len);
	memcpy(to + *len, text.ptr, text.len);
	*len += text.len;
}

static void add_to_field(struct mime_scan *s, struct span text)
{
	if (s->field == FIELD_TYPE)
		add(s->type, &s->type_len, sizeof(s->type), text);
	else if (s->field == FIELD_DISPOSITION)
		add(s->disposition, &s->disposition_len, sizeof(s->disposition),
		    span_trim(text));
}

/* --- lines --- */

/* The innermost open part that the rest of a line behind "--" names. */
static bool find_open(
    const struct mime_scan *s, struct span rest, size_t *out_at)
{
	uint64_t name = name_of(rest);
	size_t at = known_depth(s);

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
		begin_header(s);
	} else if (rest.len > 2 &&
		   span_eq(span_from(rest, rest.len - 2), SPAN("--")) &&
		   find_open(s, span_first(rest, rest.len - 2), &at)) {
		s->depth = at - 1;
		s->is_body = true;
	} else {
		return false;
	}
	return true;
}

/* The first of a name counts. */
static enum field field_of(const struct mime_scan *s, struct span name)
{
	if (span_ieq(name, SPAN("Content-Type")) && s->type_len == 0)
		return FIELD_TYPE;
	if (span_ieq(name, SPAN("Content-Disposition")) &&
	    s->disposition_len == 0)
		return FIELD_DISPOSITION;
	return FIELD_OTHER;
}

static void take_field_line(struct mime_scan *s, struct span line)
{
	if (span_starts_with(line, SPAN(" ")) ||
	    span_starts_with(line, SPAN("\t"))) {
		add_to_field(s, line);
		return;
	}
	struct span value = line, name = span_cut(&value, ':');

	s->field = (int)field_of(s, name);
	s->has_content_id |= span_ieq(name, SPAN("Content-ID"));
	add_to_field(s, value);
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

void mime_scan_feed(struct mime_scan *s, struct span bytes)
{
	while (bytes.len > 0) {
		const char *lf = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = lf ? (size_t)(lf - bytes.ptr) + 1 : bytes.len;

		if (s->is_body && s->line_len == 0 && bytes.ptr[0] != '-')
			s->is_passing = true;
		if (!s->is_passing)
			add(s->line, &s->line_len, sizeof(s->line),
			    span_first(bytes, len));
		if (lf && !s->is_passing)
			take_line(s, span_make(s->line, s->line_len));
		if (lf) {
			s->line_len = 0;
			s->is_passing = false;
		}
		bytes = span_from(bytes, len);
	}
}
