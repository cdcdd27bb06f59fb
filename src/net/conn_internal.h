/*
 * A connection from inside: conn.c is its life and its TLS, conn_in.c the way
 * in, conn_out.c the way out.
 *
 *   in:  uv_read -> (tls_feed) -> in -> on_data
 *   out: conn_write -> out -> (tls_write) -> wire -> the socket
 */
#pragma once

#include <net/conn.h>

#include <loop/loop.h>

#include <uv.h>

enum {
	CONN_READ_SIZE = 64 * 1024,
	/* A record that an earlier read began may complete in this one. */
	CONN_RECORD_SLACK = 17 * 1024,
	CONN_OUT_MAX = 4 * CONN_OUT_HIGH,
	/* Sealed bytes, and alerts and tickets that nobody asked for. */
	CONN_WIRE_MAX = 2 * CONN_OUT_MAX
};

struct conn {
	uv_tcp_t tcp;
	union {
		uv_write_t write;
		uv_shutdown_t shutdown;
	} request; /* one at a time: shutdown follows the last write */
	struct conn_name peer, local; /* a proxy may have said so */
	struct netaddr socket_peer;
	char peer_text[NETADDR_TEXT_SIZE], proxy_text[NETADDR_TEXT_SIZE];
	struct loop *loop;
	const struct conn_ops *ops;
	void *ctx;
	struct tls *tls;
	struct buf in, out, wire;
	struct buf sending; /* belongs to the write request */
	struct loop_timer timer;
	uint64_t handshake_ms; /* 0 = the default */
	struct task turn;
	size_t burst; /* bytes read since the last end of a turn */
	enum conn_end why;
	bool is_started, is_reading, is_paused, is_eof;
	bool is_secure;      /* the handshake is complete */
	bool is_turn_queued; /* turn is in the loop's hands */
	bool wants_data;     /* on_data at the end of the turn */
	bool is_sending;     /* a write request is under way */
	bool is_high;        /* congested; on_drained is owed */
	bool is_closing;     /* flush, then shut down */
	bool is_shut;        /* shutdown asked for */
	bool is_dead;        /* uv_close was called */
	bool is_closed;      /* and has completed */
};

/* Close the handle now; on_closed follows. The first reason stays. */
void conn_finish(struct conn *c, enum conn_end why);
/* Flush, then shut down. */
void conn_begin_close(struct conn *c, enum conn_end why);
/* Have the end-of-turn task run. */
void conn_queue_turn(struct conn *c);

/* --- conn_in.c --- */

/* Read from the socket exactly while somebody wants the bytes. */
void conn_update_reading(struct conn *c);
/* Call on_data if there is something and the user listens. */
void conn_deliver(struct conn *c);
/* The handshake begins with what waits in in. */
void conn_take_first_flight(struct conn *c);
/* The user may have taken bytes: no memory for none, and room for more. */
void conn_after_user(struct conn *c);

/* --- conn_out.c --- */

/* What the turn has queued leaves; a close that waited for it goes on. */
void conn_flush(struct conn *c);
/* Append from to to and empty it, without a copy when to is empty. */
bool conn_move(struct buf *to, struct buf *from);
