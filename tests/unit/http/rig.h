/*
 * A loop with an http object and a queue of calls that run one after the
 * other; the end of the last closes everything and ends the loop.
 */
#pragma once

#include "raw_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http/http.h>
#include <loop/blocking.h>
#include <loop/loop.h>

enum {
	RIG_CALLS_MAX = 512
};

/* One call and what became of it. */
struct rig_call {
	struct http_call call;
	struct rig *rig;
	char url[128];
	const char *headers[4];
	unsigned done; /* times on_done ran */
	enum http_fault fault;
	int status;
	char body[64];
	size_t body_len, header_count;
	char retry_after[16], command[16];
	char error[256];
	int read_error; /* body_read answers this */
};

struct rig {
	struct loop *loop;
	struct blocking *pool;
	struct http *http;
	struct http_settings settings;
	struct rig_call calls[RIG_CALLS_MAX];
	size_t count, submitted, done;
	bool is_parallel, is_closed;
	/* Runs after each call; NULL: submit the next one. */
	void (*after)(struct rig *rig, struct rig_call *c);
	struct task start;
};

static inline ptrdiff_t rig_read(
    void *ctx, uint64_t offset, char *out, size_t len)
{
	struct rig_call *c = ctx;

	if (c->read_error)
		return c->read_error;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)raw_body_byte(offset + i);
	return (ptrdiff_t)len;
}

static inline void rig_closed(void *ctx)
{
	struct rig *rig = ctx;

	rig->is_closed = true;
	loop_stop(rig->loop);
}

static inline void rig_submit_next(struct rig *rig)
{
	struct rig_call *c = &rig->calls[rig->submitted++];

	ck_assert_int_eq(http_submit(rig->http, &c->call), 0);
	ck_assert_uint_eq(c->done, 0);
}

static inline void rig_done(
    struct http_call *call, const struct http_response *r)
{
	struct rig_call *c = call->ctx;
	struct rig *rig = c->rig;

	c->done++;
	c->fault = r->fault;
	c->status = r->status;
	c->body_len = r->body.len;
	(void)snprintf(c->body, sizeof(c->body), "%.*s",
	    (int)(r->body.len < 63 ? r->body.len : 63), r->body.ptr);
	(void)snprintf(c->error, sizeof(c->error), "%s", r->error);
	c->header_count = r->header_count;
	for (size_t i = 0; i < r->header_count; i++) {
		if (span_ieq(r->headers[i].name, SPAN("retry-after")))
			(void)snprintf(c->retry_after, sizeof(c->retry_after),
			    "%.*s", SPAN_FMT(r->headers[i].value));
		if (span_eq(r->headers[i].name, SPAN("Command")))
			(void)snprintf(c->command, sizeof(c->command), "%.*s",
			    SPAN_FMT(r->headers[i].value));
	}
	rig->done++;
	if (rig->after)
		rig->after(rig, c);
	else if (rig->submitted < rig->count)
		rig_submit_next(rig);
	if (rig->done == rig->count)
		http_close(rig->http, rig_closed, rig);
}

static inline void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->settings.connect_timeout_ms = 2000;
	rig->settings.max_connections_per_host = 4;
	rig->loop = loop_new(0);
	rig->pool = blocking_new(1, 16);
	ck_assert_ptr_nonnull(rig->loop);
	ck_assert_ptr_nonnull(rig->pool);
}

static inline struct rig_call *rig_add(
    struct rig *rig, const char *host, unsigned port, uint64_t body_size)
{
	struct rig_call *c = &rig->calls[rig->count++];

	(void)snprintf(c->url, sizeof(c->url), "%s:%u/send", host, port);
	c->rig = rig;
	c->headers[0] = "Content-Type: application/json";
	c->headers[1] = "X-Test: yes";
	c->call = (struct http_call){ .method = "POST",
		.url = c->url,
		.headers = c->headers,
		.body_size = body_size,
		.body_read = rig_read,
		.on_done = rig_done,
		.ctx = c,
		.timeout_ms = 20000 };
	return c;
}

static inline void rig_start(struct task *t)
{
	struct rig *rig =
	    (struct rig *)(void *)((char *)t - offsetof(struct rig, start));

	do
		rig_submit_next(rig);
	while (rig->is_parallel && rig->submitted < rig->count);
}

/* Run all calls, close, and free the rig. */
static inline void rig_run(struct rig *rig)
{
	rig->http = http_new(rig->loop, rig->pool, &rig->settings);
	ck_assert_ptr_nonnull(rig->http);
	rig->start.run = rig_start;
	loop_post(rig->loop, &rig->start);
	loop_run(rig->loop);
	ck_assert(rig->is_closed);
	for (size_t i = 0; i < rig->count; i++)
		ck_assert_uint_eq(rig->calls[i].done, 1);
	loop_free(rig->loop);
	blocking_free(rig->pool);
}
