/* See mime_words.h. */
#include <mail/mime_words.h>

#include <base/b64.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* "=?charset?B?text?=" */
struct word {
	struct span charset, text;
	size_t len; /* of all of it */
};

/* Up to the first c; false when a space or the end comes before. */
static bool cut_to(struct span *rest, char c, struct span *out)
{
	ptrdiff_t at = span_index(*rest, c);

	if (at < 0)
		return false;
	*out = span_first(*rest, (size_t)at);
	*rest = span_from(*rest, (size_t)at + 1);
	return span_index(*out, ' ') < 0 && span_index(*out, '\t') < 0;
}

/* Without the padding, which some programs forget. */
static struct span unpadded(struct span text)
{
	while (text.len > 0 && text.ptr[text.len - 1] == '=')
		text.len--;
	return text;
}

/* Whether s begins with a word in base64. */
static bool is_word(struct span s, struct word *out)
{
	struct span rest = span_from(s, 2), kind;

	if (!span_starts_with(s, SPAN("=?")) ||
	    !cut_to(&rest, '?', &out->charset) || !cut_to(&rest, '?', &kind) ||
	    !span_ieq(kind, SPAN("B")) || !cut_to(&rest, '?', &out->text) ||
	    !span_starts_with(rest, SPAN("=")))
		return false;
	out->len = s.len - rest.len + 1;
	out->charset = span_cut(&out->charset, '*'); /* RFC 2231 5 */
	out->text = unpadded(out->text);
	return true;
}

/* Append what the word stands for; -EINVAL when that is nothing. */
static int add_bytes(const struct word *w, struct buf *out)
{
	struct buf padded;
	ptrdiff_t len = -1;
	int rc;

	buf_init(&padded, w->text.len + 4);
	rc = buf_add_span(&padded, w->text);
	while (rc == 0 && buf_len(&padded) % 4 != 0)
		rc = buf_add_str(&padded, "=");
	if (rc == 0)
		rc = buf_reserve(out, buf_len(&padded));
	if (rc == 0) {
		len = b64_decode(buf_span(&padded), buf_tail(out));
		if (len >= 0)
			buf_commit(out, (size_t)len);
		else
			rc = -EINVAL;
	}
	buf_finish(&padded);
	return rc;
}

static size_t space_length(struct span s)
{
	size_t len = 0;

	while (len < s.len && strchr(" \t\r\n", s.ptr[len]) && s.ptr[len])
		len++;
	return len;
}

/*
 * The bytes of the first word and of all that follow it in the same charset.
 * Sets *out_len to the length of the run, *out_count to its words.
 */
static int take_run(struct span s, const struct word *first, struct buf *bytes,
    size_t *out_len, size_t *out_count)
{
	struct word next = *first;
	size_t skipped = 0;
	int rc;

	*out_len = *out_count = 0;
	do {
		rc = add_bytes(&next, bytes);
		if (rc < 0)
			break;
		*out_len += skipped + next.len;
		++*out_count;
		skipped = space_length(span_from(s, *out_len));
	} while (is_word(span_from(s, *out_len + skipped), &next) &&
		 span_ieq(next.charset, first->charset));
	return rc == -EINVAL ? 0 : rc;
}

static int add_word(struct span charset, struct span bytes, struct buf *out)
{
	size_t len = b64_encoded_len(bytes.len);
	int rc = buf_add_str(out, "=?");

	if (rc == 0)
		rc = buf_add_span(out, charset);
	if (rc == 0)
		rc = buf_add_str(out, "?B?");
	if (rc == 0)
		rc = buf_reserve(out, len);
	if (rc < 0)
		return rc;
	(void)b64_encode(bytes.ptr, bytes.len, buf_tail(out));
	buf_commit(out, len);
	return buf_add_str(out, "?=");
}

/* A run, or a word alone as it is. Sets *out_len to what was taken of s. */
static int add_run(struct span s, const struct word *first, struct buf *out,
    size_t *out_len, bool *joined)
{
	struct buf bytes;
	size_t count;
	int rc;

	buf_init(&bytes, s.len + 4);
	rc = take_run(s, first, &bytes, out_len, &count);
	if (rc == 0 && count > 1) {
		*joined = true;
		rc = add_word(first->charset, buf_span(&bytes), out);
	} else if (rc == 0) {
		*out_len = first->len;
		rc = buf_add(out, s.ptr, first->len);
	}
	buf_finish(&bytes);
	return rc;
}

int mime_words_join(struct span value, struct buf *out)
{
	bool joined = false;
	struct word word;
	int rc = 0;

	while (rc == 0 && value.len > 0) {
		ptrdiff_t at = span_index(value, '=');
		size_t len = at < 0 ? value.len : at > 0 ? (size_t)at : 1;

		if (at == 0 && is_word(value, &word))
			rc = add_run(value, &word, out, &len, &joined);
		else
			rc = buf_add(out, value.ptr, len);
		value = span_from(value, len);
	}
	return rc < 0 ? rc : joined;
}
