/*
 * Listening sockets. Accepting is done by hand under uv_poll: the worker gets
 * descriptors with the flags it wants, a bounded number per turn, and rests
 * for a moment when the process is out of descriptors, where an event loop
 * would otherwise spin on a socket that stays readable.
 */
#include <net/listener.h>

#include <base/list.h>
#include <base/log.h>
#include <loop/loop.h>
#include <net/conn.h>

#include <uv.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	ACCEPT_MAX = 64, /* per turn: others want the loop too */
	REST_MS = 100,
	HOST_SIZE = 256,
	PORT_SIZE = 8
};

struct listener {
	uv_poll_t poll;
	struct loop *loop;
	struct loop_timer rest;
	int fd;
	bool is_short; /* of descriptors; said once */
	void (*on_accept)(struct conn *c, void *ctx);
	void *ctx;
};

struct endpoint {
	char host[HOST_SIZE], port[PORT_SIZE];
	bool is_any; /* no host: both families on one socket */
};

static int parse_endpoint(const char *address, struct endpoint *out)
{
	struct span s = span_of(address), host;
	ptrdiff_t colon = span_rindex(s, ':');
	unsigned long long port;

	if (colon < 0)
		return -EINVAL;
	host = span_first(s, (size_t)colon);
	if (!span_parse_u64(span_from(s, (size_t)colon + 1), 65535, &port))
		return -EINVAL;
	out->is_any = host.len == 0;
	if (host.len > 1 && host.ptr[0] == '[') {
		if (host.ptr[host.len - 1] != ']')
			return -EINVAL;
		host = span_first(span_from(host, 1), host.len - 2);
	} else if (span_index(host, ':') >= 0) {
		return -EINVAL; /* IPv6 needs its brackets */
	}
	if (host.len >= sizeof(out->host) || (host.len == 0 && !out->is_any))
		return -EINVAL;
	if (!out->is_any)
		memcpy(out->host, host.ptr, host.len);
	out->host[host.len] = '\0';
	(void)snprintf(out->port, sizeof(out->port), "%llu", port);
	return 0;
}

/* Without a host: the IPv6 wildcard, which serves IPv4 too if it can. */
static int resolve(const struct endpoint *ep, struct addrinfo **out)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_family = ep->is_any ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	const char *host = ep->is_any ? NULL : ep->host;
	int rc = getaddrinfo(host, ep->port, &hints, out);

	if (rc != 0 && ep->is_any) {
		hints.ai_family = AF_INET;
		rc = getaddrinfo(host, ep->port, &hints, out);
	}
	return rc;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno
								      : 0;
}

static int set_options(int fd, int family, bool is_any)
{
	int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (rc == 0)
		rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0 && family == AF_INET6)
		rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any);
	return rc;
}

static int open_one(const struct sockaddr *sa, socklen_t len, bool is_any)
{
	int fd = socket(
	    sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = set_options(fd, sa->sa_family, is_any);
	if (rc == 0 && (bind(fd, sa, len) < 0 || listen(fd, BACKLOG) < 0))
		rc = -errno;
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

static void set_port(struct sockaddr *sa, int port)
{
	if (sa->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)sa)->sin6_port =
		    htons((uint16_t)port);
	else
		((struct sockaddr_in *)(void *)sa)->sin_port =
		    htons((uint16_t)port);
}

/* All or none. The port the kernel chose for the first is the others'. */
static int open_all(
    const struct addrinfo *ai, bool is_any, int *fds, unsigned count)
{
	int rc = 0;

	for (unsigned i = 0; i < count; i++) {
		fds[i] = open_one(ai->ai_addr, ai->ai_addrlen, is_any);
		rc = fds[i] < 0 ? fds[i] : listener_port(fds[i]);
		if (rc < 0) {
			while (i > 0)
				(void)close(fds[--i]);
			return rc;
		}
		set_port(ai->ai_addr, rc);
	}
	return 0;
}

int listener_open(const char *address, int *fds, unsigned count, struct err *e)
{
	struct endpoint ep;
	struct addrinfo *ai = NULL;

	if (parse_endpoint(address, &ep) < 0)
		return err_set(e, -EINVAL,
		    "%s is no address: write host:port, [ipv6]:port or :port",
		    address);
	int rc = resolve(&ep, &ai);
	if (rc != 0)
		return err_set(e, -EADDRNOTAVAIL, "cannot resolve %s: %s",
		    address, gai_strerror(rc));
	rc = open_all(ai, ep.is_any, fds, count);
	freeaddrinfo(ai);
	if (ep.is_any && (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)) {
		char v4[PORT_SIZE + 8];

		(void)snprintf(v4, sizeof(v4), "0.0.0.0:%s", ep.port);
		return listener_open(v4, fds, count, e);
	}
	if (rc < 0)
		return err_errno(e, rc, "cannot listen on %s", address);
	return 0;
}

int listener_port(int fd)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	if (sa.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&sa)->sin_port);
	return -EAFNOSUPPORT;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void rest(struct listener *ln, int error)
{
	if (!ln->is_short)
		log_error(
		    "accept_paused", LOG_STR("error", uv_strerror(-error)));
	ln->is_short = true;
	(void)uv_poll_stop(&ln->poll);
	loop_timer_start(ln->loop, &ln->rest, REST_MS);
}

static void on_rested(struct loop_timer *t)
{
	struct listener *ln = container_of(t, struct listener, rest);

	if (uv_poll_start(&ln->poll, UV_READABLE, on_readable) < 0)
		loop_timer_start(ln->loop, &ln->rest, REST_MS);
}

/* What the next accept may succeed after. */
static bool is_passing(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM: /* a firewall rule */
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENOPROTOOPT:
		return true;
	default:
		return false;
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *ln = poll->data;

	(void)events;
	if (status < 0) { /* libuv has stopped polling */
		rest(ln, -status);
		return;
	}
	for (int i = 0; i < ACCEPT_MAX && !uv_is_closing((uv_handle_t *)poll);
	     i++) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(peer);
		int fd = accept4(ln->fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && is_passing(errno))
			continue;
		if (fd < 0) {
			rest(ln, errno);
			return;
		}
		ln->is_short = false;
		struct conn *c =
		    conn_new_accepted(ln->loop, fd, (struct sockaddr *)&peer);
		if (c)
			ln->on_accept(c, ln->ctx);
	}
}

struct listener *listener_start(struct loop *l, int fd,
    void (*on_accept)(struct conn *c, void *ctx), void *ctx)
{
	struct listener *ln = calloc(1, sizeof(*ln));

	if (!ln || uv_poll_init(loop_uv(l), &ln->poll, fd) < 0) {
		free(ln);
		(void)close(fd);
		return NULL;
	}
	ln->poll.data = ln;
	ln->loop = l;
	ln->fd = fd;
	ln->on_accept = on_accept;
	ln->ctx = ctx;
	loop_timer_init(&ln->rest, on_rested);
	if (uv_poll_start(&ln->poll, UV_READABLE, on_readable) < 0) {
		listener_close(ln);
		return NULL;
	}
	return ln;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void listener_close(struct listener *ln)
{
	if (!ln)
		return;
	loop_timer_stop(ln->loop, &ln->rest);
	(void)uv_poll_stop(&ln->poll);
	/* After uv_poll_stop the descriptor is out of epoll and may go. */
	(void)close(ln->fd);
	uv_close((uv_handle_t *)&ln->poll, on_closed);
}
