/*
 * Charset conversion by iconv(3), one unreadable byte at a time where it
 * stops. Names come from the message and are checked before iconv sees them,
 * for it gives a meaning to slashes and commas.
 */
#include <mail/charset.h>

#include <base/utf8.h>

#include <errno.h>
#include <iconv.h>
#include <stdint.h>

enum {
	NAME_MAX_LEN = 40,
	STEP = 4096 /* bytes of output reserved at a time */
};

static const struct span replacement = { "\xef\xbf\xbd", 3 };

int charset_clean_utf8(struct span text, struct buf *out)
{
	int rc = 0;

	while (rc == 0 && text.len > 0) {
		size_t good = 0, len = 0;
		uint32_t c = 0;
		while (good < text.len) {
			len = utf8_decode(span_from(text, good), &c);
			if (len == 0 || c == 0)
				break;
			good += len;
		}
		rc = buf_add(out, text.ptr, good);
		if (good == text.len)
			break;
		if (rc == 0 && len == 0)
			rc = buf_add_span(out, replacement);
		text = span_from(text, good + 1);
	}
	return rc;
}

static bool is_name(struct span s)
{
	if (s.len == 0 || s.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			  (c >= 'a' && c <= 'z') ||
			  (c != '\0' && strchr("-_.:+", c));
		if (!ok)
			return false;
	}
	return true;
}

/* False when the name is none that iconv knows. */
static bool open_converter(struct span charset, iconv_t *out)
{
	char name[NAME_MAX_LEN + 1];

	if (!is_name(charset))
		return false;
	memcpy(name, charset.ptr, charset.len);
	name[charset.len] = '\0';
	*out = iconv_open("UTF-8", name);
	return (intptr_t)*out != -1;
}

/* One step of iconv, as far as there is room; in is NULL at the end. */
static size_t step(iconv_t cd, char **in, size_t *left, struct buf *out)
{
	size_t room = STEP, result;
	char *tail = buf_tail(out);

	result = iconv(cd, in, left, &tail, &room);
	buf_commit(out, STEP - room);
	return result;
}

static int convert(iconv_t cd, struct span text, struct buf *out)
{
	/* iconv's prototype lacks the const; it does not write there. */
	size_t left = text.len;
	char *in;
	int rc;

	memcpy(&in, &text.ptr, sizeof(in));
	while (left > 0) {
		rc = buf_reserve(out, STEP);
		if (rc < 0)
			return rc;
		if (step(cd, &in, &left, out) != (size_t)-1)
			break;
		if (errno == E2BIG)
			continue;
		rc = buf_add_span(out, replacement);
		if (rc < 0)
			return rc;
		in++;
		left--;
	}
	/* It keeps a letter back to which an accent could come. */
	rc = buf_reserve(out, STEP);
	if (rc == 0)
		(void)step(cd, NULL, NULL, out);
	return rc;
}

/* Through a buffer of its own: NUL can appear only after the conversion. */
static int convert_and_clean(iconv_t cd, struct span text, struct buf *out)
{
	struct buf converted;
	int rc;

	buf_init(&converted, out->max);
	rc = convert(cd, text, &converted);
	if (rc == 0)
		rc = charset_clean_utf8(buf_span(&converted), out);
	buf_finish(&converted);
	return rc;
}

int charset_to_utf8(struct span text, struct span charset, struct buf *out)
{
	bool is_open = false;
	iconv_t cd;
	int rc;

	if (span_ieq(charset, SPAN("utf-8")) || span_ieq(charset, SPAN("utf8")))
		return charset_clean_utf8(text, out);
	if (charset.len > 0 && !span_ieq(charset, SPAN("us-ascii")))
		is_open = open_converter(charset, &cd);
	if (!is_open && !span_is_utf8(text))
		is_open = open_converter(SPAN("WINDOWS-1252"), &cd);
	if (!is_open)
		return charset_clean_utf8(text, out);
	rc = convert_and_clean(cd, text, out);
	(void)iconv_close(cd);
	return rc;
}
