/*
 * Requests from submit to on_done. A request is in exactly one list: idle
 * (kept for reuse), busy (resolving or with curl) or ended (its on_done is
 * due at the end of the turn). on_done never runs inside a call of the user.
 */
#include <http/http_internal.h>
#include <http/relay_internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>

enum {
	IDLE_MAX = 64 /* handles kept for reuse; each is some 10 KB */
};

int http_library_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

void http_library_done(void)
{
	curl_global_cleanup();
}

static void recycle(struct http_request *r)
{
	struct http *h = r->http;

	if (h->is_closing || h->idle_count >= IDLE_MAX ||
	    r->options != h->options) {
		transfer_free(r);
		return;
	}
	transfer_reset(r);
	r->state = REQUEST_IDLE;
	list_append(&h->idle, &r->node);
	h->idle_count++;
}

static void close_step(struct http *h);

/* The response is filled: hand it over and take the request back. */
static void complete(struct http_request *r)
{
	struct http *h = r->http;
	struct http_call *call = r->call;

	list_remove(&r->node);
	h->inflight--;
	call->request = NULL;
	call->on_done(call, &r->response);
	recycle(r);
}

static void on_deliver(struct task *t)
{
	struct http *h = container_of(t, struct http, deliver);

	h->is_deliver_queued = false;
	while (!list_is_empty(&h->ended))
		complete(
		    container_of(h->ended.next, struct http_request, node));
	close_step(h);
}

static void deliver_later(struct http *h)
{
	if (h->is_deliver_queued)
		return;
	h->is_deliver_queued = true;
	loop_defer(h->loop, &h->deliver);
}

void http_leave(struct http *h)
{
	h->inflight--;
	if (h->is_closing)
		deliver_later(h);
}

/* End a request that curl does not hold (any more). */
static void end(
    struct http_request *r, enum http_fault fault, const char *error)
{
	r->fault = fault;
	(void)snprintf(r->error, sizeof(r->error), "%s", error);
	response_finish(r, CURLE_OK);
	r->state = REQUEST_ENDED;
	list_remove(&r->node);
	list_append(&r->http->ended, &r->node);
	deliver_later(r->http);
}

static void on_ended(CURL *easy, CURLcode code)
{
	char *private = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	struct http_request *r = (struct http_request *)(void *)private;
	engine_remove(&r->http->engine, easy);
	loop_timer_stop(r->http->loop, &r->patience);
	response_finish(r, code);
	complete(r);
}

/*
 * Curl does not count the time a request waits for one of the connections
 * that are allowed, and while a provider hangs that has no end.
 */
static int start_transfer(
    struct http_request *r, const struct origin *peer, const char *addresses)
{
	int rc = transfer_start(r, peer, addresses);

	if (rc)
		return rc;
	r->state = REQUEST_RUNNING;
	loop_timer_start(r->http->loop, &r->patience, r->call->timeout_ms);
	return 0;
}

static void on_addresses(
    struct resolve_query *q, const char *addresses, const char *error)
{
	struct http_request *r = container_of(q, struct http_request, query);
	struct origin peer;

	loop_timer_stop(r->http->loop, &r->patience);
	if (!addresses) {
		end(r, HTTP_FAULT_RESOLVE, error);
		return;
	}
	int rc = origin_parse_peer(
	    r->options, r->call->url, r->call->is_direct, &peer);
	if (rc == 0)
		rc = start_transfer(r, &peer, addresses);
	if (rc)
		end(r, HTTP_FAULT_UNSENT, strerror(-rc));
}

static void on_impatient(struct loop_timer *t)
{
	struct http_request *r = container_of(t, struct http_request, patience);

	if (r->state == REQUEST_RESOLVING) {
		resolver_cancel(&r->query);
		end(r, HTTP_FAULT_RESOLVE, "Timed out looking up the host");
	} else if (!r->is_issued) {
		engine_remove(&r->http->engine, r->easy);
		end(r, HTTP_FAULT_CONNECT,
		    "Timed out waiting for a connection");
	}
}

static struct http_request *take_request(struct http *h)
{
	if (list_is_empty(&h->idle))
		return transfer_new(h);
	/* The last one used: its memory is warm. */
	struct http_request *r =
	    container_of(h->idle.prev, struct http_request, node);
	list_remove(&r->node);
	h->idle_count--;
	return r;
}

static void wait_for_addresses(struct http_request *r)
{
	const struct http *h = r->http;
	uint64_t limit = r->call->timeout_ms;

	if (limit > r->options->connect_timeout_ms)
		limit = r->options->connect_timeout_ms;
	r->state = REQUEST_RESOLVING;
	loop_timer_start(h->loop, &r->patience, limit);
}

static int begin(struct http_request *r, const struct origin *peer)
{
	struct http *h = r->http;
	const char *addresses = NULL;
	int rc = 0;

	r->begun_ns = clock_mono_ns();
	r->query.done = on_addresses;
	loop_timer_init(&r->patience, on_impatient);
	if (!resolve_is_literal(peer->host)) {
		addresses =
		    resolver_lookup(h->resolver, peer->host, &r->query, &rc);
		if (rc)
			return rc;
		if (!addresses) {
			wait_for_addresses(r);
			return 0;
		}
	}
	return start_transfer(r, peer, addresses);
}

