/*
 * Address text to listening socket. Not net/listener: this socket is one and
 * must fail when another process has the port, while listeners share theirs.
 */
#include <admin/httpd_bind.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <base/span.h>

enum {
	BACKLOG = 128
};

/* "host:port" apart; a host in brackets loses them. */
static bool split(struct span address, struct span *host, struct span *port)
{
	ptrdiff_t colon = span_rindex(address, ':');

	if (colon < 0)
		return false;
	*host = span_first(address, (size_t)colon);
	*port = span_from(address, (size_t)colon + 1);
	if (host->len >= 2 && host->ptr[0] == '[' &&
	    host->ptr[host->len - 1] == ']')
		*host = span_make(host->ptr + 1, host->len - 2);
	else if (span_index(*host, ':') >= 0)
		return false; /* IPv6 without brackets */
	return true;
}

static int resolve(const char *address, struct addrinfo **out, struct err *e)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct span host, port;
	unsigned long long number;
	char node[64], service[8];

	if (!split(span_of(address), &host, &port) ||
	    !span_parse_u64(port, 65535, &number) || host.len >= sizeof(node)) {
		(void)err_set(e, -EINVAL,
		    "\"%s\" is not an address with a port", address);
		return -EINVAL;
	}
	if (span_ieq(host, SPAN("localhost")))
		host = SPAN("127.0.0.1");
	(void)snprintf(node, sizeof(node), "%.*s", SPAN_FMT(host));
	(void)snprintf(service, sizeof(service), "%llu", number);
	int rc = getaddrinfo(host.len ? node : NULL, service, &hints, out);
	if (rc != 0) {
		(void)err_set(
		    e, -EINVAL, "\"%s\": %s", address, gai_strerror(rc));
		return -EINVAL;
	}
	return 0;
}

static int port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound;
	socklen_t len = sizeof(bound);

	memset(&bound, 0, sizeof(bound));
	if (getsockname(fd, &bound.any, &len) != 0)
		return -errno;
	return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port
						     : bound.v4.sin_port);
}

int httpd_bind(const char *address, int *out_port, struct err *e)
{
	struct addrinfo *info = NULL;
	const int on = 1;
	int rc = resolve(address, &info, e);

	if (rc)
		return rc;
	int fd = socket(info->ai_family,
	    info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG)) {
		rc = err_errno(e, -errno, "cannot listen on %s", address);
		goto out;
	}
	rc = port_of(fd);
	if (rc < 0) {
		(void)err_errno(e, rc, "cannot listen on %s", address);
		goto out;
	}
	*out_port = rc;
	rc = fd;
	fd = -1;
out:
	if (fd >= 0)
		(void)close(fd);
	freeaddrinfo(info);
	return rc;
}
