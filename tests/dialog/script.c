/* See script.h. */
#include "script.h"

#include <base/buf.h>

#include <stdio.h>
#include <stdlib.h>

const char *const transport_names[TRANSPORTS] = { "plain", "starttls", "tls" };

static void die(const struct script *s, unsigned line, const char *what)
{
	(void)fprintf(stderr, "%s:%u: %s\n", s->path, line, what);
	exit(EXIT_FAILURE);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* "\{100:text}": how much of in it took, or 0. */
static size_t repeat(struct span in, struct buf *out)
{
	ptrdiff_t colon = span_index(in, ':'), end = span_index(in, '}');
	unsigned long long n;

	if (colon < 3 || end < colon ||
	    !span_parse_u64(
		span_from(span_first(in, (size_t)colon), 2), 1u << 30, &n))
		return 0;
	struct span text =
	    span_from(span_first(in, (size_t)end), (size_t)colon + 1);
	while (n-- > 0)
		(void)buf_add_span(out, text);
	return (size_t)end + 1;
}

static size_t escape(struct span in, struct buf *out)
{
	static const char from[] = "rn0t\\", to[] = "\r\n\0\t\\";
	const char *p;

	if (in.len < 2)
		return 0;
	if (in.ptr[1] == '{')
		return repeat(in, out);
	if (in.ptr[1] == 'x' && in.len >= 4 && hex(in.ptr[2]) >= 0 &&
	    hex(in.ptr[3]) >= 0) {
		char c = (char)(hex(in.ptr[2]) * 16 + hex(in.ptr[3]));
		(void)buf_add(out, &c, 1);
		return 4;
	}
	p = memchr(from, in.ptr[1], sizeof(from) - 1);
	if (!p)
		return 0;
	(void)buf_add(out, to + (p - from), 1);
	return 2;
}

static void unescape(
    const struct script *s, unsigned line, struct span in, struct buf *out)
{
	while (in.len > 0) {
		size_t used = 1;

		if (in.ptr[0] == '\\')
			used = escape(in, out);
		else
			(void)buf_add(out, in.ptr, 1);
		if (used == 0)
			die(s, line, "bad escape");
		in = span_from(in, used);
	}
}

static void add(struct script *s, const struct step *like, struct buf *data)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->steps = realloc(s->steps, s->cap * sizeof(*s->steps));
		if (!s->steps)
			abort();
	}
	struct step *step = &s->steps[s->count++];
	*step = *like;
	step->len = buf_len(data);
	step->data = buf_take_cstr(data);
}

/* Takes "[tls starttls] " off the front of text. */
static unsigned parse_transports(
    const struct script *s, unsigned line, struct span *text)
{
	unsigned bits = 0;

	if (!span_starts_with(*text, SPAN("[")))
		return 0;
	struct span names = span_cut(text, ']');
	names = span_from(names, 1);
	*text = span_from(*text, 1);
	while (names.ptr) {
		struct span name = span_cut(&names, ' ');
		unsigned before = bits;

		for (unsigned i = 0; i < TRANSPORTS; i++)
			if (span_eq(name, span_of(transport_names[i])))
				bits |= 1U << i;
		if (bits == before)
			die(s, line, "not a transport");
	}
	return bits;
}

static void parse_line(struct script *s, unsigned line, struct span text)
{
	static const struct {
		const char *prefix;
		enum step_kind kind;
	} rows[] = {
		{ "#! ", STEP_SET },
		{ "C: ", STEP_SEND },
		{ "R: ", STEP_SEND },
		{ "S: ", STEP_EXPECT },
		{ "S+: ", STEP_EXPECT_REPLY },
		{ "TLS", STEP_TLS },
		{ "EOF", STEP_EOF },
		{ "LEAVE", STEP_LEAVE },
		{ "RESET", STEP_RESET },
		{ "CLOSE", STEP_CLOSE },
		{ "WAIT", STEP_WAIT },
		{ "B: ", STEP_BODY },
		{ "E: ", STEP_ENVELOPE },
		{ "H: ", STEP_HEADER },
		{ "L: ", STEP_LOG },
		{ "N: ", STEP_NOT_LOGGED },
	};
	struct buf data;
	struct step step = { .line = line };
	bool is_set = span_starts_with(text, SPAN("#!"));

	if (text.len == 0 || (text.ptr[0] == '#' && !is_set))
		return;
	buf_init(&data, 256 * 1024 * 1024);
	step.transports = parse_transports(s, line, &text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span prefix = span_of(rows[i].prefix);

		/* "C:" and "B:" alone are empty lines. */
		if (!span_starts_with(text, prefix) &&
		    !(prefix.ptr[1] == ':' && text.len == 2 &&
			text.ptr[0] == prefix.ptr[0] && text.ptr[1] == ':'))
			continue;
		text = span_from(text, prefix.len);
		if (prefix.ptr[0] == 'R')
			unescape(s, line, text, &data);
		else
			(void)buf_add_span(&data, text);
		if (prefix.ptr[0] == 'C')
			(void)buf_add_str(&data, "\r\n");
		step.kind = rows[i].kind;
		add(s, &step, &data);
		return;
	}
	die(s, line, "a line of no known kind");
}

void script_read(struct script *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	unsigned line = 0;
	ssize_t len;

	*s = (struct script){ .path = path };
	if (!f)
		die(s, 0, "cannot be read");
	while ((len = getline(&text, &size, f)) >= 0) {
		if (len > 0 && text[len - 1] == '\n')
			len--;
		parse_line(s, ++line, span_make(text, (size_t)len));
	}
	free(text);
	(void)fclose(f);
}

void script_finish(struct script *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->steps[i].data);
	free(s->steps);
}
