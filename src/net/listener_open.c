/*
 * From an address as people write it to sockets that listen. See listener.h.
 */
#include <net/listener.h>

#include <base/hostport.h>
#include <base/netaddr.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 4096
};

int listener_set_add(struct listener_set *set, int fd)
{
	int *fds = reallocarray(set->fds, set->count + 1, sizeof(*fds));

	if (!fds) {
		(void)close(fd);
		return -ENOMEM;
	}
	set->fds = fds;
	set->fds[set->count++] = fd;
	return 0;
}

/* Close what was added since there were count. */
static void shrink(struct listener_set *set, size_t count)
{
	while (set->count > count)
		(void)close(set->fds[--set->count]);
}

void listener_set_finish(struct listener_set *set)
{
	shrink(set, 0);
	free(set->fds);
	set->fds = NULL;
}

/* --- addresses of the network --- */

/* Without a host: the IPv6 wildcard, which serves IPv4 too if it can. */
static int resolve(
    const struct hostport *hp, int any_family, struct addrinfo **out)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_family = *hp->host ? AF_UNSPEC : any_family,
		.ai_socktype = SOCK_STREAM,
	};
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", hp->port);
	return getaddrinfo(*hp->host ? hp->host : NULL, port, &hints, out);
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno
								      : 0;
}

/* How to open the sockets of one address. */
struct plan {
	unsigned share;
	bool is_any; /* no host: both families on one socket */
};

static int set_options(int fd, int family, const struct plan *plan)
{
	int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	/* A socket that is alone must not share its port with strangers. */
	if (rc == 0 && plan->share > 1)
		rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0 && family == AF_INET6)
		rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !plan->is_any);
	return rc;
}

static int open_one(const struct addrinfo *ai, const struct plan *plan)
{
	int fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = set_options(fd, ai->ai_family, plan);
	if (rc == 0 && (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
			   listen(fd, BACKLOG) < 0))
		rc = -errno;
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

static void set_port(struct sockaddr *sa, int port)
{
	void *any = sa;

	if (sa->sa_family == AF_INET6)
		((struct sockaddr_in6 *)any)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)any)->sin_port = htons((uint16_t)port);
}

/* All or none; *port becomes the one the kernel chose for the first. */
static int open_address(const struct addrinfo *ai, const struct plan *plan,
    struct listener_set *out, int *port)
{
	size_t before = out->count;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < plan->share; i++) {
		if (*port > 0)
			set_port(ai->ai_addr, *port);
		int fd = open_one(ai, plan);
		rc = fd < 0 ? fd : listener_set_add(out, fd);
		if (rc == 0)
			*port = listener_port(fd);
	}
	if (rc < 0)
		shrink(out, before);
	return rc;
}

/* A name may stand for the same address twice. */
static bool is_repeated(const struct addrinfo *all, const struct addrinfo *ai)
{
	struct netaddr here = netaddr_from_sockaddr(ai->ai_addr);

	for (; all != ai; all = all->ai_next) {
		struct netaddr before = netaddr_from_sockaddr(all->ai_addr);

		if (netaddr_eq(&before, &here))
			return true;
	}
	return false;
}

/* The machine may lack one of the families that a name has addresses of. */
static bool is_absent(int rc)
{
	return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL;
}

static int open_all(const struct addrinfo *all, const struct plan *plan,
    struct listener_set *out)
{
	size_t before = out->count;
	int port = 0, absent = 0;

	for (const struct addrinfo *ai = all; ai; ai = ai->ai_next) {
		if (is_repeated(all, ai))
			continue;
		int rc = open_address(ai, plan, out, &port);
		if (is_absent(rc)) {
			absent = rc;
		} else if (rc < 0) {
			shrink(out, before);
			return rc;
		}
	}
	return out->count > before ? 0 : absent;
}

static int open_net(const struct hostport *hp, unsigned share,
    struct listener_set *out, struct err *e)
{
	const struct plan plan = { .share = share, .is_any = !*hp->host };
	struct addrinfo *all = NULL;
	int rc = resolve(hp, AF_INET6, &all);

