/* Signals through libuv; the main loop's thread. See signals.h. */
#include <loop/loop.h>
#include <loop/signals.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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

/* --- before and after --- */

static void on_early_stop(int signum)
{
	(void)signum;
	_exit(EXIT_SUCCESS);
}

void signals_start(void)
{
	struct sigaction stop = { .sa_handler = on_early_stop };
	sigset_t hangup;

	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigemptyset(&hangup);
	(void)sigaddset(&hangup, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);
}

static void mask(int how)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(how, &set, NULL);
}

void signals_hold(void)
{
	mask(SIG_BLOCK);
}

void signals_release(void)
{
	mask(SIG_UNBLOCK);
}
