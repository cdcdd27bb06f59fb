/* Text operations on URLs the configuration has checked already. */
#include <common/url.h>

#include <common/text.h>

const char *url_join(const struct postern_host *host, struct postern_request *r,
    const char *base, const char *path)
{
	struct postern_str start = str_of(base);
	struct text t;

	while (start.len > 0 && start.ptr[start.len - 1] == '/')
		start.len--;
	text_init(&t, host, r);
	text_add(&t, start);
	text_add_cstr(&t, path);
	return text_finish(&t);
}

static const char *authority(const char *url)
{
	const char *start = strstr(url, "://");

	return start ? start + 3 : url;
}

struct postern_str url_host(const char *url)
{
	const char *start = authority(url);
	struct postern_str host = str_make(start, strcspn(start, "/?#"));
	const char *at = memchr(host.ptr, '@', host.len);
	struct postern_str port = STR(":443");

	if (at)
		host = str_from(host, (size_t)(at - host.ptr) + 1);
	if (str_istarts(str_of(url), STR("http:")))
		port = STR(":80");
	/* The default port is not sent. */
	if (host.len > port.len &&
	    str_ieq(str_from(host, host.len - port.len), port))
		host.len -= port.len;
	return host;
}

const char *url_path(const char *url)
{
	const char *path = strchr(authority(url), '/');

	return path ? path : "/";
}
