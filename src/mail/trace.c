#include <mail/trace.h>

#include <base/netaddr.h>

#include <stdio.h>

enum {
	MARK_MAX = 300 /* a host name and the words around it */
};

bool trace_is_ours(struct span value, const char *hostname)
{
	char mark[MARK_MAX];
	int len = snprintf(mark, sizeof(mark), "by %s (Postern)", hostname);

	return len > 0 && (size_t)len < sizeof(mark) && value.len > 0 &&
	       memmem(value.ptr, value.len, mark, (size_t)len);
}

static bool is_private(const struct netaddr *a)
{
	static const struct network nets[] = {
		{ { NETADDR_V4, { 10 } }, 8 },
		{ { NETADDR_V4, { 172, 16 } }, 12 },
		{ { NETADDR_V4, { 192, 168 } }, 16 },
		{ { NETADDR_V4, { 169, 254 } }, 16 },
		{ { NETADDR_V6, { 0xfc } }, 7 },
		{ { NETADDR_V6, { 0xfe, 0x80 } }, 10 },
	};

	return netaddr_is_local(a) ||
	       network_list_has(nets, sizeof(nets) / sizeof(nets[0]), a);
}

bool trace_is_internal(struct span value)
{
	while (value.len > 0) {
		struct span literal;
		struct netaddr a;
		const char *open = memchr(value.ptr, '[', value.len);

		if (!open)
			return false;
		value = span_from(value, (size_t)(open - value.ptr) + 1);
		literal = span_first(value, NETADDR_TEXT_SIZE + 5);
		if (span_index(literal, ']') < 0)
			continue;
		literal = span_cut(&literal, ']');
		if (span_istarts_with(literal, SPAN("IPv6:")))
			literal = span_from(literal, 5);
		if (netaddr_parse(literal, &a) && is_private(&a))
			return true;
	}
	return false;
}
