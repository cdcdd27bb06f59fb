/*
 * libmicrohttpd under our loop. Its epoll descriptor is watched for input and
 * MHD_run does what is ready; a request whose answer is not there yet is
 * suspended and resumed by httpd_reply. What libmicrohttpd does not do is
 * added by a sweep once a second: noticing a peer that left while its answer
 * is awaited, and ending a connection that trickles. The loop's thread only.
 */
#include <admin/httpd_internal.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <admin/httpd_bind.h>
#include <loop/watch.h>

enum {
	SWEEP_MS = 1000,
	RUNS_PER_TURN = 16,
	POOL_BYTES = 32 * 1024 /* request head and read buffer */
};

/* -- connections and requests as libmicrohttpd reports them -- */

static struct httpd_conn *conn_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
	    ->socket_context;
}

static void conn_opened(
    struct httpd *h, struct MHD_Connection *mhd, void **socket_context)
{
	struct httpd_conn *c = calloc(1, sizeof(*c));

	*socket_context = c;
	if (!c)
		return; /* on_uri refuses its requests */
	c->h = h;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
		    ->connect_fd;
	c->since = loop_now(h->loop);
	list_append(&h->conns, &c->node);
	if (!loop_timer_is_armed(&h->sweep))
		loop_timer_start(h->loop, &h->sweep, SWEEP_MS);
}

static void on_connection(void *cls, struct MHD_Connection *mhd,
    void **socket_context, enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = cls;
	struct httpd_conn *c = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_opened(h, mhd, socket_context);
		return;
	}
	if (c) {
		list_remove(&c->node);
		free(c);
		*socket_context = NULL;
	}
	/* At its limit libmicrohttpd stops listening, and listens again in a
	 * run after one has left: for that run there is no event. */
	if (!h->is_closing)
		httpd_run_soon(h);
}

/* First sight of a request; what is returned becomes its context. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct httpd *h = cls;
	struct httpd_conn *c = conn_of(mhd);
	size_t len = strlen(uri);
	struct httpd_request *r = c ? calloc(1, sizeof(*r) + len + 1) : NULL;

	if (!r)
		return NULL;
	r->conn = c;
	r->mhd = mhd;
	memcpy(r->target, uri, len + 1);
	r->stop_at = UINT64_MAX;
	buf_init(&r->body, (size_t)h->settings.max_body);
	return r;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
    enum MHD_RequestTerminationCode why)
{
	struct httpd_request *r = *req_cls;

	(void)cls;
	(void)mhd;
	(void)why;
	*req_cls = NULL;
	if (!r)
		return;
	r->conn->since = loop_now(r->conn->h->loop);
	if (r->response)
		MHD_destroy_response(r->response);
	buf_finish(&r->body);
	free(r);
}

/* An encoded NUL would cut the string that handlers compare. */
static size_t unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are not ours */
static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd,
    const char *url, const char *method, const char *version, const char *data,
    size_t *len, void **req_cls)
{
	const struct httpd *h = cls;

	(void)mhd;
	(void)version;
	if (!*req_cls || h->is_closing)
		return MHD_NO;
	return httpd_request_step(*req_cls, url, method, data, len);
}

/* -- the server on its loop -- */

static void tell_gone(struct httpd_request *r)
{
	struct httpd *h = r->conn->h;

	if (r->is_gone)
		return;
	r->is_gone = true;
	if (h->settings.on_gone)
		h->settings.on_gone(r, h->settings.ctx);
}

