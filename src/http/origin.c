/* The server a URL names: what must be looked up and pinned. Pure. */
#include <http/http_internal.h>

#include <errno.h>
#include <string.h>

enum {
	HOST_MAX = 255,
	PORT_MAX = 65535
};

/* ":8080" or nothing; 0 when it is neither. */
static unsigned parse_port(struct span text, unsigned preset)
{
	unsigned long long port = 0;

	if (text.len == 0)
		return preset;
	if (text.ptr[0] != ':' ||
	    !span_parse_u64(span_from(text, 1), PORT_MAX, &port))
		return 0;
	return (unsigned)port;
}

/* What follows "scheme://", up to the path. */
static int parse_authority(
    const char *text, unsigned preset, struct origin *out)
{
	struct span all = span_make(text, strcspn(text, "/?#"));
	struct span host = span_from(all, (size_t)(span_rindex(all, '@') + 1));
	struct span port;
	ptrdiff_t end;

	if (host.len > 0 && host.ptr[0] == '[') {
		end = span_index(host, ']');
		if (end < 0)
			return -EINVAL;
		port = span_from(host, (size_t)end + 1);
		host = span_make(host.ptr + 1, (size_t)end - 1);
	} else {
		end = span_index(host, ':');
		port = span_from(host, end < 0 ? host.len : (size_t)end);
		host = span_first(host, host.len - port.len);
	}
	struct origin found = { host, parse_port(port, preset) };
	if (host.len == 0 || host.len > HOST_MAX || found.port == 0)
		return -EINVAL;
	*out = found;
	return 0;
}

int origin_parse_url(const char *url, struct origin *out)
{
	static const struct {
		const char *scheme;
		unsigned port;
	} known[] = {
		{ "https://", 443 },
		{ "http://", 80 },
		{ "smtp://", 587 },
		{ "smtps://", 465 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct span scheme = span_of(known[i].scheme);
		if (span_istarts_with(span_of(url), scheme))
			return parse_authority(
			    url + scheme.len, known[i].port, out);
	}
	return -EINVAL;
}

int origin_parse_proxy(const char *proxy, struct origin *out)
{
	const char *mark = strstr(proxy, "://");
	bool is_tls = span_istarts_with(span_of(proxy), SPAN("https://"));

	return parse_authority(
	    mark ? mark + 3 : proxy, is_tls ? 443 : 1080, out);
}

int origin_parse_peer(const struct http_options *o, const char *url,
    bool is_direct, struct origin *out)
{
	int rc = origin_parse_url(url, out);

	if (rc == 0 && o->proxy && !is_direct)
		rc = origin_parse_proxy(o->proxy, out);
	return rc;
}
