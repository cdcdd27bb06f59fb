/*
 * One connection to an SMTP server, up to where mail may be sent.
 *
 * Curl's own transactions are not used: at the end of a message it waits for
 * the reply inside curl_multi_socket_action, however long the server thinks
 * (smtp_done in its lib/smtp.c), and as long nothing else of this loop runs.
 * With CURLOPT_CONNECT_ONLY it connects, starts TLS and logs in without
 * waiting, and leaves the connection to us; removing the handle closes it.
 */
#include <http/relay_internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>

#include <uv.h>

enum {
	URL_SIZE = 512
};

/* Freed in its close callback, later than its session. */
struct relay_watch {
	uv_poll_t poll;
	struct relay *relay;
	struct relay_session *session; /* NULL: it has gone */
};

/* --- watching --- */

static void on_watch_closed(uv_handle_t *handle)
{
	struct relay_watch *w = handle->data;
	struct relay *m = w->relay;

	free(w);
	m->watches--;
	relay_close_step(m);
}

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
		relay_drop(s); /* it says goodbye, or has gone */
}

int connect_watch(struct relay_session *s, bool wants_write)
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

void connect_ignore(struct relay_session *s)
{
	if (s->watch)
		(void)uv_poll_stop(&s->watch->poll);
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
	if (!rc && s->call->is_direct)
		rc = curl_easy_setopt(s->easy, CURLOPT_PROXY, "") ? -ENOMEM : 0;
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

/* In ms, so that a timer ends with it. */
static uint64_t time_left(const struct relay_session *s)
{
	uint64_t now = clock_mono_ns();

	return now < s->until_ns ? (s->until_ns - now) / 1000000 + 1 : 1;
}

/* The address is part of connecting, and takes no longer. */
static void wait_for_addresses(struct relay_session *s)
{
	uint64_t limit = s->options->connect_timeout_ms, left = time_left(s);

	s->state = RELAY_RESOLVING;
	loop_timer_start(
	    s->relay->http->loop, &s->timer, left < limit ? left : limit);
}

void connect_go_on(
    struct resolve_query *q, const char *addresses, const char *error)
{
	struct relay_session *s = container_of(q, struct relay_session, query);
	struct origin peer;
	int rc;

	if (!addresses) {
		relay_end(s, HTTP_FAULT_RESOLVE, error);
		return;
	}
	loop_timer_start(s->relay->http->loop, &s->timer, time_left(s));
	rc = origin_parse_peer(s->options, s->url, s->call->is_direct, &peer);
	if (!rc)
		rc = connect_to(s, &peer, addresses);
	if (rc)
		relay_end(s, HTTP_FAULT_UNSENT, strerror(-rc));
}

static int begin(struct relay_session *s)
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
	wait_for_addresses(s);
	if (!resolve_is_literal(peer.host)) {
		addresses = resolver_lookup(
		    m->http->resolver, peer.host, &s->query, &rc);
		if (!addresses)
			return rc;
	}
	loop_timer_start(m->http->loop, &s->timer, time_left(s));
	return connect_to(s, &peer, addresses);
}

int connect_begin(struct relay_session *s)
{
	int rc = begin(s);

	/* That would say that the message is at fault. */
	return rc == -EINVAL ? -EIO : rc;
}

void connect_done(CURL *easy, CURLcode code)
{
	char *private = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	struct relay_session *s = (struct relay_session *)(void *)private;
	const struct relay_reply *last = &s->talk->reply;

	/* It was called off in this turn of the loop. */
	if (s->state != RELAY_CONNECTING)
		return;
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

void connect_drop(struct relay_session *s)
{
	loop_timer_stop(s->relay->http->loop, &s->timer);
	resolver_cancel(&s->query);
	watch_drop(s);
	talk_free(s->talk);
	s->talk = NULL;
	if (!s->easy)
		return;
	engine_remove(&s->relay->engine, s->easy);
	curl_easy_cleanup(s->easy);
	s->easy = NULL;
	s->calls = 0;
	s->is_logged_in = s->is_reset_due = s->is_usable = false;
}
