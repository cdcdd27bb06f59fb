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
	const char *address; /* "127.0.0.1:8587"; port 0: the kernel chooses */
	uint64_t max_body;   /* larger: 413 */
	unsigned max_connections;
	unsigned timeout_s;
	/*
	 * Called when a request is complete (or, with on_head, before its body
	 * is read). Must lead to exactly one httpd_reply or httpd_drop, at
	 * once or later.
	 */
	void (*on_request)(struct httpd_request *r, void *ctx);
	/* May be NULL. False: drop the connection without reading the body. */
	bool (*on_head)(struct httpd_request *r, void *ctx);
	void *ctx;
};

struct httpd *httpd_start(struct loop *l, const struct httpd_settings *s,
    struct err *e);
/* Requests still open are dropped. on_closed runs on the loop. */
void httpd_close(struct httpd *h, void (*on_closed)(void *ctx), void *ctx);
int httpd_port(const struct httpd *h);

const char *httpd_method(const struct httpd_request *r);
const char *httpd_path(const struct httpd_request *r); /* without query */
/* NULL when absent; names compare without case. */
const char *httpd_header(const struct httpd_request *r, const char *name);
const char *httpd_query(const struct httpd_request *r, const char *name);
struct span httpd_body(const struct httpd_request *r);
/* Room for the handler's own state, NULL at first. */
void httpd_set_data(struct httpd_request *r, void *data);
void *httpd_data(const struct httpd_request *r);

struct httpd_reply {
	int status;
	const char *content_type;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	struct span body;           /* copied */
};
void httpd_reply(struct httpd_request *r, const struct httpd_reply *reply);
/* Close the connection without an answer. */
void httpd_drop(struct httpd_request *r);
