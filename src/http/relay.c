/*
 * Connections to SMTP servers, and which call gets which. They are counted
 * here, for each login at a server: curl takes one that does nothing at the
 * moment for one it may close, so its own limits are those of another multi
 * handle, and have no effect.
 */
#include <http/relay_internal.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>

enum {
	IDLE_MS = 50 * 1000, /* leave before the server does */
	NO_LIMIT = USHRT_MAX
};

static struct relay_session *session_of(struct list *node)
{
	return container_of(node, struct relay_session, node);
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

static void session_free(struct relay_session *s)
{
	connect_drop(s);
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
	s->query.done = connect_go_on;
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

void relay_drop(struct relay_session *s)
{
	talk_quit(s);
	session_free(s);
}

void relay_drop_idle(struct relay *m)
{
	list_for_each_safe (pos, tmp, &m->all) {
		if (session_of(pos)->state == RELAY_IDLE)
			relay_drop(session_of(pos));
	}
}

/* --- which call gets which --- */

/* From here on, what happens to the call has its whole timeout. */
static void begin_time(struct relay_session *s, const struct http_call *call)
{
	s->until_ns = clock_mono_ns() + call->timeout_ms * 1000000;
}

static void take_session(struct relay_session *s, struct http_call *call)
{
	s->call = call;
	call->session = s;
	begin_time(s, call);
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
		begin_time(next, call);
		rc = connect_begin(next);
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
		connect_drop(s);
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
	if (connect_watch(s, false) == 0)
		loop_timer_start(s->relay->http->loop, &s->timer, IDLE_MS);
	else
		session_free(s);
}

static struct relay_session *find_ended(const struct relay *m)
{
	list_for_each (pos, &m->all) {
		/* One that was freed has left the list, which is not seen. */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
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
	relay_close_step(m);
}

/* --- the end of a call --- */

static void end(struct relay_session *s)
{
	struct relay *m = s->relay;
	curl_off_t connect_us = 0;

	loop_timer_stop(m->http->loop, &s->timer);
	resolver_cancel(&s->query);
	connect_ignore(s);
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
	connect_drop(s);
	int rc = connect_begin(s);
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
		relay_drop(s);
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
	relay_close_step(m);
}

void relay_close_step(struct relay *m)
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
	m->engine.on_ended = connect_done;
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
	if (!is_one_to_come(s) && may_connect(s)) {
		begin_time(s, s->call);
		return connect_begin(s);
	}
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
