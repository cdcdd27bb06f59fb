/* Octet by octet: only leaves that are to be encoded anew are looked at. */
#include <mail/canonical.h>

enum {
	WINDOW = 8192 /* read at a time */
};

struct scan {
	/* Of base64. */
	uint64_t count; /* characters, the pads among them */
	unsigned pads;
	/* Of quoted-printable: what the last octet was. */
	enum {
		TEXT = 0,
		BLANK,
		EQUALS,
		DIGIT,
		BREAK
	} last;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool is_base64(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '+' || c == '/';
}

static bool take_base64(struct scan *s, char c)
{
	if (is_blank(c) || is_line_end(c))
		return true;
	s->count++;
	s->pads += c == '=';
	return c == '=' || (is_base64(c) && s->pads == 0);
}

static bool take_quoted(struct scan *s, char c)
{
	switch (s->last) {
	case EQUALS:
		s->last = c == '\r' ? BREAK : DIGIT;
		return c == '\r' || is_hex(c);
	case DIGIT:
		s->last = TEXT;
		return is_hex(c);
	case BREAK:
		s->last = TEXT;
		return c == '\n';
	case BLANK:
	case TEXT:
		break;
	}
	if (s->last == BLANK && is_line_end(c))
		return false;
	s->last = c == '=' ? EQUALS : is_blank(c) ? BLANK : TEXT;
	return true;
}

static bool take(
    struct scan *s, enum mime_leaf_encoding encoding, struct span in)
{
	bool (*take_one)(struct scan * s, char c) =
	    encoding == MIME_LEAF_BASE64 ? take_base64 : take_quoted;
	size_t i = 0;

	while (i < in.len && take_one(s, in.ptr[i]))
		i++;
	return i == in.len;
}

int canonical_check(const struct message *m, const struct mime_leaf *leaf)
{
	uint64_t offset = leaf->place.offset, left = leaf->place.length;
	struct scan s = { .count = 0 };
	char window[WINDOW];

	if (leaf->encoding == MIME_LEAF_PLAIN)
		return 1;
	while (left > 0) {
		size_t len = left < WINDOW ? (size_t)left : WINDOW;
		int rc = message_read_all(m, offset, window, len);

		if (rc < 0)
			return rc;
		if (!take(&s, leaf->encoding, span_make(window, len)))
			return 0;
		offset += len;
		left -= len;
	}
	return s.count % 4 == 0 && s.pads <= 2 && s.last == TEXT;
}
