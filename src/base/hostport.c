#include <base/hostport.h>

bool hostport_parse(struct span s, struct hostport *out)
{
	ptrdiff_t colon = span_rindex(s, ':');
	unsigned long long port;
	struct span host;

	if (colon < 0 ||
	    !span_parse_u64(span_from(s, (size_t)colon + 1), UINT16_MAX, &port))
		return false;
	host = span_first(s, (size_t)colon);
	out->is_bracketed =
	    host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	if (out->is_bracketed)
		host = span_first(span_from(host, 1), host.len - 2);
	else if (span_index(host, ':') >= 0 || span_index(host, '[') >= 0)
		return false;
	if (host.len >= sizeof(out->host) || memchr(host.ptr, 0, host.len))
		return false;
	memcpy(out->host, host.ptr, host.len);
	out->host[host.len] = '\0';
	out->port = (uint16_t)port;
	return true;
}

const char *hostport_unix_path(const char *address)
{
	struct span prefix = SPAN("unix:");

	return span_starts_with(span_of(address), prefix) ? address + prefix.len
							  : NULL;
}
