/*
 * Connections to SMTP servers, and which call gets which.
 *
 * Curl's own transactions are not used: at the end of a message it waits for
 * the reply inside curl_multi_socket_action, however long the server thinks
 * (smtp_done in its lib/smtp.c), and as long nothing else of this loop runs.
 * With CURLOPT_CONNECT_ONLY it connects, starts TLS and logs in without
 * waiting, and leaves the connection to us; removing the handle closes it.
 *
 * Connections are counted here, for each login at a server: curl takes one
 * that does nothing at the moment for one it may close, so its own limits are
 * those of another multi handle, and have no effect.
 */
#include <http/relay_internal.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>

#include <uv.h>

enum {
	URL_SIZE = 512,
	IDLE_MS = 50 * 1000, /* leave before the server does */
	NO_LIMIT = USHRT_MAX
};

/* Freed in its close callback, later than its session. */
struct relay_watch {
	uv_poll_t poll;
	struct relay *relay;
	struct relay_session *session; /* NULL: it has gone */
};

static struct relay_session *session_of(struct list *node)
{
	return container_of(node, struct relay_session, node);
}

/* --- watching --- */

static void close_step(struct relay *m);

static void on_watch_closed(uv_handle_t *handle)
{
	struct relay_watch *w = handle->data;
	struct relay *m = w->relay;

	free(w);
	m->watches--;
	close_step(m);
}

static void drop_session(struct relay_session *s);

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct relay_watch *w = poll->data;
	struct relay_session *s = w->session;

	(void)status; /* an error shows in reading */
	(void)events;
	if (!s)
		return;
	if (s->state == RELAY_TALKING)
		talk_go_on(s);
	else if (s->state == RELAY_IDLE)
		drop_session(s); /* it says goodbye, or has gone */
}

int relay_watch(struct relay_session *s, bool wants_write)
{
	int events = UV_READABLE | (wants_write ? UV_WRITABLE : 0);

	return uv_poll_start(&s->watch->poll, events, on_ready) ? -EIO : 0;
}

static int watch_new(struct relay_session *s)
{
	struct relay_watch *w = calloc(1, sizeof(*w));
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (!w)
		return -ENOMEM;
	if (curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd) ||
	    fd == CURL_SOCKET_BAD ||
	    uv_poll_init_socket(loop_uv(s->relay->http->loop), &w->poll, fd)) {
		free(w);
		return -EIO;
	}
	*w = (struct relay_watch){
		.poll = w->poll, .relay = s->relay, .session = s
	};
	w->poll.data = w;
	s->relay->watches++;
	s->watch = w;
	return 0;
}

