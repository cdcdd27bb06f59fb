/*
 * The way out. What a turn queued is sealed and written once, at its end;
 * what the socket does not take at once goes through one write request at a
 * time.
 */
#include <net/conn_internal.h>

#include <net/tls.h>

enum {
	OUT_LOW = CONN_OUT_HIGH / 4
};

static size_t unsent(const struct conn *c)
{
	return buf_len(&c->out) + buf_len(&c->wire) + buf_len(&c->sending);
}

static void note_congestion(struct conn *c)
{
	if (unsent(c) > CONN_OUT_HIGH)
		c->is_high = true;
}

static void note_drained(struct conn *c)
{
	if (!c->is_high || unsent(c) > OUT_LOW)
		return;
	c->is_high = false;
	if (c->is_closing || c->is_dead)
		return;
	c->ops->on_drained(c, c->ctx);
	conn_after_user(c);
}

void conn_write(struct conn *c, const void *data, size_t len)
{
	if (c->is_closing || c->is_dead || len == 0)
		return;
	if (buf_add(&c->out, data, len) < 0) {
		conn_finish(c, CONN_END_MEMORY);
		return;
	}
	note_congestion(c);
	conn_queue_turn(c);
}

bool conn_is_congested(const struct conn *c)
{
	return c->is_high;
}

bool conn_move(struct buf *to, struct buf *from)
{
	if (buf_len(to) == 0) {
		size_t to_max = to->max, from_max = from->max;

		buf_finish(to);
		*to = *from;
		to->max = to_max;
		buf_init(from, from_max);
		return true;
	}
	if (buf_add_span(to, buf_span(from)) < 0)
		return false;
	buf_finish(from);
	return true;
}

/* What the user queued becomes bytes for the wire, if it may leave now. */
static bool seal(struct conn *c)
{
	if (c->tls && !c->is_secure)
		return true; /* after the handshake */
	if (buf_len(&c->out) > 0) {
		struct span s = buf_span(&c->out);

		if (!c->tls)
			return conn_move(&c->wire, &c->out);
		if (tls_write(c->tls, s.ptr, s.len, &c->wire) != TLS_OK)
			return false;
		buf_finish(&c->out);
	}
	return true;
}

static void on_written(uv_write_t *request, int status)
{
	struct conn *c = request->data;

	c->is_sending = false;
	buf_finish(&c->sending);
	if (c->is_dead)
		return;
	if (status < 0) {
		conn_finish(c, CONN_END_RESET);
		return;
	}
	if (!c->is_closing && (!c->tls || c->is_secure))
		loop_timer_stop(c->loop, &c->timer);
	conn_flush(c);
}

/* As much as the socket takes at once; the rest through a request. */
static bool send_wire(struct conn *c)
{
	struct span s = buf_span(&c->wire);
	uv_buf_t b = { .base = c->wire.data + c->wire.start, .len = s.len };
	int rc = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

	if (rc < 0 && rc != UV_EAGAIN)
		return false;
	if (rc > 0)
		buf_consume(&c->wire, (size_t)rc);
	if (buf_len(&c->wire) == 0) {
		buf_finish(&c->wire);
		return true;
	}
	(void)conn_move(&c->sending, &c->wire);
	b.base = c->sending.data + c->sending.start;
	b.len = buf_len(&c->sending);
	c->request.write.data = c;
	if (uv_write(&c->request.write, (uv_stream_t *)&c->tcp, &b, 1,
		on_written) < 0)
		return false;
	c->is_sending = true;
	if (!loop_timer_is_armed(&c->timer))
		loop_timer_start(c->loop, &c->timer, CONN_STALL_MS);
	return true;
}

static void on_shut(uv_shutdown_t *request, int status)
{
	struct conn *c = request->data;

	if (status < 0)
		conn_finish(c, CONN_END_RESET);
}

/* All is sent: say so, and wait for the peer's end or the timer. */
static void shut_down(struct conn *c)
{
	if (c->is_shut)
		return;
	c->is_shut = true;
	c->request.shutdown.data = c;
	if (c->is_eof || !c->is_started ||
	    uv_shutdown(&c->request.shutdown, (uv_stream_t *)&c->tcp, on_shut) <
		0)
		conn_finish(c, CONN_END_RESET);
}

void conn_flush(struct conn *c)
{
	if (!seal(c)) {
		conn_finish(c, CONN_END_MEMORY);
		return;
	}
	if (c->is_closing && c->is_secure && !c->is_shut)
		tls_shutdown(c->tls, &c->wire);
	if (!c->is_sending && buf_len(&c->wire) > 0 && !send_wire(c)) {
		conn_finish(c, CONN_END_RESET);
		return;
	}
	if (c->is_closing && !c->is_sending)
		shut_down(c);
	note_drained(c);
}
