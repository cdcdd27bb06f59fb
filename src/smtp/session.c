/*
 * One session: from the accepted connection through lines and waits to its
 * end. What commands mean is in dispatch.c and the cmd_*.c; here is when they
 * run.
 */
#include <smtp/session_internal.h>

#include <smtp/reply.h>

#include <auth/auth.h>
#include <base/log.h>
#include <net/conn.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void run(struct smtp_session *s);

/* --- what handlers do --- */

void smtp_session_reply(struct smtp_session *s, unsigned code,
    const char *enhanced, const char *fmt, ...)
{
	char text[SMTP_REPLY_MAX], line[SMTP_REPLY_MAX];
	struct smtp_reply reply = { .code = code,
		.enhanced = enhanced,
		.text = text,
		.ref = s->tx ? s->tx->id_text : s->id };
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	conn_write(s->conn, line, smtp_reply_format(&reply, line));
	if (code >= 500) {
		s->errors++;
		s->is_error = true;
	}
}

void smtp_session_note_refusal(struct smtp_session *s)
{
	s->refusals++;
	s->is_error = true;
}

void smtp_session_set_state(struct smtp_session *s, enum smtp_state state)
{
	/* Where each state may lead; END is open to all. */
	static const unsigned next[] = {
		[SMTP_ST_CONNECT] = 1u << SMTP_ST_START,
		[SMTP_ST_START] = 1u << SMTP_ST_START | 1u << SMTP_ST_READY,
		[SMTP_ST_READY] = 1u << SMTP_ST_START | 1u << SMTP_ST_READY |
				  1u << SMTP_ST_MAIL | 1u << SMTP_ST_AUTH,
		[SMTP_ST_MAIL] = 1u << SMTP_ST_READY | 1u << SMTP_ST_RCPT,
		[SMTP_ST_RCPT] = 1u << SMTP_ST_READY | 1u << SMTP_ST_DATA,
		[SMTP_ST_DATA] = 1u << SMTP_ST_READY,
		[SMTP_ST_AUTH] = 1u << SMTP_ST_READY,
		[SMTP_ST_END] = 0,
	};

	bool is_legal = state == SMTP_ST_END || (next[s->state] & 1u << state);

	assert(is_legal);
	(void)is_legal;
	s->state = state;
}

enum smtp_next smtp_session_close(struct smtp_session *s, const char *reason)
{
	s->end_reason = reason;
	return SMTP_CLOSE;
}

enum smtp_next smtp_session_wait(struct smtp_session *s, enum smtp_wait why)
{
	s->wait = why;
	loop_timer_stop(s->service->loop, &s->timer);
	if (why == SMTP_WAIT_DELAY || why == SMTP_WAIT_AUTH_DELAY)
		conn_pause(s->conn);
	return SMTP_WAIT;
}

void smtp_session_arm(struct smtp_session *s, uint64_t ms)
{
	uint64_t now = loop_now(s->service->loop);
	uint64_t left = s->ends_at > now ? s->ends_at - now : 1;

	if (s->ends_at && (ms == 0 || ms > left))
		ms = left;
	if (ms > 0)
		loop_timer_start(s->service->loop, &s->timer, ms);
	else
		loop_timer_stop(s->service->loop, &s->timer);
}

void smtp_session_violation(struct smtp_session *s, enum smtp_violation kind)
{
	static const char *const names[] = {
		[SMTP_BARE_LF] = "bare_lf",
		[SMTP_BARE_CR] = "bare_cr",
		[SMTP_NUL] = "nul",
		[SMTP_PREGREET] = "pregreet",
		[SMTP_INJECTION] = "starttls_injection",
		[SMTP_LONG_LINE] = "long_line",
		[SMTP_INVALID_CHARACTER] = "invalid_character",
		[SMTP_OTHER_PROTOCOL] = "other_protocol",
	};

	if (s->violations & 1u << kind)
		return;
	s->violations |= 1u << kind;
	log_info("protocol_violation",
	    LOG_STR("client.address", conn_peer(s->conn)),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("kind", names[kind]));
}

enum smtp_next smtp_session_foreign(struct smtp_session *s)
{
	smtp_session_violation(s, SMTP_OTHER_PROTOCOL);
	smtp_session_reply(s, 500, "5.5.2", "This is an SMTP service");
	return smtp_session_close(s, "other protocol");
}

