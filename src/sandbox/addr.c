/* See addr.h. */
#include <sandbox/addr.h>

enum {
	LOCAL_MAX = 64,
	DOMAIN_MAX = 255
};

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* RFC 5322 atext and the dot. */
static bool is_local_char(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_local(struct span s)
{
	if (s.len == 0 || s.len > LOCAL_MAX)
		return false;
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return span_is_ascii(s);
	if (s.ptr[0] == '.' || s.ptr[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_local_char(s.ptr[i]))
			return false;
	}
	return true;
}

static bool is_label(struct span s)
{
	if (s.len == 0 || s.len > 63 || s.ptr[0] == '-' ||
	    s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_')
			return false;
	}
	return true;
}

/* At least two labels: no provider delivers to a bare host. */
static bool is_domain(struct span s)
{
	size_t labels = 0;

	if (s.len > DOMAIN_MAX)
		return false;
	while (s.ptr) {
		if (!is_label(span_cut(&s, '.')))
			return false;
		labels++;
	}
	return labels >= 2;
}

/* Without a comment behind it: "a@b.example (Ann)". */
static struct span without_comment(struct span s)
{
	ptrdiff_t open = span_rindex(s, '(');

	if (s.len == 0 || s.ptr[s.len - 1] != ')' || open <= 0)
		return s;
	return span_trim(span_first(s, (size_t)open));
}

bool addr_parse(struct span text, struct span *out)
{
	struct span s = without_comment(span_trim(text));
	ptrdiff_t open = span_rindex(s, '<');

	if (s.len && s.ptr[s.len - 1] == '>' && open >= 0)
		s = span_make(s.ptr + open + 1, s.len - (size_t)open - 2);
	ptrdiff_t at = span_rindex(s, '@');
	if (at < 0 || !is_local(span_first(s, (size_t)at)) ||
	    !is_domain(span_from(s, (size_t)at + 1)))
		return false;
	*out = s;
	return true;
}

struct span addr_next(struct span *rest)
{
	bool is_quoted = false;
	struct span whole = *rest;

	for (size_t i = 0; i < whole.len; i++) {
		char c = whole.ptr[i];

		if (c == '\\' && is_quoted)
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (c == ',' && !is_quoted) {
			*rest = span_from(whole, i + 1);
			return span_first(whole, i);
		}
	}
	*rest = (struct span){ NULL, 0 };
	return whole;
}
