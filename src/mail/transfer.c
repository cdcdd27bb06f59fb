/* A soft line break may come before any character, so no word is looked for. */
#include <mail/transfer.h>

#include <base/b64.h>

#include <string.h>

enum {
	QUOTED_LINE = 75, /* before the = of a soft line break */
	ESCAPED = 3       /* =XX */
};

static void put(char *out, size_t *len, const char *text, size_t text_len)
{
	memcpy(out + *len, text, text_len);
	*len += text_len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* At the start of a line: of a boundary, or the end of all in SMTP. */
static bool is_conspicuous(char c)
{
	return c == '-' || c == '.';
}

/* Within a line, where nothing that follows matters. */
static bool is_plain(char c)
{
	return (c > ' ' && c < 0x7f && c != '=') || is_blank(c);
}

/*
 * How many characters go as they are, most of all there is. Of blanks before
 * the end of a line, or of what is known, the last is not among them.
 */
static size_t plain_run(struct span in, size_t column)
{
	size_t max = QUOTED_LINE - column, len = 0;

	if (column == 0 && in.len > 0 && is_conspicuous(in.ptr[0]))
		return 0;
	max = max < in.len ? max : in.len;
	while (len < max && is_plain(in.ptr[len]))
		len++;
	if (len > 0 && is_blank(in.ptr[len - 1]) &&
	    (len == in.len || in.ptr[len] == '\r'))
		len--;
	return len;
}

/* One character; is_end: of the line, or of all. */
static void put_quoted(
    char c, bool is_end, size_t *column, char *out, size_t *len)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char byte = (unsigned char)c;
	bool is_escaped = !is_plain(c) || (is_blank(c) && is_end);
	size_t width = is_escaped ? ESCAPED : 1;

	if (*column + width > QUOTED_LINE) {
		put(out, len, "=\r\n", 3);
		*column = 0;
	}
	if (*column == 0 && is_conspicuous(c))
		is_escaped = true;
	if (is_escaped) {
		char triple[] = { '=', digits[byte >> 4], digits[byte & 15] };
		put(out, len, triple, ESCAPED);
	} else {
		put(out, len, &c, 1);
	}
	*column += is_escaped ? ESCAPED : 1;
}

size_t transfer_quoted(
    struct span in, bool is_last, size_t *column, char *out, size_t *out_len)
{
	size_t i = 0;

	for (; i < in.len; i++) {
		size_t run = plain_run(span_from(in, i), *column);

		put(out, out_len, in.ptr + i, run);
		*column += run;
		i += run;
		if (i == in.len)
			break;

		char c = in.ptr[i];
		bool is_followed = i + 1 < in.len;

		if (!is_followed && !is_last && (c == '\r' || is_blank(c)))
			break;
		if (c == '\r' && is_followed && in.ptr[i + 1] == '\n') {
			put(out, out_len, "\r\n", 2);
			*column = 0;
			i++;
			continue;
		}
		put_quoted(c, !is_followed || in.ptr[i + 1] == '\r', column,
		    out, out_len);
	}
	return i;
}

size_t transfer_base64(struct span in, char *out)
{
	size_t len = 0;

	while (in.len > 0) {
		struct span line = span_first(in, TRANSFER_BASE64_IN);

		len += b64_encode(line.ptr, line.len, out + len);
		put(out, &len, "\r\n", 2);
		in = span_from(in, line.len);
	}
	return len;
}

uint64_t transfer_base64_size(uint64_t size)
{
	uint64_t lines = (size + TRANSFER_BASE64_IN - 1) / TRANSFER_BASE64_IN;

	return (size + 2) / 3 * 4 + 2 * lines;
}
