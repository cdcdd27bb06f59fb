/*
 * Escaping for JSON strings (RFC 8259 7). Works on one character at a time so
 * that a body can be escaped while it is sent; runs of plain text are copied
 * whole.
 */
#include <provider/json.h>

#include <base/utf8.h>

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Of each byte of v the top bit, where it is less than n (at most 0x80). */
static uint64_t less(uint64_t v, uint64_t n)
{
	return (v - EACH(n)) & ~v & EACH(0x80u);
}

/* Eight bytes at a time, as most of them are. */
size_t json_plain_run(struct span in)
{
	size_t run = 0;
	uint64_t v;

	for (; in.len - run >= sizeof(v); run += sizeof(v)) {
		memcpy(&v, in.ptr + run, sizeof(v));
		if ((v & EACH(0x80u)) | less(v, ' ') | less(v ^ EACH('"'), 1) |
		    less(v ^ EACH('\\'), 1))
			break;
	}
	while (run < in.len && is_plain((unsigned char)in.ptr[run]))
		run++;
	return run;
}

static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static size_t escape_ascii(unsigned char c, char out[JSON_UNIT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const char *escape = short_escape(c);

	if (is_plain(c)) {
		out[0] = (char)c;
		return 1;
	}
	if (escape) {
		out[0] = escape[0];
		out[1] = escape[1];
		return 2;
	}
	if (c == 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'u';
	out[2] = out[3] = '0';
	out[4] = digits[c >> 4];
	out[5] = digits[c & 15];
	return 6;
}

/* Bytes the character starting with c should have. */
static size_t expected_len(unsigned char c)
{
	if (c >= 0xf0)
		return 4;
	return c >= 0xe0 ? 3 : 2;
}

size_t json_escape_unit(
    struct span in, bool is_last, char out[JSON_UNIT_MAX], size_t *out_len)
{
	unsigned char c = (unsigned char)in.ptr[0];
	uint32_t value;
	size_t len;

	if (c < 0x80) {
		*out_len = escape_ascii(c, out);
		return 1;
	}
	len = utf8_decode(in, &value);
	if (len > 0) {
		memcpy(out, in.ptr, len);
		*out_len = len;
		return len;
	}
	if (!is_last && in.len < expected_len(c))
		return 0;
	out[0] = '\xef';
	out[1] = '\xbf';
	out[2] = '\xbd';
	*out_len = 3;
	return 1;
}

int json_escape(struct span text, struct buf *out)
{
	int rc = buf_reserve(out, text.len);

	while (rc == 0 && text.len > 0) {
		char unit[JSON_UNIT_MAX];
		size_t run = json_plain_run(text), len = 0, used;

		rc = buf_add(out, text.ptr, run);
		text = span_from(text, run);
		if (rc < 0 || text.len == 0)
			break;
		used = json_escape_unit(text, true, unit, &len);
		rc = buf_add(out, unit, len);
		text = span_from(text, used);
	}
	return rc;
}
