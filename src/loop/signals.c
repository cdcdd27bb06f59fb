/* Signals through libuv; the main loop's thread. */
#include <loop/loop.h>
#include <loop/signals.h>

#include <stdlib.h>

#include <uv.h>

struct signals {
	uv_signal_t handle;
	void (*on_signal)(int signum, void *ctx);
	void *ctx;
};

static void on_uv_signal(uv_signal_t *handle, int signum)
{
	struct signals *s = handle->data;

	s->on_signal(signum, s->ctx);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct signals *signals_watch(struct loop *l, int signum,
    void (*on_signal)(int signum, void *ctx), void *ctx)
{
	struct signals *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (uv_signal_init(loop_uv(l), &s->handle)) {
		free(s);
		return NULL;
	}
	s->handle.data = s;
	s->on_signal = on_signal;
	s->ctx = ctx;
	if (uv_signal_start(&s->handle, on_uv_signal, signum)) {
		signals_close(s);
		return NULL;
	}
	return s;
}

void signals_close(struct signals *s)
{
	if (s)
		uv_close((uv_handle_t *)&s->handle, on_closed);
}