enum smtp_next smtp_session_refuse(struct smtp_session *s, unsigned code,
    const char *enhanced, const char *text)
{
	smtp_session_reply(s, code, enhanced, "%s", text);
	if (code < 500)
		smtp_session_note_refusal(s);
	smtp_tx_drop(s, text);
	return SMTP_NEXT;
}

void smtp_session_forget(struct smtp_session *s)
{
	smtp_tx_drop(s, "forgotten by STARTTLS");
	smtp_auth_drop(s);
	free(s->helo);
	s->helo = NULL;
	s->is_esmtp = false;
	s->user = NULL;
	smtp_session_set_state(s, SMTP_ST_START);
}

/* --- predicates --- */

bool smtp_session_offers_tls(const struct smtp_session *s)
{
	return s->listener->tls == CONFIG_TLS_STARTTLS &&
	       !conn_is_tls(s->conn) && s->service->tls;
}

bool smtp_session_needs_tls(const struct smtp_session *s)
{
	return !s->listener->allow_insecure && !conn_is_tls(s->conn);
}

bool smtp_session_needs_auth(const struct smtp_session *s)
{
	return !s->user && !s->listener->allow_unauthenticated;
}

const char *smtp_session_mechanisms(const struct smtp_session *s)
{
	if (s->user || smtp_session_needs_tls(s))
		return "";
	return auth_mechanisms(s->service->auth, s->config,
	    conn_tls_bits(s->conn), s->listener->allow_plaintext_auth);
}

const struct config_user *smtp_session_identity(const struct smtp_session *s)
{
	if (s->user || smtp_session_needs_auth(s) || !s->listener->user)
		return s->user;
	return config_find_user(s->config, span_of(s->listener->user));
}

/* --- the dialog --- */

static void end(struct smtp_session *s, const char *reason)
{
	if (s->state == SMTP_ST_END)
		return;
	s->wait = SMTP_WAIT_NONE;
	s->end_reason = reason;
	loop_timer_stop(s->service->loop, &s->timer);
	smtp_tx_drop(s, reason);
	smtp_auth_drop(s);
	smtp_session_set_state(s, SMTP_ST_END);
	conn_close(s->conn);
}

static enum smtp_next shutting_down(struct smtp_session *s)
{
	smtp_session_reply(s, 421, "4.3.2", "Shutting down");
	return smtp_session_close(s, "shutdown");
}

static bool is_able(const struct smtp_session *s)
{
	return s->state != SMTP_ST_END && s->wait == SMTP_WAIT_NONE &&
	       !conn_is_congested(s->conn);
}

/* Time for the next thing the client must do. */
static void arm_for_client(struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;

	if (s->state != SMTP_ST_DATA) {
		smtp_session_arm(s, s->has_spoken
					? limits->command_timeout_ms
					: limits->first_command_timeout_ms);
		return;
	}
	smtp_session_arm(s, smtp_data_time(s));
}

/* Errors and refusals cost time, and too many errors cost the session. */
static void charge_errors(struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;

	if (!s->is_error)
		return;
	s->is_error = false;
	if (limits->hard_errors > 0 &&
	    s->errors >= (uint64_t)limits->hard_errors) {
		smtp_session_reply(s, 421, "4.7.0", "Too many errors");
		end(s, "errors");
	} else if (limits->soft_errors > 0 && limits->error_delay_ms > 0 &&
		   (uint64_t)s->errors + s->refusals >
		       (uint64_t)limits->soft_errors &&
		   s->wait == SMTP_WAIT_NONE) {
		(void)smtp_session_wait(s, SMTP_WAIT_DELAY);
		smtp_session_arm(s, limits->error_delay_ms);
	}
}

static void follow(struct smtp_session *s, enum smtp_next next)
{
	if (next == SMTP_CLOSE)
		end(s, s->end_reason ? s->end_reason : "closed");
	else
		charge_errors(s);
}

static enum smtp_next too_long(struct smtp_session *s)
{
	smtp_session_violation(s, SMTP_LONG_LINE);
	s->has_spoken = true;
	if (s->state == SMTP_ST_AUTH)
		return smtp_auth_line_too_long(s);
	smtp_session_reply(s, 500, "5.5.2", "Line too long");
	return SMTP_NEXT;
}

