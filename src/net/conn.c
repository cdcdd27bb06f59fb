/*
 * A connection on its loop's thread: how it begins and ends, its end-of-turn
 * task and its TLS. Buffers are freed as soon as they are empty: an idle
 * connection owns its struct and its SSL.
 *
 * Memory goes when libuv has closed the handle and no end-of-turn task is
 * queued any more, whichever comes last.
 */
#include <net/conn_internal.h>

#include <base/list.h>
#include <net/tls.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void release(struct conn *c)
{
	tls_free(c->tls);
	buf_finish(&c->in);
	buf_finish(&c->out);
	buf_finish(&c->wire);
	buf_finish(&c->sending);
	free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	if (c->ops)
		c->ops->on_closed(c, c->why, c->ctx);
	c->is_closed = true;
	if (!c->is_turn_queued)
		release(c);
}

void conn_finish(struct conn *c, enum conn_end why)
{
	if (c->is_dead)
		return;
	if (c->why == CONN_END_NONE)
		c->why = why;
	c->is_dead = true;
	c->is_reading = false;
	loop_timer_stop(c->loop, &c->timer);
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

static void on_turn(struct task *t)
{
	struct conn *c = container_of(t, struct conn, turn);

	if (c->is_closed) {
		release(c);
		return;
	}
	/* Still marked as queued: what on_data writes is flushed below. */
	if (c->wants_data)
		conn_deliver(c);
	c->is_turn_queued = false;
	c->burst = 0;
	if (!c->is_dead)
		conn_flush(c);
	conn_update_reading(c);
	if (c->wants_data) /* on_data asked to go on later */
		conn_queue_turn(c);
}

void conn_queue_turn(struct conn *c)
{
	if (c->is_turn_queued || c->is_dead)
		return;
	c->is_turn_queued = true;
	loop_defer(c->loop, &c->turn);
}

static void on_timeout(struct loop_timer *t)
{
	conn_finish(container_of(t, struct conn, timer), CONN_END_TIMEOUT);
}

static void name_peer(struct conn *c)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	int len = sizeof(sa);
	const void *address = NULL;
	int family = AF_INET;

	(void)snprintf(c->peer, sizeof(c->peer), "local");
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&sa, &len) < 0)
		return;
	if (sa.ss_family == AF_INET) {
		address = &((struct sockaddr_in *)&sa)->sin_addr;
	} else if (sa.ss_family == AF_INET6) {
		struct in6_addr *v6 = &((struct sockaddr_in6 *)&sa)->sin6_addr;
		bool is_v4 = IN6_IS_ADDR_V4MAPPED(v6);

		address = is_v4 ? &v6->s6_addr[12] : &v6->s6_addr[0];
		family = is_v4 ? AF_INET : AF_INET6;
	}
	if (address)
		(void)inet_ntop(family, address, c->peer, sizeof(c->peer));
}

struct conn *conn_new_accepted(struct loop *l, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || uv_tcp_init(loop_uv(l), &c->tcp) < 0) {
		free(c);
		(void)close(fd);
		return NULL;
	}
	c->tcp.data = c;
	c->loop = l;
	c->turn.run = on_turn;
	loop_timer_init(&c->timer, on_timeout);
	buf_init(&c->in, CONN_IN_MAX + CONN_RECORD_SLACK);
	buf_init(&c->out, CONN_OUT_MAX);
	buf_init(&c->wire, CONN_WIRE_MAX);
	buf_init(&c->sending, CONN_WIRE_MAX);
	if (uv_tcp_open(&c->tcp, fd) < 0) {
		(void)close(fd);
		conn_finish(c, CONN_END_RESET); /* frees it, without ops */
		return NULL;
	}
	/* Replies leave whole, once per turn: Nagle could only delay them. */
	(void)uv_tcp_nodelay(&c->tcp, 1);
	name_peer(c);
	return c;
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
	c->ops = ops;
	c->ctx = ctx;
}

void conn_start(struct conn *c)
{
	c->is_started = true;
	conn_update_reading(c);
}

bool conn_has_early_data(const struct conn *c)
{
	uv_os_fd_t fd;
	int waiting = 0;

	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
	       ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

void conn_begin_close(struct conn *c, enum conn_end why)
{
	if (c->is_closing || c->is_dead)
		return;
	if (c->why == CONN_END_NONE)
		c->why = why;
	c->is_closing = true;
	buf_finish(&c->in);
	if (why == CONN_END_TLS)
		buf_finish(&c->out); /* cannot be sealed any more */
	loop_timer_start(c->loop, &c->timer, CONN_CLOSE_MS);
	conn_queue_turn(c);
	conn_update_reading(c);
}

void conn_close(struct conn *c)
{
	conn_begin_close(c, c->is_eof ? CONN_END_PEER : CONN_END_LOCAL);
}

void conn_abort(struct conn *c, enum conn_end why)
{
	conn_finish(c, why);
}

/* --- TLS --- */

void conn_start_tls(struct conn *c, struct tls_ctx *ctx)
{
	if (c->is_closing || c->is_dead)
		return;
	if (!conn_move(&c->wire, &c->out)) {
		conn_finish(c, CONN_END_MEMORY);
		return;
	}
	c->tls = tls_new_server(ctx);
	if (!c->tls) {
		conn_finish(c, CONN_END_MEMORY);
		return;
	}
	loop_timer_start(c->loop, &c->timer, CONN_HANDSHAKE_MS);
	conn_queue_turn(c);
}

bool conn_is_tls(const struct conn *c)
{
	return c->is_secure;
}

const char *conn_tls_version(const struct conn *c)
{
	return c->is_secure ? tls_version(c->tls) : NULL;
}

const char *conn_tls_cipher(const struct conn *c)
{
	return c->is_secure ? tls_cipher(c->tls) : NULL;
}

int conn_tls_bits(const struct conn *c)
{
	return c->is_secure ? tls_bits(c->tls) : 0;
}

const char *conn_tls_error(const struct conn *c)
{
	return c->tls ? tls_error(c->tls) : "";
}

const char *conn_peer(const struct conn *c)
{
	return c->peer;
}

struct loop *conn_loop(const struct conn *c)
{
	return c->loop;
}
