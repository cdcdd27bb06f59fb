/*
 * One session: what its handlers may ask of it, and its connection from the
 * first byte to the last. When handlers run is in dialog.c, what they mean in
 * dispatch.c and the cmd_*.c.
 */
#include <smtp/session_internal.h>

#include <smtp/proven.h>
#include <smtp/reply.h>

#include <auth/auth.h>
#include <base/log.h>
#include <net/conn.h>
#include <net/tls.h>
#include <net/tls_set.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
	smtp_tally_reply(s, code, enhanced);
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
		[SMTP_ST_RCPT] = 1u << SMTP_ST_READY | 1u << SMTP_ST_DATA |
				 1u << SMTP_ST_BDAT,
		[SMTP_ST_DATA] = 1u << SMTP_ST_READY,
		[SMTP_ST_BDAT] = 1u << SMTP_ST_READY,
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

void smtp_session_violation(struct smtp_session *s, enum smtp_violation kind)
{
	counter_add(&s->service->counters->violations[kind], 1);
	if (s->violations & 1u << kind)
		return;
	s->violations |= 1u << kind;
	log_info("protocol_violation", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("kind", counter_violation_names[kind]));
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
	smtp_abuse_log_out(s);
	conn_in(s->conn)->is_secret = true; /* a password may come */
	smtp_session_set_state(s, SMTP_ST_START);
}

void smtp_session_restart(struct smtp_session *s)
{
	smtp_session_forget(s);
	free(s->proven); /* a certificate is the proxy's */
	s->proven = NULL;
	s->has_spoken = false;
	s->violations = 0;
	s->errors = s->refusals = s->junk = 0;
	s->auth_failures = s->auth_outages = 0;
	s->messages = 0;
}

void smtp_session_count(struct smtp_session *s)
{
	if (!s->is_probe)
		return;
	s->is_probe = false;
	counter_add(&s->counts->connections, 1);
	counter_add(&s->counts->active, 1);
}

/* --- predicates --- */

bool smtp_session_offers_tls(const struct smtp_session *s)
{
	return s->listener->tls == CONFIG_TLS_STARTTLS &&
	       !conn_is_tls(s->conn) && s->tls;
}

/* An old device, of a network where such may go without TLS. */
static bool is_plaintext_peer(const struct smtp_session *s)
{
	const struct postern_list *list = &s->listener->plaintext_from;

	return network_list_has(
	    list->items, list->count, conn_peer_addr(s->conn));
}

bool smtp_session_needs_tls(const struct smtp_session *s)
{
	return !s->listener->allow_insecure && !conn_is_tls(s->conn) &&
	       !is_plaintext_peer(s);
}

bool smtp_session_needs_auth(const struct smtp_session *s)
{
	return !s->user && !s->listener->allow_unauthenticated;
}

struct auth_channel smtp_session_channel(const struct smtp_session *s)
{
	return (struct auth_channel){ .tls_bits = conn_tls_bits(s->conn),
		.allow_plaintext =
		    s->listener->allow_plaintext_auth || is_plaintext_peer(s),
		.peer = *conn_peer_addr(s->conn),
		.proven = s->proven };
}

const char *smtp_session_mechanisms(const struct smtp_session *s)
{
	if (s->user || smtp_session_needs_tls(s))
		return "";
	struct auth_channel channel = smtp_session_channel(s);
	return auth_mechanisms(s->service->auth, s->config, &channel);
}

const struct config_user *smtp_session_identity(const struct smtp_session *s)
{
	if (s->user || smtp_session_needs_auth(s) || !s->listener->user)
		return s->user;
	return config_find_user(s->config, span_of(s->listener->user));
}

/* --- the connection --- */

void smtp_session_greet(struct smtp_session *s)
{
	const char *banner = s->config->smtp.banner;

	smtp_session_set_state(s, SMTP_ST_START);
	smtp_session_reply(s, 220, NULL, "%s ESMTP%s%s", s->config->hostname,
	    banner && *banner ? " " : "", banner ? banner : "");
}

/* Who talks first may be a proxy or a spammer's hurry; most are neither. */
static bool is_out_of_turn(struct smtp_session *s)
{
	if (!conn_has_early_data(s->conn))
		return false;
	smtp_session_violation(s, SMTP_PREGREET);
	return s->config->smtp.pregreet == CONFIG_PREGREET_REJECT;
}

static void refuse_pregreet(struct smtp_session *s)
{
	smtp_session_reply(s, 554, "5.5.0", "SMTP protocol synchronization");
	smtp_session_end(s, "pregreet");
}

