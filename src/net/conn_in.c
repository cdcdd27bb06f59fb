/*
 * The way in. Reading stops while `in` is full, while the user pauses, at the
 * end of input, and for the rest of a turn in which much was read.
 */
#include <net/conn_internal.h>

#include <net/tls.h>

enum {
	BURST_MAX = 4 * CONN_READ_SIZE /* others want the loop too */
};

/* What a read leaves here is taken before the next read of this thread. */
static _Thread_local char read_buffer[CONN_READ_SIZE];

/* The user may have taken bytes: no memory for none, and room for more. */
void conn_after_user(struct conn *c)
{
	if (buf_len(&c->in) == 0)
		buf_finish(&c->in);
	conn_update_reading(c);
}

void conn_deliver(struct conn *c)
{
	c->wants_data = false;
	if (c->is_paused || c->is_closing || c->is_dead)
		return;
	if (buf_len(&c->in) > 0)
		c->ops->on_data(c, c->ctx);
	conn_after_user(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	const struct conn *c = handle->data;
	size_t room = CONN_IN_MAX;

	(void)suggested;
	if (!c->is_closing)
		room = CONN_IN_MAX - buf_len(&c->in);
	out->base = read_buffer;
	out->len = room < CONN_READ_SIZE ? room : CONN_READ_SIZE;
}

static void on_established(struct conn *c)
{
	c->is_secure = true;
	loop_timer_stop(c->loop, &c->timer);
	c->ops->on_tls(c, c->ctx);
}

static void end_of_input(struct conn *c)
{
	c->is_eof = true;
	conn_update_reading(c);
	if (c->is_shut || (c->tls && !c->is_secure))
		conn_finish(c, CONN_END_PEER);
	else if (!c->is_closing)
		c->ops->on_eof(c, c->ctx);
}

/*
 * Ciphertext to plaintext. A read never exceeds the room in `in`, and the
 * slack covers what a record begun earlier adds, so all of data is taken.
 */
static void unseal(struct conn *c, const char *data, size_t len)
{
	size_t used;
	enum tls_result result =
	    tls_feed(c->tls, data, len, &used, &c->in, &c->wire);

	if (buf_len(&c->wire) > 0)
		conn_queue_turn(c);
	if (result == TLS_FAILED || used < len) {
		conn_begin_close(c, CONN_END_TLS);
		return;
	}
	if (!c->is_secure && tls_is_established(c->tls))
		on_established(c);
	conn_deliver(c);
	if (result == TLS_CLOSED && !c->is_eof && !c->is_dead)
		end_of_input(c);
}

/* No callback runs: a client's first words never complete a handshake. */
void conn_take_first_flight(struct conn *c)
{
	struct buf first;
	size_t used = 0;

	buf_init(&first, c->in.max);
	(void)conn_move(&first, &c->in); /* by reference, which cannot fail */
	struct span s = buf_span(&first);
	enum tls_result result =
	    tls_feed(c->tls, s.ptr, s.len, &used, &c->in, &c->wire);
	if (result != TLS_OK || used < s.len)
		conn_begin_close(c, CONN_END_TLS);
	buf_finish(&first);
}

static void receive(struct conn *c, const char *data, size_t len)
{
	if (c->tls)
		unseal(c, data, len);
	else if (buf_add(&c->in, data, len) < 0)
		conn_finish(c, CONN_END_MEMORY);
	else
		conn_deliver(c);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *b)
{
	struct conn *c = stream->data;

	if (nread > 0)
		c->burst += (size_t)nread;
	if (nread == UV_EOF)
		end_of_input(c);
	else if (nread < 0)
		conn_finish(c, CONN_END_RESET);
	else if (nread > 0 && !c->is_closing)
		receive(c, b->base, (size_t)nread);
	if (c->burst >= BURST_MAX) {
		conn_update_reading(c);
		conn_queue_turn(c);
	}
}

/* A connection that closes reads on, to drop what comes. */
static bool wants_to_read(const struct conn *c)
{
	if (!c->is_started || c->is_dead || c->is_eof || c->burst >= BURST_MAX)
		return false;
	return c->is_closing ||
	       (!c->is_paused && buf_len(&c->in) < CONN_IN_MAX);
}

void conn_update_reading(struct conn *c)
{
	bool wanted = wants_to_read(c);

	if (wanted == c->is_reading || c->is_dead)
		return;
	c->is_reading = wanted;
	if (!wanted)
		(void)uv_read_stop((uv_stream_t *)&c->tcp);
	else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		conn_finish(c, CONN_END_RESET);
}

struct buf *conn_in(struct conn *c)
{
	return &c->in;
}

void conn_pause(struct conn *c)
{
	c->is_paused = true;
	conn_update_reading(c);
}

void conn_resume(struct conn *c)
{
	c->is_paused = false;
	conn_update_reading(c);
	if (buf_len(&c->in) == 0)
		return;
	c->wants_data = true;
	conn_queue_turn(c);
}
