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

#include <netinet/in.h>
#include <sys/socket.h>

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

static struct conn_name name_of(const struct sockaddr *sa)
{
	struct conn_name name = { .addr = netaddr_from_sockaddr(sa) };
	const void *any = sa;

	if (sa->sa_family == AF_INET)
		name.port = ntohs(((const struct sockaddr_in *)any)->sin_port);
	else if (sa->sa_family == AF_INET6)
		name.port =
		    ntohs(((const struct sockaddr_in6 *)any)->sin6_port);
	return name;
}

static void name_ends(struct conn *c, int fd, const struct sockaddr *peer)
{
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(local);
	struct conn_name name = name_of(peer);

	(void)getsockname(fd, (struct sockaddr *)&local, &len);
	c->local = name_of((struct sockaddr *)&local);
	c->socket_peer = name.addr;
	conn_set_peer(c, &name);
}

struct conn *conn_new_accepted(
    struct loop *l, int fd, const struct sockaddr *peer)
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
	name_ends(c, fd, peer);
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

	if (buf_len(&c->in) > 0) /* came with a proxy's header */
		return true;
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
	loop_timer_start(c->loop, &c->timer,
	    c->handshake_ms ? c->handshake_ms : CONN_HANDSHAKE_MS);
	conn_queue_turn(c);
	if (buf_len(&c->in) > 0)
		conn_take_first_flight(c);
}

void conn_set_handshake_ms(struct conn *c, uint64_t ms)
{
	c->handshake_ms = ms;
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

const struct tls_peer *conn_tls_peer(const struct conn *c)
{
	return c->is_secure ? tls_client(c->tls) : NULL;
}

const char *conn_tls_peer_doubt(const struct conn *c)
{
	return c->is_secure ? tls_client_doubt(c->tls) : "";
}

const char *conn_tls_error(const struct conn *c)
{
	return c->tls ? tls_error(c->tls) : "";
}

/* --- who and where --- */

enum counter_tls_failure conn_tls_failure(const struct conn *c)
{
	return c->tls ? tls_failure(c->tls) : COUNTER_TLS_OTHER;
}

const char *conn_peer(const struct conn *c)
{
	return c->peer_text;
}

const struct netaddr *conn_peer_addr(const struct conn *c)
{
	return &c->peer.addr;
}

uint16_t conn_peer_port(const struct conn *c)
{
	return c->peer.port;
}

const char *conn_proxy(const struct conn *c)
{
	return netaddr_eq(&c->peer.addr, &c->socket_peer) ? NULL
							  : c->proxy_text;
}

const struct conn_name *conn_local(const struct conn *c)
{
	return &c->local;
}

void conn_set_peer(struct conn *c, const struct conn_name *peer)
{
	c->peer = *peer;
	(void)netaddr_format(&c->peer.addr, c->peer_text);
	(void)netaddr_format(&c->socket_peer, c->proxy_text);
}

void conn_set_local(struct conn *c, const struct conn_name *local)
{
	c->local = *local;
}