/* A TLS client at a plaintext port would else wait for ever, as we would. */
static bool is_client_hello(struct smtp_session *s)
{
	struct span in = buf_span(conn_in(s->conn));

	return !s->has_spoken && span_starts_with(in, SPAN("\x16\x03"));
}

/* Nothing of this session is under way, or sent and not yet looked at. */
static bool is_idle(const struct smtp_session *s)
{
	return (s->state == SMTP_ST_START || s->state == SMTP_ST_READY) &&
	       s->wait == SMTP_WAIT_NONE && buf_len(conn_in(s->conn)) == 0;
}

void smtp_session_drain(struct smtp_session *s)
{
	if (is_idle(s))
		follow(s, shutting_down(s));
}

/* The client's turn; when draining, it has had its last one. */
static void await_client(struct smtp_session *s)
{
	if (s->service->is_draining && is_idle(s))
		smtp_session_drain(s);
	else
		arm_for_client(s);
}

/* One line, if there is one. */
static bool take_line(struct smtp_session *s, enum smtp_next *out_next)
{
	struct span line;

	if (is_client_hello(s)) {
		*out_next = smtp_session_foreign(s);
		return true;
	}
	switch (smtp_line_next(
	    &s->lines, conn_in(s->conn), SMTP_LINE_AUTH_MAX, &line)) {
	case SMTP_LINE_NONE:
		return false;
	case SMTP_LINE_TOO_LONG:
		*out_next = too_long(s);
		break;
	case SMTP_LINE_OK:
		if (s->service->is_draining)
			*out_next = shutting_down(s);
		else if (s->state == SMTP_ST_AUTH)
			*out_next = smtp_auth_line(s, line);
		else
			*out_next = smtp_dispatch(s, line);
		break;
	}
	return true;
}

/* One step of the dialog; false when more bytes are needed for it. */
static bool take(struct smtp_session *s)
{
	enum smtp_next next = SMTP_NEXT;

	if (s->state == SMTP_ST_DATA) {
		if (buf_len(conn_in(s->conn)) == 0)
			return false;
		next = smtp_data_input(s);
	} else if (!take_line(s, &next)) {
		return false;
	}
	follow(s, next);
	return true;
}

static void run(struct smtp_session *s)
{
	bool has_progress = false;

	while (is_able(s) && take(s))
		has_progress = true;
	if (!is_able(s))
		return;
	/* All that can be understood has been answered. */
	if (s->is_eof)
		end(s, "lost");
	else if (has_progress)
		await_client(s);
}

void smtp_session_resume(struct smtp_session *s, enum smtp_next next)
{
	if (next != SMTP_WAIT) /* else another wait has begun */
		s->wait = SMTP_WAIT_NONE;
	follow(s, next);
	if (s->state == SMTP_ST_END || s->wait != SMTP_WAIT_NONE)
		return;
	conn_resume(s->conn); /* calls back if anything waits */
	if (s->is_eof && buf_len(conn_in(s->conn)) == 0)
		end(s, "lost");
	else
		await_client(s);
}

static void on_timer(struct loop_timer *t)
{
	struct smtp_session *s = container_of(t, struct smtp_session, timer);

	switch (s->wait) {
	case SMTP_WAIT_NONE:
		smtp_session_reply(s, 421, "4.4.2", "Timeout");
		end(s, "timeout");
		break;
	case SMTP_WAIT_DELAY:
		smtp_session_resume(s, SMTP_NEXT);
		break;
	case SMTP_WAIT_AUTH_DELAY:
		smtp_session_resume(s, smtp_auth_refuse(s));
		break;
	case SMTP_WAIT_TLS:
	case SMTP_WAIT_AUTH:
	case SMTP_WAIT_DELIVER:
		break; /* not armed: those we wait for have their own limits */
	}
}

/* --- the connection --- */

static void greet(struct smtp_session *s)
{
	const char *banner = s->config->smtp.banner;

	smtp_session_set_state(s, SMTP_ST_START);
	smtp_session_reply(s, 220, NULL, "%s ESMTP%s%s", s->config->hostname,
	    banner && *banner ? " " : "", banner ? banner : "");
	await_client(s);
}

