/*
 * A small HTTP server on a loop: libmicrohttpd driven through its epoll
 * descriptor. Used by the stats endpoint and by the sandbox; nobody else
 * knows libmicrohttpd. All functions and callbacks on the loop's thread.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct httpd;
struct httpd_request; /* alive until httpd_reply or httpd_drop */
struct loop;

struct httpd_settings {
	/* "127.0.0.1:8587"; port 0: the kernel chooses. NULL: `socket` is one
	 * that listens, taken over. */
	const char *address;
	int socket;
	uint64_t max_body; /* larger: 413 */
	unsigned max_connections;
	/*
	 * A connection without progress for this long is closed; one that
	 * trickles must complete its request within twice as long.
	 */
	unsigned timeout_s;
	/*
	 * Called when a request is complete. Must lead to exactly one
	 * httpd_reply or httpd_drop, at once or later.
	 */
	void (*on_request)(struct httpd_request *r, void *ctx);
	/* May be NULL. The head is there; httpd_stop_at may be called. */
	void (*on_head)(struct httpd_request *r, void *ctx);
	/*
	 * May be NULL. Nobody will read the answer to r: the peer left (noticed
	 * within about a second) or the server is being closed. r still needs
	 * its httpd_reply or httpd_drop, in here or later.
	 */
	void (*on_gone)(struct httpd_request *r, void *ctx);
	void *ctx;
};

/* settings is copied, but for what it points to. NULL with e filled. */
struct httpd *httpd_start(
    struct loop *l, const struct httpd_settings *s, struct err *e);
/*
 * Stop accepting, and close once every request has had its reply or drop;
 * on_gone is called for those that wait. on_closed runs on the loop, never
 * inside this call.
 */
void httpd_close(struct httpd *h, void (*on_closed)(void *ctx), void *ctx);
int httpd_port(const struct httpd *h);

const char *httpd_method(const struct httpd_request *r);
/* Percent-decoded, without query. */
const char *httpd_path(const struct httpd_request *r);
/* As it stood in the request line, query included. */
const char *httpd_target(const struct httpd_request *r);
/* NULL when absent; names compare without case. */
const char *httpd_header(const struct httpd_request *r, const char *name);
/* Every header line in order, repeated ones too; false from fn ends it. */
void httpd_each_header(const struct httpd_request *r,
    bool (*fn)(const char *name, const char *value, void *ctx), void *ctx);
/* "" for a name without a value, NULL when absent. */
const char *httpd_query(const struct httpd_request *r, const char *name);
/* Of the process at the other end of a unix socket; false elsewhere. */
bool httpd_peer_uid(const struct httpd_request *r, unsigned *out);
struct span httpd_body(const struct httpd_request *r);
/*
 * In on_head: read about so many bytes of the body and leave the rest; the
 * request counts as complete then, and the connection must not go on.
 */
void httpd_stop_at(struct httpd_request *r, uint64_t received);
/* Room for the handler's own state, NULL at first. */
void httpd_set_data(struct httpd_request *r, void *data);
void *httpd_data(const struct httpd_request *r);

struct httpd_reply {
	int status;
	const char *content_type; /* NULL: none */
	const char *const
	    *headers;     /* "Name: value", NULL-terminated, or NULL */
	struct span body; /* copied */
};
void httpd_reply(struct httpd_request *r, const struct httpd_reply *reply);
/*
 * Bytes for the peer past HTTP and the library, as far as the socket takes
 * them; only while the answer is awaited, and httpd_hang_up must follow. For
 * peers that are to see a broken answer.
 */
void httpd_write_raw(struct httpd_request *r, struct span bytes);
/* End the connection in order, after what was written past the library. */
void httpd_hang_up(struct httpd_request *r);
/* Break the connection off without an answer: the peer sees a reset. */
void httpd_drop(struct httpd_request *r);