/* Also behind bytes that nobody reads. */
static bool peer_left(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

static void sweep_conn(struct httpd_conn *c, uint64_t now)
{
	uint64_t patience = c->h->settings.timeout_s * (uint64_t)2000;

	if (c->waiting) {
		if (peer_left(c->fd))
			tell_gone(c->waiting);
	} else if (now - c->since > patience) {
		/* libmicrohttpd finds the end of the stream and cleans up. */
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}

static void on_sweep(struct loop_timer *t)
{
	struct httpd *h = container_of(t, struct httpd, sweep);
	uint64_t now = loop_now(h->loop);

	list_for_each_safe (pos, next, &h->conns)
		sweep_conn(container_of(pos, struct httpd_conn, node), now);
	if (!list_is_empty(&h->conns))
		loop_timer_start(h->loop, &h->sweep, SWEEP_MS);
}

/* Do what is ready; what is still ready after that waits a turn. */
static void run(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	bool has_deadline = false;

	loop_timer_stop(h->loop, &h->timer);
	for (int i = 0; i < RUNS_PER_TURN; i++) {
		(void)MHD_run(h->daemon);
		has_deadline = MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES;
		if (!has_deadline || wait_ms > 0)
			break;
	}
	if (!has_deadline)
		return;
	if (wait_ms > 0) {
		loop_timer_start(h->loop, &h->timer, wait_ms);
	} else {
		httpd_run_soon(h);
	}
}

void httpd_run_soon(struct httpd *h)
{
	if (h->will_run)
		return;
	h->will_run = true;
	loop_defer(h->loop, &h->run);
}

static void on_ready(void *ctx)
{
	run(ctx);
}

static void on_timer(struct loop_timer *t)
{
	run(container_of(t, struct httpd, timer));
}

static void on_run(struct task *t)
{
	struct httpd *h = container_of(t, struct httpd, run);

	h->will_run = false;
	if (!h->is_closing)
		run(h);
}

static void finish(struct httpd *h)
{
	loop_timer_stop(h->loop, &h->timer);
	loop_timer_stop(h->loop, &h->sweep);
	loop_watch_close(h->watch);
	MHD_stop_daemon(h->daemon);
	if (h->on_closed)
		h->on_closed(h->closed_ctx);
	free(h);
}

static void on_close(struct task *t)
{
	struct httpd *h = container_of(t, struct httpd, close);

	if (!h->is_told) {
		list_for_each_safe (pos, next, &h->conns) {
			struct httpd_conn *c =
			    container_of(pos, struct httpd_conn, node);

			if (c->waiting)
				tell_gone(c->waiting);
		}
		h->is_told = true;
	}
	if (h->waiting > 0)
		return;
	if (h->will_run)
		loop_post(h->loop, &h->close); /* a turn later */
	else
		finish(h);
}

void httpd_close(struct httpd *h, void (*on_closed)(void *ctx), void *ctx)
{
	h->is_closing = true;
	h->on_closed = on_closed;
	h->closed_ctx = ctx;
	loop_post(h->loop, &h->close);
}

int httpd_port(const struct httpd *h)
{
	return h->port;
}

static struct MHD_Daemon *start_daemon(struct httpd *h, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
	    NULL, NULL, on_access, h, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, h->settings.max_connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, h->settings.timeout_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
	    on_uri, h, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
}

static struct httpd *httpd_alloc(struct loop *l, const struct httpd_settings *s)
{
	struct httpd *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->loop = l;
	h->settings = *s;
	h->run.run = on_run;
	h->close.run = on_close;
	list_init(&h->conns);
	loop_timer_init(&h->timer, on_timer);
	loop_timer_init(&h->sweep, on_sweep);
	return h;
}

/* The socket is the daemon's, or closed. 0 or a negative errno. */
static int start_on(struct httpd *h, int fd)
{
	int epoll;

	h->daemon = start_daemon(h, fd);
	if (!h->daemon) {
		(void)close(fd);
		return -EIO;
	}
	epoll =
	    MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	h->watch = loop_watch_start(h->loop, epoll, on_ready, h);
	if (h->watch)
		return 0;
	MHD_stop_daemon(h->daemon);
	return -EIO;
}

struct httpd *httpd_start(
    struct loop *l, const struct httpd_settings *s, struct err *e)
{
	struct httpd *h = httpd_alloc(l, s);
	int fd = s->socket;

	if (h && s->address)
		fd = httpd_bind(s->address, &h->port, e);
	if (!h) {
		if (!s->address)
			(void)close(fd);
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	if (fd >= 0 && start_on(h, fd) == 0)
		return h;
	if (fd >= 0)
		(void)err_set(e, -EIO, "cannot start the HTTP server on %s",
		    s->address ? s->address : "its socket");
	free(h);
	return NULL;
}