static void on_data(struct conn *c, void *ctx)
{
	(void)c;
	run(ctx);
}

static void on_drained(struct conn *c, void *ctx)
{
	(void)c;
	run(ctx);
}

static void on_tls(struct conn *c, void *ctx)
{
	struct smtp_session *s = ctx;

	(void)c;
	counter_add(&s->service->counters->tls_sessions, 1);
	s->wait = SMTP_WAIT_NONE;
	if (s->state == SMTP_ST_CONNECT)
		greet(s);
	else
		await_client(s);
}

static void on_eof(struct conn *c, void *ctx)
{
	struct smtp_session *s = ctx;

	s->is_eof = true;
	if (s->wait == SMTP_WAIT_NONE)
		run(s);
	else if (s->wait == SMTP_WAIT_AUTH && buf_len(conn_in(c)) == 0)
		end(s, "lost"); /* a login that nothing can follow */
}

static const char *describe(const struct smtp_session *s, enum conn_end why)
{
	switch (why) {
	case CONN_END_TLS:
		return "tls";
	case CONN_END_TIMEOUT:
		return "timeout";
	case CONN_END_MEMORY:
		return "memory";
	case CONN_END_RESET:
	case CONN_END_PEER:
	case CONN_END_LOCAL:
	case CONN_END_NONE:
		break;
	}
	return s->end_reason ? s->end_reason : "lost";
}

static void log_end(const struct smtp_session *s, enum conn_end why)
{
	if (why == CONN_END_TLS) {
		counter_add(&s->service->counters->tls_failures, 1);
		log_info("tls_failed",
		    LOG_STR("client.address", conn_peer(s->conn)),
		    LOG_STR("session_id", s->id),
		    LOG_STR("listener", s->listener->name),
		    LOG_STR("reason", conn_tls_error(s->conn)));
	}
	log_debug("session_end", LOG_STR("client.address", conn_peer(s->conn)),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("reason", describe(s, why)),
	    LOG_NUM("messages", s->messages));
}

static void on_closed(struct conn *c, enum conn_end why, void *ctx)
{
	struct smtp_session *s = ctx;
	struct smtp_service *service = s->service;

	smtp_tx_drop(s, "lost");
	smtp_auth_drop(s);
	log_end(s, why);
	loop_timer_stop(service->loop, &s->timer);
	smtp_limits_leave(service->limits, conn_peer(c));
	counter_sub(&s->counts->active, 1);
	list_remove(&s->link);
	config_unref(s->config);
	free(s->helo);
	free(s);
	if (--service->session_count == 0 && service->on_empty)
		service->on_empty(service->ctx);
}

static const struct conn_ops session_ops = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_closed = on_closed,
};

static struct smtp_session *session_new(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	struct smtp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->service = service;
	s->config = config_ref(service->config);
	s->listener =
	    CONFIG_AT(s->config->listeners, struct config_listener, listener);
	s->counts = smtp_service_counts(service, listener);
	s->conn = c;
	id_format(id_make(), s->id);
	smtp_line_init(&s->lines);
	loop_timer_init(&s->timer, on_timer);
	if (s->config->smtp.session_total_ms > 0)
		s->ends_at =
		    loop_now(service->loop) + s->config->smtp.session_total_ms;
	list_append(&service->sessions, &s->link);
	service->session_count++;
	counter_add(&s->counts->connections, 1);
	counter_add(&s->counts->active, 1);
	return s;
}

bool smtp_session_open(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	struct smtp_session *s = session_new(service, c, listener);

	if (!s)
		return false;
	conn_set_ops(c, &session_ops, s);
	log_debug("session_start", LOG_STR("client.address", conn_peer(c)),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name));
	if (s->listener->tls != CONFIG_TLS_IMPLICIT) {
		if (conn_has_early_data(c))
			smtp_session_violation(s, SMTP_PREGREET);
		greet(s);
	} else if (service->tls) {
		(void)smtp_session_wait(s, SMTP_WAIT_TLS);
		conn_start_tls(c, service->tls);
	} else {
		conn_abort(c, CONN_END_LOCAL);
	}
	conn_start(c);
	return true;
}
