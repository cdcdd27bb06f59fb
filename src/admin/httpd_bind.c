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

#include <base/hostport.h>

enum {
	BACKLOG = 128
};

static int resolve(const char *address, struct addrinfo **out, struct err *e)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	const char *node = NULL;
	struct hostport hp;
	char service[8];

	if (!hostport_parse(span_of(address), &hp))
		return err_set(e, -EINVAL,
		    "\"%s\" is not an address with a port", address);
	if (*hp.host)
		node = span_ieq(span_of(hp.host), SPAN("localhost"))
			   ? "127.0.0.1"
			   : hp.host;
	(void)snprintf(service, sizeof(service), "%u", hp.port);
	int rc = getaddrinfo(node, service, &hints, out);
	if (rc != 0)
		return err_set(
		    e, -EINVAL, "\"%s\": %s", address, gai_strerror(rc));
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

	if (rc || !info)
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
