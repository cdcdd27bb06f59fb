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
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPT_MAX = 64, /* per turn: others want the loop too */
	REST_MS = 100,
	DRAIN_MAX = 65536 /* who comes faster than we close is not waited for */
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

/* One of those who wait; false when that cannot go on, with errno. */
static bool accept_one(struct listener *ln)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	int fd = accept4(ln->fd, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return is_passing(errno);
	ln->is_short = false;
	struct conn *c =
	    conn_new_accepted(ln->loop, fd, (struct sockaddr *)&peer);
	if (c)
		ln->on_accept(c, ln->ctx);
	return true;
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
		if (accept_one(ln))
			continue;
		if (errno != EAGAIN)
			rest(ln, errno);
		return;
	}
}

void listener_drain(struct listener *ln)
{
	for (int i = 0; i < DRAIN_MAX && accept_one(ln); i++)
		;
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
