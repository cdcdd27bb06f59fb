/*
 * Looking at borrowed bytes: comparing, trimming, cutting, small numbers.
 * ASCII only and free of the locale, as the protocols define their words.
 */
#include <base/span.h>

#include <base/utf8.h>

#include <stdint.h>
#include <stdlib.h>

static unsigned char lower(char c)
{
	unsigned char byte = (unsigned char)c;
	return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool span_ieq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	}
	return true;
}

bool span_starts_with(struct span s, struct span prefix)
{
	return s.len >= prefix.len &&
	       span_eq(span_first(s, prefix.len), prefix);
}

bool span_istarts_with(struct span s, struct span prefix)
{
	return s.len >= prefix.len &&
	       span_ieq(span_first(s, prefix.len), prefix);
}

bool span_iends_with(struct span s, struct span suffix)
{
	return s.len >= suffix.len &&
	       span_ieq(span_from(s, s.len - suffix.len), suffix);
}

struct span span_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

ptrdiff_t span_index(struct span s, char c)
{
	const char *found = s.len ? memchr(s.ptr, c, s.len) : NULL;
	return found ? found - s.ptr : -1;
}

ptrdiff_t span_rindex(struct span s, char c)
{
	const char *found = s.len ? memrchr(s.ptr, c, s.len) : NULL;
	return found ? found - s.ptr : -1;
}

ptrdiff_t span_ifind(struct span s, struct span word)
{
	for (size_t i = 0; i + word.len <= s.len; i++) {
		if (span_istarts_with(span_from(s, i), word))
			return (ptrdiff_t)i;
	}
	return -1;
}

struct span span_cut(struct span *rest, char sep)
{
	struct span part = *rest;
	ptrdiff_t at = span_index(part, sep);

	if (at < 0) {
		*rest = span_make(NULL, 0);
		return part;
	}
	*rest = span_from(part, (size_t)at + 1);
	part.len = (size_t)at;
	return part;
}

bool span_parse_u64(
    struct span s, unsigned long long max, unsigned long long *out)
{
	unsigned long long value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		unsigned digit = (unsigned)(s.ptr[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

char *span_dup(struct span s)
{
	char *copy = malloc(s.len + 1);
	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool span_is_utf8(struct span s)
{
	uint32_t ignored;

	while (s.len > 0) {
		size_t len = utf8_decode(s, &ignored);
		if (len == 0)
			return false;
		s = span_from(s, len);
	}
	return true;
}

bool span_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] > 0x7f)
			return false;
	}
	return true;
}