/* Before the descriptor is closed, as its number may be given out again. */
static void watch_drop(struct relay_session *s)
{
	struct relay_watch *w = s->watch;

	if (!w)
		return;
	s->watch = NULL;
	w->session = NULL;
	(void)uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* --- sessions --- */

static void forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* Connected or about to be. */
static bool has_connection(const struct relay_session *s)
{
	return s->easy != NULL;
}

static void disconnect(struct relay_session *s)
{
	loop_timer_stop(s->relay->http->loop, &s->timer);
	resolver_cancel(&s->query);
	watch_drop(s);
	if (!s->easy)
		return;
	engine_remove(&s->relay->engine, s->easy);
	curl_easy_cleanup(s->easy);
	s->easy = NULL;
	talk_free(s->talk);
	s->talk = NULL;
	s->calls = 0;
	s->is_logged_in = s->is_reset_due = s->is_usable = false;
}

static void session_free(struct relay_session *s)
{
	disconnect(s);
	list_remove(&s->node);
	options_unref(s->options);
	free(s->url);
	free(s->user);
	forget(s->password);
	free(s);
}

static bool keep(const char *text, char **out)
{
	*out = text ? span_dup(span_of(text)) : NULL;
	return !text || *out;
}

static void on_timer(struct loop_timer *t);
static void on_addresses(
    struct resolve_query *q, const char *addresses, const char *error);

static struct relay_session *session_new(
    struct relay *m, struct http_call *call)
{
	struct relay_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->relay = m;
	s->options = m->http->options;
	s->options->refs++;
	s->tls = call->smtp->tls;
	s->query.done = on_addresses;
	list_init(&s->query.node);
	loop_timer_init(&s->timer, on_timer);
	list_append(&m->all, &s->node);
	if (keep(call->url, &s->url) && keep(call->smtp->user, &s->user) &&
	    keep(call->smtp->password, &s->password))
		return s;
	session_free(s);
	return NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether a and b are sessions of one login, to one server. */
static bool is_kin(const struct relay_session *a, const struct relay_session *b)
{
	return a->tls == b->tls && a->options == b->options &&
	       is_same(a->url, b->url) && is_same(a->user, b->user) &&
	       is_same(a->password, b->password);
}

static void drop_session(struct relay_session *s)
{
	talk_quit(s);
	session_free(s);
}

void relay_drop_idle(struct relay *m)
{
	list_for_each_safe (pos, tmp, &m->all) {
		if (session_of(pos)->state == RELAY_IDLE)
			drop_session(session_of(pos));
	}
}

/* --- connecting --- */

static size_t on_reply_line(char *data, size_t size, size_t count, void *arg)
{
	struct relay_session *s = arg;

	talk_note(s, span_make(data, size * count));
	return size * count;
}

/* Ours in EHLO is the path of the URL; the port is named, as curl's is 25. */
static int set_url(struct relay_session *s)
{
	const char *name = s->options->name;
	bool is_tls = span_istarts_with(span_of(s->url), SPAN("smtps:"));
	char url[URL_SIZE];
	struct origin at;
	int len;

	if (origin_parse_url(s->url, &at) != 0)
		return -EINVAL;
	bool is_v6 = span_index(at.host, ':') >= 0;
	len = snprintf(url, sizeof(url), "%s://%s%.*s%s:%u/%s",
	    is_tls ? "smtps" : "smtp", is_v6 ? "[" : "", SPAN_FMT(at.host),
	    is_v6 ? "]" : "", at.port, name ? name : "localhost");
	if (len < 0 || (size_t)len >= sizeof(url))
		return -EINVAL;
	return curl_easy_setopt(s->easy, CURLOPT_URL, url) ? -ENOMEM : 0;
}

static int set_login(struct relay_session *s)
{
	static const long levels[] = {
		[HTTP_SMTP_TLS_REQUIRED] = CURLUSESSL_ALL,
		[HTTP_SMTP_TLS_OPPORTUNISTIC] = CURLUSESSL_TRY,
		[HTTP_SMTP_TLS_NONE] = CURLUSESSL_NONE,
	};
	CURL *c = s->easy;
	unsigned bad = 0;

	bad |= curl_easy_setopt(c, CURLOPT_USE_SSL, levels[s->tls]);
	if (!s->user)
		return bad ? -EINVAL : 0;
	bad |= curl_easy_setopt(c, CURLOPT_USERNAME, s->user);
	bad |= curl_easy_setopt(
	    c, CURLOPT_PASSWORD, s->password ? s->password : "");
	/* What else curl knows is weaker than TLS, or looks around by itself.
	 */
	bad |=
	    curl_easy_setopt(c, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
	return bad ? -ENOMEM : 0;
}

static int set_constants(struct relay_session *s)
{
	CURL *c = s->easy;
	unsigned bad = 0;

	bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, s);
	bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
	bad |= curl_easy_setopt(c, CURLOPT_SHARE, s->relay->engine.share);
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	bad |= curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_reply_line);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
	return bad ? -EINVAL : 0;
}

static int connect_to(
    struct relay_session *s, const struct origin *peer, const char *addresses)
{
	int rc = set_constants(s);

	if (!rc)
		rc = options_apply(s->options, s->easy);
	if (!rc)
		rc = set_url(s);
	if (!rc)
		rc = set_login(s);
	if (!rc)
		rc = pin_set(&s->pin, s->easy, peer, addresses);
	if (!rc)
		rc = engine_add(&s->relay->engine, s->easy);
	if (!rc)
		s->state = RELAY_CONNECTING;
	return rc;
}

static void on_addresses(
    struct resolve_query *q, const char *addresses, const char *error)
{
	struct relay_session *s = container_of(q, struct relay_session, query);
	struct origin peer;
	int rc;

	if (!addresses) {
		relay_end(s, HTTP_FAULT_RESOLVE, error);
		return;
	}
	rc = origin_parse_peer(s->options, s->url, s->call->is_direct, &peer);
	if (!rc)
		rc = connect_to(s, &peer, addresses);
	if (rc)
		relay_end(s, HTTP_FAULT_UNSENT, strerror(-rc));
}

/* 0, or a negative errno and nothing has begun. */
static int begin_connection(struct relay_session *s)
{
	struct relay *m = s->relay;
	const char *addresses = NULL;
	struct origin peer;
	int rc =
	    origin_parse_peer(s->options, s->url, s->call->is_direct, &peer);

	if (rc)
		return rc;
	s->talk = talk_new();
	s->easy = curl_easy_init();
	if (!s->easy || !s->talk)
		return -ENOMEM;
	s->state = RELAY_RESOLVING;
	loop_timer_start(m->http->loop, &s->timer, s->call->timeout_ms);
	if (!resolve_is_literal(peer.host)) {
		addresses = resolver_lookup(
		    m->http->resolver, peer.host, &s->query, &rc);
		if (!addresses)
			return rc;
	}
	return connect_to(s, &peer, addresses);
}

/* Curl has the connection ready, or not. */
static void on_connected(CURL *easy, CURLcode code)
{
	char *private = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	struct relay_session *s = (struct relay_session *)(void *)private;
	const struct relay_reply *last = &s->talk->reply;

	if (code == CURLE_OK && s->user && !s->is_logged_in)
		code = CURLE_LOGIN_DENIED;
	if (code == CURLE_LOGIN_DENIED && last->code >= 400)
		relay_end_by(s, "AUTH", last->code, buf_span(&last->text));
	else if (code == CURLE_LOGIN_DENIED)
		relay_end_by(s, "AUTH", 504,
		    SPAN("5.7.4 AUTH PLAIN or LOGIN is not offered"));
	else if ((code == CURLE_WEIRD_SERVER_REPLY ||
		     code == CURLE_REMOTE_ACCESS_DENIED) &&
		 last->code >= 400)
		relay_end_by(s, "connect", last->code, buf_span(&last->text));
	else if (code != CURLE_OK)
		relay_end(s, response_fault_before_issue(code),
		    s->error[0] ? s->error : curl_easy_strerror(code));
	else if (watch_new(s) != 0)
		relay_end(s, HTTP_FAULT_CONNECT, "out of memory");
	else
		talk_begin(s);
}

/* --- which call gets which --- */

static void take_session(struct relay_session *s, struct http_call *call)
{
	s->call = call;
	call->session = s;
	loop_timer_start(s->relay->http->loop, &s->timer, call->timeout_ms);
	talk_begin(s);
}

static bool may_connect(const struct relay_session *s)
{
	unsigned limit = s->relay->http->per_host, count = 0;

	list_for_each (pos, &s->relay->all) {
		const struct relay_session *other = session_of(pos);

		count += has_connection(other) && is_kin(other, s);
	}
	return count < (limit ? limit : 1);
}

static struct relay_session *find(
    const struct relay_session *kin, enum relay_state state)
{
	list_for_each (pos, &kin->relay->all) {
		struct relay_session *s = session_of(pos);

		if (s != kin && s->state == state && is_kin(s, kin))
			return s;
	}
	return NULL;
}

/* A connection of its kind has become free, or has gone. */
static void serve_next(struct relay_session *s)
{
	struct relay_session *next;

	while ((next = find(s, RELAY_WAITING))) {
		struct http_call *call = next->call;
		int rc;

		if (s->state == RELAY_IDLE) {
			s->begun_ns = next->begun_ns;
			session_free(next);
			take_session(s, call);
			continue;
		}
		if (!may_connect(next))
			return;
		rc = begin_connection(next);
		if (rc)
			relay_end(next, HTTP_FAULT_UNSENT, strerror(-rc));
	}
}

/* The call is gone: what becomes of the connection. */
static void settle(struct relay_session *s)
{
	bool is_current = s->options == s->relay->http->options;

	if (!s->is_usable || !is_current || s->relay->http->is_closing) {
		if (s->is_usable)
			talk_quit(s);
		disconnect(s);
		s->state = RELAY_ENDED;
		serve_next(s);
		session_free(s);
		return;
	}
	s->state = RELAY_IDLE;
	s->is_usable = false;
	serve_next(s);
	if (s->state != RELAY_IDLE)
		return;
	if (relay_watch(s, false) == 0)
		loop_timer_start(s->relay->http->loop, &s->timer, IDLE_MS);
	else
		session_free(s);
}

static struct relay_session *find_ended(const struct relay *m)
{
	list_for_each (pos, &m->all) {
		if (session_of(pos)->state == RELAY_ENDED)
			return session_of(pos);
	}
	return NULL;
}

static void on_deliver(struct task *t)
{
	struct relay *m = container_of(t, struct relay, deliver);
	struct relay_session *s;

	m->is_deliver_queued = false;
	while ((s = find_ended(m))) {
		struct http_call *call = s->call;

		call->session = NULL;
		s->call = NULL;
		call->on_done(call, &s->response);
		http_leave(m->http);
		settle(s);
	}
	close_step(m);
}

/* --- the end of a call --- */

static void end(struct relay_session *s)
{
	struct relay *m = s->relay;
	curl_off_t connect_us = 0;

	loop_timer_stop(m->http->loop, &s->timer);
	resolver_cancel(&s->query);
	if (s->watch)
		(void)uv_poll_stop(&s->watch->poll);
	if (s->easy && s->calls == 0)
		(void)curl_easy_getinfo(
		    s->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	s->response.total_ms = (clock_mono_ns() - s->begun_ns) / 1000000;
	s->response.connect_ms = (uint64_t)connect_us / 1000;
	s->calls++;
	s->state = RELAY_ENDED;
	if (m->is_deliver_queued)
		return;
	m->is_deliver_queued = true;
	loop_defer(m->http->loop, &m->deliver);
}

void relay_end_by(
    struct relay_session *s, const char *command, int status, struct span text)
{
	s->field = (struct http_header){ .name = SPAN("Command"),
		.value = span_of(command) };
	s->response = (struct http_response){ .status = status,
		.headers = &s->field,
		.header_count = 1,
		.body = text };
	end(s);
}

void relay_end(struct relay_session *s, enum http_fault fault, const char *why)
{
	s->is_usable = false;
	s->response = (struct http_response){ .fault = fault };
	(void)snprintf(s->response.error, sizeof(s->response.error), "%s", why);
	end(s);
}

bool relay_start_over(struct relay_session *s)
{
	if (s->calls == 0)
		return false;
	disconnect(s);
	int rc = begin_connection(s);
	if (rc)
		relay_end(s, HTTP_FAULT_UNSENT, strerror(-rc));
	return true;
}

static void on_timer(struct loop_timer *t)
{
	struct relay_session *s = container_of(t, struct relay_session, timer);

	switch (s->state) {
	case RELAY_WAITING:
		relay_end(s, HTTP_FAULT_CONNECT,
		    "Timed out waiting for a connection");
		break;
	case RELAY_RESOLVING:
		relay_end(
		    s, HTTP_FAULT_RESOLVE, "Timed out looking up the host");
		break;
	case RELAY_CONNECTING:
		relay_end(s, HTTP_FAULT_CONNECT, "Timed out connecting");
		break;
	case RELAY_TALKING:
		relay_end(s,
		    s->talk->is_dot_tried ? HTTP_FAULT_UNANSWERED
					  : HTTP_FAULT_UNSENT,
		    "Timed out");
		break;
	case RELAY_IDLE:
		drop_session(s);
		break;
	case RELAY_ENDED:
		break;
	}
}

void relay_cancel(struct relay_session *s)
{
	bool may_be_taken = s->state == RELAY_TALKING && s->talk->is_dot_tried;

	if (s->state != RELAY_ENDED && s->state != RELAY_IDLE)
		relay_end(s,
		    may_be_taken ? HTTP_FAULT_UNANSWERED : HTTP_FAULT_CANCELLED,
		    "Cancelled");
}

void relay_cancel_all(struct relay *m)
{
	list_for_each (pos, &m->all)
		relay_cancel(session_of(pos));
}

/* --- the whole --- */

static void on_engine_stopped(struct engine *e)
{
	struct relay *m = container_of(e, struct relay, engine);

	m->is_engine_stopped = true;
	close_step(m);
}

static void close_step(struct relay *m)
{
	void (*on_closed)(void *ctx) = m->on_closed;
	void *ctx = m->ctx;

	if (!m->is_closing || !m->is_engine_stopped || m->watches > 0 ||
	    m->is_deliver_queued)
		return;
	free(m);
	on_closed(ctx);
}

void relay_close(struct relay *m, void (*on_closed)(void *ctx), void *ctx)
{
	m->on_closed = on_closed;
	m->ctx = ctx;
	m->is_closing = true;
	relay_drop_idle(m);
	engine_stop(&m->engine);
}

static struct relay *relay_new(struct http *h)
{
	struct relay *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->http = h;
	m->deliver.run = on_deliver;
	m->engine.on_ended = on_connected;
	m->engine.on_stopped = on_engine_stopped;
	list_init(&m->all);
	if (engine_init(&m->engine, h->loop, NO_LIMIT) == 0)
		return m;
	free(m);
	return NULL;
}

/* Whether a connection is free as soon as its caller has the answer. */
static bool is_one_to_come(const struct relay_session *s)
{
	list_for_each (pos, &s->relay->all) {
		const struct relay_session *other = session_of(pos);

		if (other->state == RELAY_ENDED && !other->call &&
		    other->is_usable && is_kin(other, s))
			return true;
	}
	return false;
}

/* Nothing of it can be used at once: connect, or wait for a connection. */
static int begin(struct relay_session *s)
{
	if (!is_one_to_come(s) && may_connect(s))
		return begin_connection(s);
	s->state = RELAY_WAITING;
	loop_timer_start(s->relay->http->loop, &s->timer, s->call->timeout_ms);
	return 0;
}

int relay_submit(struct http *h, struct http_call *call)
{
	struct relay_session *s, *idle;
	struct origin at;
	int rc;

	if (!talk_may_say(call->smtp) || origin_parse_url(call->url, &at) != 0)
		return -EINVAL;
	if (!h->relay)
		h->relay = relay_new(h);
	s = h->relay ? session_new(h->relay, call) : NULL;
	if (!s)
		return -ENOMEM;
	s->begun_ns = clock_mono_ns();
	s->call = call;
	call->session = s;
	idle = find(s, RELAY_IDLE);
	if (idle) {
		session_free(s);
		idle->begun_ns = clock_mono_ns();
		take_session(idle, call);
	} else {
		rc = begin(s);
		if (rc) {
			call->session = NULL;
			session_free(s);
			return rc;
		}
	}
	h->inflight++;
	return 0;
}