static void on_data(struct conn *c, void *ctx)
{
	(void)c;
	smtp_session_run(ctx);
}

static void on_drained(struct conn *c, void *ctx)
{
	(void)c;
	smtp_session_run(ctx);
}

static void on_tls(struct conn *c, void *ctx)
{
	struct smtp_session *s = ctx;

	s->proven = smtp_proven_new(conn_tls_peer(c));
	smtp_tls_established(s);
	s->wait = SMTP_WAIT_NONE;
	if (s->state == SMTP_ST_CONNECT)
		smtp_session_greet(s);
	smtp_session_await(s);
}

static void on_eof(struct conn *c, void *ctx)
{
	struct smtp_session *s = ctx;

	s->is_eof = true;
	if (s->wait == SMTP_WAIT_NONE)
		smtp_session_run(s);
	else if (s->wait == SMTP_WAIT_AUTH && buf_len(conn_in(c)) == 0)
		smtp_session_end(
		    s, "lost"); /* a login that nothing can follow */
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

static void log_end(struct smtp_session *s, enum conn_end why)
{
	smtp_tls_ended(s, why);
	if (!s->is_probe)
		smtp_tally_end(s, describe(s, why));
	log_debug("session_end", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("reason", describe(s, why)),
	    LOG_NUM("messages", s->messages));
}

static void on_closed(struct conn *c, enum conn_end why, void *ctx)
{
	struct smtp_session *s = ctx;
	struct smtp_service *service = s->service;

	(void)c;
	smtp_tx_drop(s, "lost");
	smtp_auth_drop(s);
	log_end(s, why);
	loop_timer_stop(service->loop, &s->timer);
	smtp_abuse_log_out(s);
	if (s->is_admitted)
		smtp_abuse_leave(service, s->peer);
	if (!s->is_probe)
		counter_sub(&s->counts->active, 1);
	list_remove(&s->link);
	smtp_room_leave(s);
	config_unref(s->config);
	tls_ctx_unref(s->tls);
	free(s->helo);
	free(s->proven);
	free(s);
	smtp_service_left(service);
}

static const struct conn_ops session_ops = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_tls = on_tls,
	.on_closed = on_closed,
};

static struct smtp_session *session_new(struct smtp_service *service,
    struct conn *c, size_t listener, struct peer *peer)
{
	struct smtp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->service = service;
	s->config = config_ref(service->config);
	s->listener =
	    CONFIG_AT(s->config->listeners, struct config_listener, listener);
	s->counts = smtp_service_counts(service, s->listener);
	s->peer = peer;
	s->conn = c;
	s->tls = tls_set_find(service->tls, s->config, s->listener);
	if (s->tls)
		(void)tls_ctx_ref(s->tls);
	s->verb = COUNTER_VERBS;
	s->reject = COUNTER_REJECTS;
	s->is_admitted = true;
	s->may_xclient = smtp_session_trusts_peer(s);
	id_format(id_make(), s->id);
	smtp_line_init(&s->lines);
	s->lines.takes_lf = s->listener->lenient_syntax;
	loop_timer_init(&s->timer, smtp_session_on_timer);
	if (s->config->smtp.session_total_ms > 0)
		s->ends_at =
		    loop_now(service->loop) + s->config->smtp.session_total_ms;
	list_append(&service->sessions, &s->link);
	list_init(&s->paused);
	service->session_count++;
	return s;
}

bool smtp_session_open(struct smtp_service *service, struct conn *c,
    size_t listener, struct peer *peer, bool is_probe)
{
	struct smtp_session *s = session_new(service, c, listener, peer);

	if (!s)
		return false;
	s->is_probe = true;
	if (!is_probe)
		smtp_session_count(s);
	conn_set_ops(c, &session_ops, s);
	conn_set_handshake_ms(c, s->config->smtp.tls_handshake_ms);
	/* Until it is known who it is, what comes may hold a password. */
	conn_in(c)->is_secret = true;
	log_debug("session_start", SMTP_LOG_CLIENT(c),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name));
	if (s->listener->tls != CONFIG_TLS_IMPLICIT) {
		if (is_out_of_turn(s)) {
			refuse_pregreet(s);
		} else {
			smtp_session_greet(s);
			smtp_session_await(s);
		}
	} else if (s->tls) {
		(void)smtp_session_wait(s, SMTP_WAIT_TLS);
		conn_start_tls(c, s->tls);
	} else {
		conn_abort(c, CONN_END_LOCAL);
	}
	conn_start(c);
	return true;
}
