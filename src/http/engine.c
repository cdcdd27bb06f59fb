/*
 * Curl's multi handle driven by the loop: uv_poll for its sockets, a loop
 * timer for its timeouts. Curl's callbacks only arm and disarm; curl itself
 * is entered from the loop, never from inside one of its callbacks.
 */
#include <http/http_internal.h>

#include <errno.h>
#include <stdlib.h>

#include <uv.h>

/* A descriptor curl wants watched. Freed in its close callback. */
struct engine_socket {
	uv_poll_t poll;
	struct engine *engine;
	curl_socket_t fd;
};

enum {
	/* Idle connections kept in all, per connection allowed to one host. */
	POOL_HOSTS = 8
};

static void stopped_if_empty(struct engine *e)
{
	if (e->is_stopped && e->open_sockets == 0 && !e->is_kick_queued)
		e->on_stopped(e);
}

static void take_results(struct engine *e)
{
	const CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(e->multi, &left))) {
		/* msg dies when the handle is removed: copy first. */
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		e->on_ended(easy, code);
	}
}

static void run(struct engine *e, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(e->multi, fd, events, &running);
	take_results(e);
}

static void on_socket_closed(uv_handle_t *handle)
{
	struct engine_socket *s = handle->data;
	struct engine *e = s->engine;

	free(s);
	e->open_sockets--;
	stopped_if_empty(e);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
	struct engine_socket *s = poll->data;
	int flags = 0;

	/*
	 * After an error libuv has stopped polling (POLLERR arrives as
	 * UV_EBADF): unless curl is told, the transfer sits until it times
	 * out.
	 */
	if (status < 0)
		flags |= CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	run(s->engine, s->fd, flags);
}

static struct engine_socket *socket_new(struct engine *e, curl_socket_t fd)
{
	struct engine_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (uv_poll_init_socket(loop_uv(e->loop), &s->poll, fd) != 0) {
		free(s);
		return NULL;
	}
	s->poll.data = s;
	s->engine = e;
	s->fd = fd;
	e->open_sockets++;
	(void)curl_multi_assign(e->multi, fd, s);
	return s;
}

/*
 * Curl: watch fd for `what` from now on. On removal the handle is stopped at
 * once, because curl may close fd as soon as this returns and the number may
 * be given out again.
 */
static int on_curl_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct engine *e = arg;
	struct engine_socket *s = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (!s)
			return 0;
		(void)curl_multi_assign(e->multi, fd, NULL);
		(void)uv_poll_stop(&s->poll);
		uv_close((uv_handle_t *)&s->poll, on_socket_closed);
		return 0;
	}
	if (e->is_stopped)
		return 0;
	if (!s)
		s = socket_new(e, fd);
	if (!s)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&s->poll, events, on_socket_ready) ? -1 : 0;
}

static void on_kick(struct task *t)
{
	struct engine *e = container_of(t, struct engine, kick);

	e->is_kick_queued = false;
	if (e->is_stopped)
		stopped_if_empty(e);
	else
		run(e, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(struct loop_timer *t)
{
	run(container_of(t, struct engine, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* Curl: run me in timeout_ms; -1 never, 0 as soon as possible. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct engine *e = arg;

	(void)multi;
	loop_timer_stop(e->loop, &e->timer);
	if (timeout_ms > 0) {
		loop_timer_start(e->loop, &e->timer, (uint64_t)timeout_ms);
	} else if (timeout_ms == 0 && !e->is_kick_queued) {
		/* One run for all requests that this turn brings. */
		e->is_kick_queued = true;
		loop_defer(e->loop, &e->kick);
	}
	return 0;
}

static int set_limit(struct engine *e, unsigned per_host)
{
	long limit = per_host ? (long)per_host : 1;
	int bad = 0;

	bad |=
	    curl_multi_setopt(e->multi, CURLMOPT_MAX_HOST_CONNECTIONS, limit);
	bad |= curl_multi_setopt(
	    e->multi, CURLMOPT_MAXCONNECTS, limit * POOL_HOSTS);
	return bad ? -EINVAL : 0;
}

void engine_set_limit(struct engine *e, unsigned per_host)
{
	(void)set_limit(e, per_host); /* it worked before */
}

static int set_options(struct engine *e, unsigned per_host)
{
	CURLM *m = e->multi;
	int bad = 0;

	bad |= curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	bad |= curl_multi_setopt(m, CURLMOPT_SOCKETDATA, e);
	bad |= curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	bad |= curl_multi_setopt(m, CURLMOPT_TIMERDATA, e);
	bad |= curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	if (bad || set_limit(e, per_host))
		return -EINVAL;
	if (curl_share_setopt(
		e->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
		return -EINVAL;
	return 0;
}

int engine_init(struct engine *e, struct loop *l, unsigned per_host)
{
	int rc = -ENOMEM;

	e->loop = l;
	e->kick.run = on_kick;
	loop_timer_init(&e->timer, on_timer);
	e->multi = curl_multi_init();
	e->share = curl_share_init();
	if (e->multi && e->share)
		rc = set_options(e, per_host);
	if (rc) {
		(void)curl_multi_cleanup(e->multi);
		(void)curl_share_cleanup(e->share);
	}
	return rc;
}

void engine_stop(struct engine *e)
{
	/* Closing its idle connections, curl may still call back. */
	e->is_stopped = true;
	(void)curl_multi_cleanup(e->multi);
	(void)curl_share_cleanup(e->share);
	loop_timer_stop(e->loop, &e->timer);
	stopped_if_empty(e);
}

int engine_add(struct engine *e, CURL *easy)
{
	return curl_multi_add_handle(e->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void engine_remove(struct engine *e, CURL *easy)
{
	(void)curl_multi_remove_handle(e->multi, easy);
}