	if (rc != 0 && plan.is_any)
		rc = resolve(hp, AF_INET, &all);
	if (rc != 0)
		return err_set(e, -EADDRNOTAVAIL, "cannot resolve %s: %s",
		    hp->host, gai_strerror(rc));
	rc = open_all(all, &plan, out);
	freeaddrinfo(all);
	if (plan.is_any && is_absent(rc) && resolve(hp, AF_INET, &all) == 0) {
		rc = open_all(all, &plan, out);
		freeaddrinfo(all);
	}
	return rc;
}

/* --- sockets of the file system --- */

static bool name_unix(const char *path, struct sockaddr_un *sa)
{
	size_t len = strlen(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(sa->sun_path))
		return false;
	memcpy(sa->sun_path, path, len + 1);
	return true;
}

/* Whether a socket is there that nobody listens on any more. */
static bool is_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	bool is_refused;

	if (lstat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is_refused =
	    connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 &&
	    errno == ECONNREFUSED;
	(void)close(fd);
	return is_refused;
}

static int bind_unix(int fd, const struct sockaddr_un *sa)
{
	const struct sockaddr *any = (const struct sockaddr *)sa;

	if (bind(fd, any, sizeof(*sa)) == 0)
		return 0;
	if (errno == EADDRINUSE && is_stale(sa)) {
		if (unlink(sa->sun_path) == 0 &&
		    bind(fd, any, sizeof(*sa)) == 0)
			return 0;
	}
	return -errno;
}

static int open_unix(const char *path, struct listener_set *out)
{
	struct sockaddr_un sa;
	int fd, rc;

	if (!name_unix(path, &sa))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = bind_unix(fd, &sa);
	if (rc == 0 && listen(fd, BACKLOG) < 0) {
		rc = -errno;
		(void)unlink(path);
	}
	if (rc == 0)
		return listener_set_add(out, fd);
	(void)close(fd);
	return rc;
}

/* --- either --- */

int listener_open(const char *address, unsigned share, struct listener_set *out,
    struct err *e)
{
	const char *path = hostport_unix_path(address);
	struct hostport hp;
	int rc;

	*e = (struct err){ .code = 0 };
	if (path)
		rc = open_unix(path, out);
	else if (hostport_parse(span_of(address), &hp))
		rc = open_net(&hp, share, out, e);
	else
		return err_set(e, -EINVAL,
		    "%s is no address: write host:port, [ipv6]:port, :port "
		    "or unix:/path",
		    address);
	if (rc < 0 && e->code == 0)
		return err_errno(e, rc, "cannot listen on %s", address);
	return rc;
}

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
	const void *x = a, *y = b;

	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *v = x, *w = y;

		return v->sin_port == w->sin_port &&
		       v->sin_addr.s_addr == w->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *v = x, *w = y;
	return v->sin6_port == w->sin6_port &&
	       memcmp(&v->sin6_addr, &w->sin6_addr, sizeof(v->sin6_addr)) == 0;
}

static bool is_among(
    const struct hostport *hp, int any_family, const struct sockaddr *sa)
{
	struct addrinfo *all = NULL;
	bool is_found = false;

	if (resolve(hp, any_family, &all) != 0)
		return false;
	for (const struct addrinfo *ai = all; ai && !is_found; ai = ai->ai_next)
		is_found = is_same(ai->ai_addr, sa);
	freeaddrinfo(all);
	return is_found;
}

bool listener_is_at(int fd, const char *address)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un un;
	} bound = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t len = sizeof(bound);
	const char *path = hostport_unix_path(address);
	struct hostport hp;

	if (getsockname(fd, &bound.any, &len) < 0)
		return false;
	if (path)
		return bound.any.sa_family == AF_UNIX &&
		       strncmp(bound.un.sun_path, path,
			   sizeof(bound.un.sun_path)) == 0;
	if (bound.any.sa_family == AF_UNIX ||
	    !hostport_parse(span_of(address), &hp))
		return false;
	return is_among(&hp, AF_INET6, &bound.any) ||
	       is_among(&hp, AF_INET, &bound.any);
}

int listener_adopt(int fd)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	len = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		return -errno;
	if (type != SOCK_STREAM || !listens)
		return -EINVAL;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
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
	return sa.ss_family == AF_UNIX ? 0 : -EAFNOSUPPORT;
}
