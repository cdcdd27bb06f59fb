/*
 * What the files of this folder share but SMTP, which relay_internal.h tells
 * of. http.c owns requests and their life, transfer.c what one request asks of
 * curl, response.c what came back, engine.c curl's sockets and timer on the
 * loop.
 */
#pragma once

#include <base/buf.h>
#include <base/list.h>
#include <http/http.h>
#include <http/resolve.h>
#include <loop/loop.h>

#include <curl/curl.h>

enum {
	HTTP_FIELDS_MAX = 128,       /* header fields shown to the caller */
	HTTP_SMALL_BODY = 32 * 1024, /* up to here one write carries all */
	HTTP_ORIGIN_MAX = 256 + 8    /* host:port */
};

/* --- engine.c: the multi handle --- */

struct engine {
	struct loop *loop;
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that reconnects resume */
	struct loop_timer timer;
	struct task kick; /* curl wants to run at the end of this turn */
	bool is_kick_queued, is_stopped;
	unsigned open_sockets;
	/*
	 * Runs for every transfer that ended, whose handle is still there to be
	 * removed; may add and remove others.
	 */
	void (*on_ended)(CURL *easy, CURLcode code);
	/* Runs once after engine_stop when no handle is left on the loop. */
	void (*on_stopped)(struct engine *e);
};

/* 0 or a negative errno. */
int engine_init(struct engine *e, struct loop *l, unsigned per_host);
/* For connections from now on; open ones stay. */
void engine_set_limit(struct engine *e, unsigned per_host);
/* All easy handles are gone; on_stopped follows, inside or later. */
void engine_stop(struct engine *e);
/* 0 or a negative errno. Curl starts at the end of the turn. */
int engine_add(struct engine *e, CURL *easy);
void engine_remove(struct engine *e, CURL *easy);

/* --- transfer.c: one request --- */

enum request_state {
	REQUEST_IDLE = 0,  /* in http.idle, waits to be used again */
	REQUEST_RESOLVING, /* waits for the host's addresses */
	REQUEST_RUNNING,   /* curl has it */
	REQUEST_ENDED      /* in http.ended, on_done is due */
};

/*
 * Settings of connections. A request keeps those it was made with, handle and
 * all; counted by http and its requests, loop's thread.
 */
struct http_options {
	size_t refs;
	uint64_t connect_timeout_ms;
	char *ca_file, *proxy, *name; /* NULL: not set */
};

struct http_options *options_new(const struct http_settings *settings);
void options_unref(struct http_options *o); /* accepts NULL */
/* Set up a new handle: certificates, proxy, times. 0 or -EINVAL. */
int options_apply(const struct http_options *o, CURL *easy);

/* What names a server in a URL; spans into it. */
struct origin {
	struct span host; /* without brackets */
	unsigned port;
};

/* Where a host is, for CURLOPT_RESOLVE, which keeps pointers to it. */
struct pin {
	struct curl_slist node;
	char text[HTTP_ORIGIN_MAX + RESOLVE_TEXT_SIZE];
};

/* addresses: NULL when the URL has a literal one. 0 or a negative errno. */
int pin_set(struct pin *p, CURL *easy, const struct origin *peer,
    const char *addresses);

/* Owned by http; loop's thread. Reused from request to request. */
struct http_request {
	struct list node; /* http.idle, http.busy or http.ended */
	struct http *http;
	struct http_options *options; /* a reference */
	struct http_call *call;
	enum request_state state;
	CURL *easy;
	uint64_t begun_ns;
	struct resolve_query query;
	struct loop_timer patience; /* until it is issued */

	uint64_t offset;  /* next body byte curl will ask for */
	bool is_issued;   /* curl has begun to send it at least once */
	bool may_be_sent; /* an earlier try may have delivered all of it */
	bool has_head;    /* final status and all its header fields came */
	bool is_overlong; /* the response exceeded our limits */
	bool is_custom;   /* the handle is set to a method other than POST */
	bool is_direct;   /* the handle is set to use no proxy */
	enum http_fault fault; /* decided without curl */

	struct buf payload;       /* the body when it is small */
	struct buf head, body;    /* of the response */
	struct curl_slist *lines; /* request header, nodes of ours */
	size_t line_cap;
	struct pin pin;
	char error[CURL_ERROR_SIZE];
	struct http_header fields[HTTP_FIELDS_MAX];
	struct http_response response;
};

struct http_request *transfer_new(struct http *h);
void transfer_free(struct http_request *r);
/* Forget the last request; keep the handle and modest buffers. */
void transfer_reset(struct http_request *r);
/*
 * Give the call to curl, with the addresses of the host to connect to (NULL
 * when the URL has a literal one). 0 or a negative errno.
 */
int transfer_start(
    struct http_request *r, const struct origin *peer, const char *addresses);
/* Whether the peer may have got all of the request; issued ones only. */
bool transfer_may_be_whole(struct http_request *r);

/* --- response.c --- */

/* Curl's write and header callbacks; arg is the request. */
size_t response_on_body(char *data, size_t size, size_t count, void *arg);
size_t response_on_header(char *data, size_t size, size_t count, void *arg);
/* What to report when the request is called off now. */
enum http_fault response_fault_if_cancelled(struct http_request *r);
/* Fill r->response after curl is done, or r->fault was set. */
void response_finish(struct http_request *r, CURLcode code);
/* Before anything was sent: what kept it from being. */
enum http_fault response_fault_before_issue(CURLcode code);

/* --- origin.c --- */

/*
 * http(s):// or smtp(s):// and [user@]host[:port][/...]; 0 or -EINVAL. smtp
 * means port 587, of submission.
 */
int origin_parse_url(const char *url, struct origin *out);
/*
 * A proxy in curl's notation: the scheme may be missing, the port defaults to
 * 443 for https and 1080 for the others. 0 or -EINVAL.
 */
int origin_parse_proxy(const char *proxy, struct origin *out);

/* Who is connected to for url: the proxy, when there is one. As above. */
int origin_parse_peer(const struct http_options *o, const char *url,
    bool is_direct, struct origin *out);

/* --- http.c --- */

struct http {
	struct loop *loop;
	struct engine engine;
	struct resolver *resolver;
	struct relay *relay;          /* NULL before the first such call */
	struct http_options *options; /* of new requests */
	unsigned per_host;            /* connections */
	struct list idle, busy, ended;
	unsigned idle_count, inflight;
	struct task deliver; /* hands out http.ended */
	bool is_deliver_queued, is_closing, is_resolver_closed;
	bool is_engine_stopped, is_relay_closed;
	void (*on_closed)(void *ctx);
	void *ctx;
};

/* A call that is not one of http.c's own has ended. */
void http_leave(struct http *h);