int http_submit(struct http *h, struct http_call *call)
{
	struct origin peer;

	call->request = NULL;
	call->session = NULL;
	if (h->is_closing)
		return -ECANCELED;
	if (call->smtp)
		return relay_submit(h, call);
	int rc =
	    origin_parse_peer(h->options, call->url, call->is_direct, &peer);
	if (rc)
		return rc;
	struct http_request *r = take_request(h);
	if (!r)
		return -ENOMEM;
	r->call = call;
	r->body.is_secret = r->payload.is_secret = call->is_secret;
	rc = begin(r, &peer);
	if (rc) {
		recycle(r);
		return rc;
	}
	call->request = r;
	list_append(&h->busy, &r->node);
	h->inflight++;
	return 0;
}

static void cancel(struct http_request *r)
{
	struct http *h = r->http;

	if (r->state == REQUEST_ENDED)
		return;
	resolver_cancel(&r->query);
	loop_timer_stop(h->loop, &r->patience);
	if (r->state == REQUEST_RUNNING)
		engine_remove(&h->engine, r->easy);
	end(r, response_fault_if_cancelled(r), "Cancelled");
}

void http_cancel(struct http *h, struct http_call *call)
{
	(void)h;
	if (call->request)
		cancel(call->request);
	if (call->session)
		relay_cancel(call->session);
}

void http_cancel_all(struct http *h)
{
	while (!list_is_empty(&h->busy))
		cancel(container_of(h->busy.next, struct http_request, node));
	if (h->relay)
		relay_cancel_all(h->relay);
}

unsigned http_inflight(const struct http *h)
{
	return h->inflight;
}

static void on_engine_stopped(struct engine *e)
{
	struct http *h = container_of(e, struct http, engine);

	h->is_engine_stopped = true;
	deliver_later(h);
}

static void on_resolver_closed(void *ctx)
{
	struct http *h = ctx;

	h->is_resolver_closed = true;
	deliver_later(h);
}

static void on_relay_closed(void *ctx)
{
	struct http *h = ctx;

	h->relay = NULL;
	h->is_relay_closed = true;
	deliver_later(h);
}

static void free_idle(struct http *h)
{
	list_for_each_safe (pos, tmp, &h->idle) {
		list_remove(pos);
		transfer_free(container_of(pos, struct http_request, node));
	}
	h->idle_count = 0;
}

static void http_free(struct http *h)
{
	options_unref(h->options);
	free(h);
}

/*
 * Once nothing is in flight, stop the engine, the resolver and SMTP; once all
 * have stopped, go. They report through the deliver task, so this never runs
 * below itself.
 */
static void close_step(struct http *h)
{
	if (!h->is_closing || h->inflight > 0 || h->is_deliver_queued)
		return;
	if (h->resolver) {
		struct resolver *r = h->resolver;

		h->resolver = NULL;
		free_idle(h);
		engine_stop(&h->engine);
		resolver_close(r, on_resolver_closed, h);
		if (h->relay)
			relay_close(h->relay, on_relay_closed, h);
		else
			h->is_relay_closed = true;
		return;
	}
	if (!h->is_engine_stopped || !h->is_resolver_closed ||
	    !h->is_relay_closed)
		return;
	void (*on_closed)(void *ctx) = h->on_closed;
	void *ctx = h->ctx;
	http_free(h);
	on_closed(ctx);
}

void http_close(struct http *h, void (*on_closed)(void *ctx), void *ctx)
{
	h->is_closing = true;
	h->on_closed = on_closed;
	h->ctx = ctx;
	http_cancel_all(h);
	deliver_later(h);
}

static bool copy_text(const char *from, char **out)
{
	if (!from || !*from)
		return true;
	*out = span_dup(span_of(from));
	return *out != NULL;
}

struct http_options *options_new(const struct http_settings *settings)
{
	struct http_options *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->refs = 1;
	o->connect_timeout_ms = settings->connect_timeout_ms;
	if (copy_text(settings->ca_file, &o->ca_file) &&
	    copy_text(settings->proxy, &o->proxy) &&
	    copy_text(settings->name, &o->name))
		return o;
	options_unref(o);
	return NULL;
}

void options_unref(struct http_options *o)
{
	if (!o || --o->refs > 0)
		return;
	free(o->ca_file);
	free(o->proxy);
	free(o->name);
	free(o);
}

int http_set_settings(struct http *h, const struct http_settings *settings)
{
	struct http_options *o = options_new(settings);

	if (!o)
		return -ENOMEM;
	options_unref(h->options);
	h->options = o;
	free_idle(h);
	engine_set_limit(&h->engine, settings->max_connections_per_host);
	h->per_host = settings->max_connections_per_host;
	if (h->relay)
		relay_drop_idle(h->relay);
	return 0;
}

struct http *http_new(
    struct loop *l, struct blocking *pool, const struct http_settings *settings)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->loop = l;
	h->deliver.run = on_deliver;
	list_init(&h->idle);
	list_init(&h->busy);
	list_init(&h->ended);
	h->engine.on_ended = on_ended;
	h->engine.on_stopped = on_engine_stopped;
	h->resolver = resolver_new(l, pool);
	h->options = options_new(settings);
	h->per_host = settings->max_connections_per_host;
	if (!h->resolver || !h->options ||
	    engine_init(&h->engine, l, settings->max_connections_per_host)) {
		free(h->resolver);
		http_free(h);
		return NULL;
	}
	return h;
}
