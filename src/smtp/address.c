/*
 * Addresses. Each function takes a piece off the front of a span and returns
 * its length, 0 when it is not there.
 */
#include <smtp/address.h>

#include <arpa/inet.h>

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 5322 atext, and UTF-8 beyond ASCII. */
static bool is_atext(unsigned char c)
{
	return c >= 0x80 || is_alnum(c) ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static size_t dot_string(struct span s)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;

		while (i < s.len && is_atext((unsigned char)s.ptr[i]))
			i++;
		if (i == start)
			return 0;
		if (i == s.len || s.ptr[i] != '.')
			return i;
		i++;
	}
}

static size_t quoted_string(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == '"')
			return i + 1;
		if (c == '\\' && ++i < s.len)
			c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c == 0x7f)
			return 0;
	}
	return 0;
}

static size_t local_part(struct span s)
{
	size_t len;

	if (s.len > 0 && s.ptr[0] == '"')
		len = quoted_string(s);
	else
		len = dot_string(s);
	return len <= SMTP_LOCAL_MAX ? len : 0;
}

static bool is_label(struct span s)
{
	if (s.len == 0 || s.len > SMTP_LABEL_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool is_edge = i == 0 || i + 1 == s.len;

		if (c < 0x80 && !is_alnum(c) && (c != '-' || is_edge))
			return false;
	}
	return true;
}

static bool is_domain(struct span s)
{
	if (s.len == 0 || s.len > SMTP_DOMAIN_MAX)
		return false;
	while (s.ptr)
		if (!is_label(span_cut(&s, '.')))
			return false;
	return true;
}

/* [192.0.2.1] or [IPv6:2001:db8::1]. */
static bool is_literal(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[16];
	int family = AF_INET;

	if (s.len < 3 || s.ptr[0] != '[' || s.ptr[s.len - 1] != ']')
		return false;
	s = span_first(span_from(s, 1), s.len - 2);
	if (span_istarts_with(s, SPAN("IPv6:"))) {
		s = span_from(s, 5);
		family = AF_INET6;
	}
	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return strlen(text) == s.len && inet_pton(family, text, address) == 1;
}

enum smtp_address_result smtp_address_parse(
    struct span s, struct smtp_address *out)
{
	size_t len = local_part(s);
	struct smtp_address a = { .whole = s };

	if (len == 0 || len == s.len || s.ptr[len] != '@' || !span_is_utf8(s))
		return SMTP_ADDRESS_BAD;
	a.local = span_first(s, len);
	a.domain = span_from(s, len + 1);
	a.is_literal = is_literal(a.domain);
	a.is_utf8 = !span_is_ascii(s);
	if (s.len + 2 > SMTP_PATH_MAX)
		return SMTP_ADDRESS_BAD;
	if (!a.is_literal && !is_domain(a.domain))
		return SMTP_ADDRESS_BAD;
	*out = a;
	return SMTP_ADDRESS_OK;
}

/* Index of the ">" that ends a path; quoted strings may hold others. */
static size_t path_end(struct span s)
{
	bool is_quoted = false;

	for (size_t i = 1; i < s.len; i++) {
		if (is_quoted && s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (s.ptr[i] == '>' && !is_quoted)
			return i;
	}
	return 0;
}

/* "@a,@b:" is obsolete: accepted and ignored (RFC 5321 C). */
static bool skip_route(struct span *s)
{
	struct span route;

	if (s->len == 0 || s->ptr[0] != '@')
		return true;
	route = span_cut(s, ':');
	if (!s->ptr)
		return false;
	while (route.ptr) {
		struct span hop = span_cut(&route, ',');

		if (hop.len < 2 || hop.ptr[0] != '@' ||
		    !is_domain(span_from(hop, 1)))
			return false;
	}
	return true;
}

enum smtp_address_result smtp_address_parse_path(
    struct span s, struct smtp_address *out, struct span *out_rest)
{
	size_t end;
	struct span path, rest;

	if (s.len == 0 || s.ptr[0] != '<')
		return SMTP_ADDRESS_NO_PATH;
	end = path_end(s);
	if (end == 0)
		return SMTP_ADDRESS_BAD;
	path = span_first(span_from(s, 1), end - 1);
	rest = span_from(s, end + 1);
	if (rest.len > 0 && rest.ptr[0] != ' ')
		return SMTP_ADDRESS_BAD;
	if (path.len == 0) {
		*out = (struct smtp_address){
			.whole = path, .local = path, .domain = path
		};
	} else if (!skip_route(&path) ||
		   smtp_address_parse(path, out) != SMTP_ADDRESS_OK) {
		return SMTP_ADDRESS_BAD;
	}
	*out_rest = rest;
	return SMTP_ADDRESS_OK;
}

enum smtp_address_result smtp_address_parse_bare(
    struct span s, struct smtp_address *out, struct span *out_rest)
{
	size_t end = local_part(s); /* which may hold spaces in quotes */

	if (s.len == 0 || s.ptr[0] == ' ')
		return SMTP_ADDRESS_NO_PATH;
	while (end < s.len && s.ptr[end] != ' ')
		end++;
	*out_rest = span_from(s, end);
	return smtp_address_parse(span_first(s, end), out);
}

bool smtp_address_is_qualified(const struct smtp_address *a)
{
	return a->is_literal || span_index(a->domain, '.') >= 0;
}
