/* See server.h. */
#include "server.h"

#include "fakes.h"

#include <base/clock.h>
#include <loop/loop.h>
#include <net/conn.h>
#include <net/listener.h>
#include <net/tls.h>
#include <net/tls_set.h>
#include <policy/peers.h>
#include <policy/pressure.h>

#include <support/onloop.h>
#include <support/unit.h>

static void on_accept(struct conn *c, void *ctx)
{
	struct server *s = ctx;

	smtp_session_start(&s->service, c, 0);
}

static void start(void *ctx)
{
	struct server *s = ctx;

	s->listener = listener_start(s->loop, s->fd, on_accept, s);
	ck_assert_ptr_nonnull(s->listener);
}

void server_start(
    struct server *s, struct settings *settings, const struct config_tls *certs)
{
	struct listener_set set = { .count = 0 };
	struct err e;

	*s = (struct server){ .settings = settings };
	ck_assert_int_eq(listener_open("127.0.0.1:0", 1, &set, &e), 0);
	s->fd = set.fds[0];
	free(set.fds);
	s->port = listener_port(s->fd);
	s->loop = onloop_start();
	smtp_service_init(&s->service, s->loop);
	s->service.config = &settings->config;
	if (settings->has_certificate) {
		struct tls_files *files = tls_files_read(certs, &e);

		ck_assert_msg(files != NULL, "%s", e.text);
		smtp_service_set_tls(
		    &s->service, tls_set_new(files, &settings->config, &e));
		ck_assert_msg(s->service.tls != NULL, "%s", e.text);
		tls_files_free(files);
	}
	s->service.deliver = fakes_deliver(s->loop);
	s->service.counters = &s->counters;
	s->service.peers = peers_new(1000);
	ck_assert_ptr_nonnull(s->service.peers);
	s->service.pressure = settings_pressure(settings);
	onloop_call(s->loop, start, s);
}

static void drain(void *ctx)
{
	smtp_service_drain(&((struct server *)ctx)->service);
}

void server_drain(struct server *s)
{
	onloop_call(s->loop, drain, s);
}

struct count {
	struct server *server;
	size_t sessions, submitted;
};

static void count(void *ctx)
{
	struct count *c = ctx;

	c->sessions = c->server->service.session_count;
}

size_t server_sessions(struct server *s)
{
	struct count c = { .server = s };

	onloop_call(s->loop, count, &c);
	return c.sessions;
}

static void look(void *ctx)
{
	struct count *c = ctx;

	c->submitted = fakes.submitted;
}

bool server_awaits_submitted(struct server *s, size_t count)
{
	uint64_t deadline = clock_mono_ms() + 20000;
	struct count c = { .server = s };

	do
		onloop_call(s->loop, look, &c);
	while (c.submitted < count && clock_mono_ms() < deadline);
	return c.submitted >= count;
}

static void stop(void *ctx)
{
	struct server *s = ctx;

	listener_close(s->listener);
	smtp_service_abort(&s->service);
}

void server_stop(struct server *s)
{
	onloop_call(s->loop, stop, s);
	onloop_stop(s->loop);
	smtp_service_finish(&s->service);
	peers_free(s->service.peers);
	pressure_free(s->service.pressure);
}
