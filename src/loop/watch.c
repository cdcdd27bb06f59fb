/* Readable descriptors through uv_poll; one handle per watch. */
#include <loop/loop.h>
#include <loop/watch.h>

#include <stdlib.h>

#include <uv.h>

struct loop_watch {
	uv_poll_t handle;
	void (*on_ready)(void *ctx);
	void *ctx;
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop_watch *w = handle->data;

	/* An error is for whoever reads fd to find; libuv has stopped then. */
	(void)status;
	(void)events;
	w->on_ready(w->ctx);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct loop_watch *loop_watch_start(
    struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx)
{
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (uv_poll_init(loop_uv(l), &w->handle, fd) != 0) {
		free(w);
		return NULL;
	}
	w->handle.data = w;
	w->on_ready = on_ready;
	w->ctx = ctx;
	if (uv_poll_start(&w->handle, UV_READABLE, on_poll) != 0) {
		loop_watch_close(w);
		return NULL;
	}
	return w;
}

void loop_watch_close(struct loop_watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->handle, on_closed);
}
