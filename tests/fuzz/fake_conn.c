/* See fake_conn.h. */
#include "fake_conn.h"

#include "fuzz.h"

#include <base/list.h>
#include <loop/loop.h>
#include <net/tls.h>
#include <net/tls_set.h>

#include <stdlib.h>

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	void *ctx;
	struct buf in;
	struct buf *out;
	size_t unsent; /* of out, in this turn */
	struct task turn;
	struct netaddr peer;
	char peer_text[NETADDR_TEXT_SIZE];
	struct conn_name local;
	enum conn_end end;
	bool is_started, is_paused, is_queued, is_tls, is_eof;
	bool shakes_hands, wants_data; /* at the next turn */
	bool *is_over;
};

/* --- the turn: what must not run inside the session's calls --- */

static void finish(struct conn *c)
{
	*c->is_over = true;
	c->ops->on_closed(c, c->end, c->ctx);
	buf_finish(&c->in);
	free(c);
}

static void deliver(struct conn *c)
{
	if (!c->is_paused && buf_len(&c->in) > 0 && c->end == CONN_END_NONE)
		c->ops->on_data(c, c->ctx);
}

static void on_turn(struct task *t)
{
	struct conn *c = container_of(t, struct conn, turn);
	bool was_high = c->unsent >= CONN_OUT_HIGH;

	c->is_queued = false;
	c->unsent = 0;
	if (c->end != CONN_END_NONE) {
		finish(c);
		return;
	}
	if (was_high)
		c->ops->on_drained(c, c->ctx);
	if (c->shakes_hands && c->end == CONN_END_NONE) {
		c->shakes_hands = false;
		c->is_tls = true;
		c->ops->on_tls(c, c->ctx);
	}
	if (c->wants_data) {
		c->wants_data = false;
		deliver(c);
	}
}

static void queue_turn(struct conn *c)
{
	if (c->is_queued)
		return;
	c->is_queued = true;
	loop_post(c->loop, &c->turn);
}

/* --- the target's end --- */

struct conn *fake_conn_new(struct loop *l, struct buf *out, bool *is_over)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct conn){ .loop = l, .out = out, .is_over = is_over };
	c->turn.run = on_turn;
	buf_init(&c->in, CONN_IN_MAX);
	fuzz_claim(netaddr_parse(SPAN("192.0.2.1"), &c->peer));
	(void)netaddr_format(&c->peer, c->peer_text);
	*is_over = false;
	return c;
}

size_t fake_conn_feed(struct conn *c, struct span in)
{
	struct span taken = span_first(in, CONN_IN_MAX - buf_len(&c->in));

	if (c->end != CONN_END_NONE)
		return in.len; /* read and dropped */
	if (c->is_paused || c->is_eof || c->shakes_hands)
		return 0;
	fuzz_claim(c->is_started);
	fuzz_claim(buf_add_span(&c->in, taken) == 0);
	deliver(c);
	return taken.len;
}

void fake_conn_eof(struct conn *c)
{
	if (c->is_eof || c->end != CONN_END_NONE)
		return;
	c->is_eof = true;
	c->ops->on_eof(c, c->ctx);
}

/* --- net/conn.h --- */

void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
	c->ops = ops;
	c->ctx = ctx;
}

void conn_set_handshake_ms(struct conn *c, uint64_t ms)
{
	(void)c;
	(void)ms;
}

void conn_start(struct conn *c)
{
	c->is_started = true;
}

bool conn_has_early_data(const struct conn *c)
{
	(void)c;
	return false;
}

struct buf *conn_in(struct conn *c)
{
	return &c->in;
}

void conn_pause(struct conn *c)
{
	c->is_paused = true;
}

void conn_resume(struct conn *c)
{
	c->is_paused = false;
	c->wants_data = true;
	queue_turn(c);
}

void conn_write(struct conn *c, const void *data, size_t len)
{
	if (c->end != CONN_END_NONE)
		return;
	fuzz_claim(buf_add(c->out, data, len) == 0);
	c->unsent += len;
	queue_turn(c);
}

bool conn_is_congested(const struct conn *c)
{
	return c->unsent >= CONN_OUT_HIGH;
}

void conn_start_tls(struct conn *c, struct tls_ctx *ctx)
{
	(void)ctx;
	fuzz_claim(buf_len(&c->in) == 0);
	c->shakes_hands = true;
	queue_turn(c);
}

bool conn_is_tls(const struct conn *c)
{
	return c->is_tls;
}

const char *conn_tls_version(const struct conn *c)
{
	return c->is_tls ? "TLSv1.3" : NULL;
}

const char *conn_tls_cipher(const struct conn *c)
{
	return c->is_tls ? "TLS_AES_256_GCM_SHA384" : NULL;
}

int conn_tls_bits(const struct conn *c)
{
	return c->is_tls ? 256 : 0;
}

const char *conn_tls_error(const struct conn *c)
{
	(void)c;
	return "";
}

enum counter_tls_failure conn_tls_failure(const struct conn *c)
{
	(void)c;
	return COUNTER_TLS_OTHER;
}

const struct tls_peer *conn_tls_peer(const struct conn *c)
{
	(void)c;
	return NULL;
}

const char *conn_tls_peer_doubt(const struct conn *c)
{
	(void)c;
	return "";
}

void conn_close(struct conn *c)
{
	conn_abort(c, CONN_END_LOCAL);
}

void conn_abort(struct conn *c, enum conn_end why)
{
	if (c->end == CONN_END_NONE)
		c->end = why;
	queue_turn(c);
}

const char *conn_peer(const struct conn *c)
{
	return c->peer_text;
}

const struct netaddr *conn_peer_addr(const struct conn *c)
{
	return &c->peer;
}

uint16_t conn_peer_port(const struct conn *c)
{
	(void)c;
	return 40000;
}

const struct conn_name *conn_local(const struct conn *c)
{
	return &c->local;
}

const char *conn_proxy(const struct conn *c)
{
	(void)c;
	return NULL;
}

void conn_set_peer(struct conn *c, const struct conn_name *peer)
{
	c->peer = peer->addr;
	(void)netaddr_format(&c->peer, c->peer_text);
}

void conn_set_local(struct conn *c, const struct conn_name *local)
{
	c->local = *local;
}

/* --- contexts: whatever is asked for, there is one --- */

struct tls_ctx *tls_set_find(const struct tls_set *s, const struct config *c,
    const struct config_listener *l)
{
	(void)c;
	(void)l;
	return (struct tls_ctx *)(uintptr_t)s;
}

void tls_set_free(struct tls_set *s)
{
	(void)s;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
	(void)ctx;
}
