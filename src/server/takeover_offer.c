/*
 * The side of the running process: a socket in the spool, and one peer at a
 * time. Nothing here blocks: a peer that does not read gets nothing.
 */
#include <server/takeover_internal.h>

#include <base/log.h>
#include <config/config.h>
#include <loop/watch.h>
#include <server/ports.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEND_BUFFER = 4 * 1024 * 1024
};

struct takeover_offer {
	struct loop *loop;
	struct ports *ports;
	void (*on_taken)(int64_t pid, void *ctx);
	void *ctx;
	struct sockaddr_un sa;
	int fd, peer; /* -1: none */
	int64_t pid;  /* of the peer */
	struct loop_watch *watch, *peer_watch;
	bool is_taken;
};

/* --- the peer --- */

static void drop_peer(struct takeover_offer *o)
{
	loop_watch_close(o->peer_watch);
	o->peer_watch = NULL;
	if (o->peer >= 0)
		(void)close(o->peer);
	o->peer = -1;
}

static bool send_packet(int to, char *text, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(TAKEOVER_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(count * sizeof(int)),
		};
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* The ports of one listener from *i on, as many as fit into a packet. */
static bool send_batch(const struct takeover_offer *o, size_t *i)
{
	const struct ports *p = o->ports;
	const struct port *first = &p->all[*i];
	const struct config_listener *l = CONFIG_AT(
	    p->config->listeners, struct config_listener, first->listener);
	char text[TAKEOVER_TEXT_MAX];
	int fds[TAKEOVER_FDS_MAX];
	size_t count = 0;

	(void)snprintf(text, sizeof(text), "%c%s %s",
	    first->is_kept ? TAKEOVER_KEPT : TAKEOVER_OWN, l->name, l->address);
	while (*i < p->count && count < TAKEOVER_FDS_MAX &&
	       p->all[*i].listener == first->listener)
		fds[count++] = p->all[(*i)++].fd;
	return send_packet(o->peer, text, fds, count);
}

static bool send_ports(const struct takeover_offer *o)
{
	char end[] = { TAKEOVER_END, '\0' };

	for (size_t i = 0; i < o->ports->count;)
		if (!send_batch(o, &i))
			return false;
	return send_packet(o->peer, end, NULL, 0);
}

static void on_peer(void *ctx)
{
	struct takeover_offer *o = ctx;
	char text[8];
	ssize_t len = recv(o->peer, text, sizeof(text), MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len != sizeof(TAKEOVER_GO) - 1 ||
	    memcmp(text, TAKEOVER_GO, (size_t)len) != 0) {
		drop_peer(o); /* it failed before it began */
		return;
	}
	/* The connection stays: its end tells that the store is closed. */
	loop_watch_close(o->peer_watch);
	o->peer_watch = NULL;
	o->is_taken = true;
	takeover_offer_stop(o);
	o->on_taken(o->pid, o->ctx);
}

/* The file's permissions say the same; this does not depend on them. */
static bool is_trusted(struct takeover_offer *o, int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	o->pid = who.pid;
	return who.uid == 0 || who.uid == geteuid();
}

static void on_asked(void *ctx)
{
	struct takeover_offer *o = ctx;
	const int size = SEND_BUFFER;
	int fd = accept4(o->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (o->peer >= 0 || !is_trusted(o, fd)) {
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	o->peer = fd;
	log_info("takeover_asked", LOG_NUM("pid", o->pid));
	o->peer_watch = loop_watch_start(o->loop, fd, on_peer, o);
	if (!o->peer_watch || !send_ports(o))
		drop_peer(o);
}

/* --- the socket --- */

/* The store is locked, so a file that is there is of the dead. */
static int open_socket(const struct sockaddr_un *sa)
{
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	(void)unlink(sa->sun_path);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 &&
	    chmod(sa->sun_path, 0600) == 0 && listen(fd, 1) == 0)
		return fd;
	rc = -errno;
	(void)close(fd);
	return rc;
}

struct takeover_offer *takeover_offer(struct loop *l, const char *spool,
    struct ports *p, void (*on_taken)(int64_t pid, void *ctx), void *ctx,
    struct err *e)
{
	struct takeover_offer *o = calloc(1, sizeof(*o));

	if (!o) {
		(void)err_set(e, -ENOMEM, "no memory");
		return NULL;
	}
	*o = (struct takeover_offer){ .loop = l,
		.ports = p,
		.on_taken = on_taken,
		.ctx = ctx,
		.fd = -1,
		.peer = -1 };
	int rc =
	    takeover_name(spool, &o->sa) ? open_socket(&o->sa) : -ENAMETOOLONG;
	if (rc >= 0) {
		o->fd = rc;
		o->watch = loop_watch_start(l, o->fd, on_asked, o);
	}
	if (o->watch)
		return o;
	(void)err_errno(e, rc < 0 ? rc : -ENOMEM,
	    "cannot offer the listening sockets at %s/takeover.sock", spool);
	takeover_offer_stop(o);
	takeover_offer_free(o);
	return NULL;
}

void takeover_offer_stop(struct takeover_offer *o)
{
	if (!o)
		return;
	loop_watch_close(o->watch);
	o->watch = NULL;
	if (o->fd >= 0) {
		(void)close(o->fd);
		(void)unlink(o->sa.sun_path);
	}
	o->fd = -1;
	if (!o->is_taken)
		drop_peer(o);
}

void takeover_offer_free(struct takeover_offer *o)
{
	if (!o)
		return;
	if (o->peer >= 0)
		(void)close(o->peer);
	free(o);
}
