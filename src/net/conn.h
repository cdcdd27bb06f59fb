/*
 * One stream connection: plaintext in, plaintext out, TLS inside or not.
 * Owned by the user (a session) until on_closed; everything on one loop's
 * thread. Knows nothing of SMTP.
 *
 * Received plaintext waits in conn_in(); on_data says that there is more.
 * Bytes the user leaves there stay. Reading pauses by itself while in is
 * full, so a peer can never make a connection hold more than its limits.
 */
#pragma once

#include <base/buf.h>
#include <base/counters.h>
#include <base/netaddr.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct loop;
struct sockaddr;
struct tls_ctx;
struct tls_peer;

enum conn_end {
	CONN_END_NONE = 0,
	CONN_END_LOCAL,   /* conn_close was called */
	CONN_END_PEER,    /* the peer closed first, in order */
	CONN_END_RESET,   /* the network or the peer broke it */
	CONN_END_TLS,     /* handshake or record failure */
	CONN_END_TIMEOUT, /* the peer stopped reading or shaking hands */
	CONN_END_MEMORY
};

/* One end of a connection. */
struct conn_name {
	struct netaddr addr;
	uint16_t port;
};

/*
 * None may be NULL. They may call any conn_* function but never free the
 * connection. After conn_close only on_closed runs, exactly once.
 */
struct conn_ops {
	/* More plaintext in conn_in(), or the first since conn_resume. */
	void (*on_data)(struct conn *c, void *ctx);
	/*
	 * The peer will send no more. What waits in conn_in() may still be
	 * answered; the user closes when it has done so. Runs once at most.
	 */
	void (*on_eof)(struct conn *c, void *ctx);
	/* The write queue fell below its low water mark after being high. */
	void (*on_drained)(struct conn *c, void *ctx);
	/* The handshake asked for has completed. */
	void (*on_tls)(struct conn *c, void *ctx);
	/* The end; the connection is freed after this returns. */
	void (*on_closed)(struct conn *c, enum conn_end why, void *ctx);
};

enum {
	CONN_IN_MAX = 64 * 1024,   /* plaintext waiting for the user */
	CONN_OUT_HIGH = 64 * 1024, /* conn_is_congested above this */
	CONN_HANDSHAKE_MS = 30 * 1000,
	CONN_STALL_MS = 300 * 1000, /* for the peer to take what waits */
	CONN_CLOSE_MS = 5 * 1000    /* to flush the last words */
};

/*
 * Take an accepted socket. Takes ownership of fd, also on failure (NULL).
 * peer: as accept told it, which a socket that was reset since cannot.
 */
struct conn *conn_new_accepted(
    struct loop *l, int fd, const struct sockaddr *peer);
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);
/* Begin to read; on_data may run from the next turn on. */
void conn_start(struct conn *c);
/* Whether bytes are waiting already: who spoke before being greeted. */
bool conn_has_early_data(const struct conn *c);

struct buf *conn_in(struct conn *c);
/* Stop calling on_data and reading from the socket, and go on again. After
 * a resume on_data runs if anything waits (never inside conn_resume). */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/*
 * Queue bytes (copied); they leave at the end of the turn, in one write with
 * what else the turn queued. On memory failure the connection closes by
 * itself.
 */
void conn_write(struct conn *c, const void *data, size_t len);
bool conn_is_congested(const struct conn *c);

/*
 * Become a TLS server. What is queued leaves first in plaintext. What waits in
 * conn_in() is taken for the beginning of the handshake, as it is behind the
 * header of a proxy; after STARTTLS such bytes are an attack, and the caller
 * checks (RFC 3207 4.2). on_tls follows, or on_closed.
 */
void conn_start_tls(struct conn *c, struct tls_ctx *ctx);
/* For handshakes that begin later; CONN_HANDSHAKE_MS if never called. */
void conn_set_handshake_ms(struct conn *c, uint64_t ms);
bool conn_is_tls(const struct conn *c);
/* For log and Received: "TLSv1.3", cipher name, secret bits. Else NULL, 0. */
const char *conn_tls_version(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);
int conn_tls_bits(const struct conn *c);
/*
 * Who the client proved to be with a certificate (net/tls_peer.h); NULL when
 * it showed none that could be verified. Borrowed for the connection's life.
 */
const struct tls_peer *conn_tls_peer(const struct conn *c);
/* Why the certificate it showed is not believed, for the log; else "". */
const char *conn_tls_peer_doubt(const struct conn *c);
/* Why TLS failed, for the log; "" when it did not. */
const char *conn_tls_error(const struct conn *c);
enum counter_tls_failure conn_tls_failure(const struct conn *c);

/*
 * Flush what is queued, then close; what the peer still sends is dropped, so
 * that no RST overtakes the last words. Idempotent; the first reason stays.
 */
void conn_close(struct conn *c);
/* Close without flushing (RST is fine). */
void conn_abort(struct conn *c, enum conn_end why);

/*
 * The client: what the socket says, or what a trusted proxy said in its
 * place. Text is numeric without port, e.g. "192.0.2.1", "local" for a socket
 * in the file system, "unknown" when nobody knows. Valid for c's life.
 */
const char *conn_peer(const struct conn *c);
const struct netaddr *conn_peer_addr(const struct conn *c);
uint16_t conn_peer_port(const struct conn *c); /* 0: not known, or no port */
/* Where the client connected to; port 0 likewise. */
const struct conn_name *conn_local(const struct conn *c);
/* The other end of the socket itself when it is another, a proxy; else NULL. */
const char *conn_proxy(const struct conn *c);
/* What a proxy says about either end; copied. */
void conn_set_peer(struct conn *c, const struct conn_name *peer);
void conn_set_local(struct conn *c, const struct conn_name *local);
