/* See name.h. Pure; any thread. */
#include <auth/name.h>

#define NOBODY "\x7f"

static bool is_name(struct span s)
{
	if (s.len == 0 || s.len > NAME_BYTES_MAX || !span_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

void name_canonical(struct span in, struct name *out)
{
	if (!is_name(in))
		in = SPAN(NOBODY);
	for (size_t i = 0; i < in.len; i++)
		out->text[i] = lower(in.ptr[i]);
	out->text[in.len] = '\0';
	out->len = in.len;
}

bool name_is_nobody(const struct name *n)
{
	return span_eq(span_make(n->text, n->len), SPAN(NOBODY));
}
