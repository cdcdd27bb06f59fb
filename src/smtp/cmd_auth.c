/*
 * AUTH and the lines of its exchange (RFC 4954). The service verifies; here
 * are base64, order, delays and replies. A refusal is the same for every
 * reason a client could learn something from, and is sent after a delay
 * during which nothing is read.
 */
#include <smtp/session_internal.h>

#include <auth/auth.h>
#include <base/b64.h>
#include <base/hash.h>
#include <base/log.h>
#include <net/conn.h>
#include <policy/peers.h>

#include <inttypes.h>
#include <stdlib.h>

/* A decoded response; wiped when done with. */
struct response {
	char *data;
	size_t size;
	struct span bytes;
};

static void wipe(struct response *r)
{
	if (r->data)
		hash_cleanse(r->data, r->size);
	free(r->data);
	*r = (struct response){ .data = NULL };
}

/* What is left of text without blanks, written to out. */
static struct span squeeze(struct span text, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != ' ' && text.ptr[i] != '\t')
			out[len++] = text.ptr[i];
	return span_make(out, len);
}

/* Old devices break their base64, where one listens to them. */
static bool decode(
    const struct smtp_session *s, struct span text, struct response *out)
{
	bool is_lenient = s->listener->lenient_syntax;
	ptrdiff_t len = -1;

	*out = (struct response){ .size = 2 * text.len + 1 };
	out->data = malloc(out->size);
	if (out->data && is_lenient)
		text = squeeze(text, out->data + text.len);
	if (out->data)
		len = b64_decode(text, out->data);
	if (len < 0) {
		wipe(out);
		return false;
	}
	out->bytes = span_make(out->data, (size_t)len);
	return true;
}

/* The line itself held the same secret; what came after it stays. */
void smtp_auth_wipe(struct smtp_session *s)
{
	buf_cleanse_consumed(conn_in(s->conn));
}

void smtp_auth_drop(struct smtp_session *s)
{
	auth_end(s->auth);
	s->auth = NULL;
	if (s->state == SMTP_ST_AUTH)
		smtp_session_set_state(s, SMTP_ST_READY);
}

static void log_failure(const struct smtp_session *s, const char *event,
    const char *reason, const char *user)
{
	log_warn(event, SMTP_LOG_CLIENT(s->conn), LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("mech", s->auth ? auth_session_mechanism(s->auth) : ""),
	    LOG_STR("reason", reason ? reason : ""),
	    LOG_STR("user.name", user ? user : ""));
}

/*
 * Our trouble, not the client's: an event of its own, so that nobody is banned
 * for it, and it counts as no failed login. Asking over and over helps nobody
 * either.
 */
static enum smtp_next unavailable(
    struct smtp_session *s, const char *reason, const char *user)
{
	int64_t limit = s->config->auth.max_failures;

	smtp_tally_login(s, COUNTER_LOGIN_UNAVAILABLE);
	log_failure(s, "auth_unavailable", reason, user);
	smtp_auth_drop(s);
	smtp_session_reply(s, 454, "4.7.0", "Temporary authentication failure");
	if (limit <= 0 || ++s->auth_outages < (uint64_t)limit)
		return SMTP_NEXT;
	smtp_session_reply(
	    s, 421, "4.7.0", "Authentication not available, try again later");
	return smtp_session_close(s, "auth unavailable");
}

/* The network has had its failures: right or wrong, nobody hears it now. */
static enum smtp_next lock_out(struct smtp_session *s)
{
	smtp_tally_login(s, COUNTER_LOGIN_LIMITED);
	smtp_abuse_log(s, "network_failures");
	smtp_auth_drop(s);
	smtp_session_reply(s, 421, "4.7.0", "Too many failed authentications");
	return smtp_session_close(s, "abuse");
}

static enum smtp_next too_many_sessions(
    struct smtp_session *s, const struct config_user *user)
{
	smtp_tally_login(s, COUNTER_LOGIN_LIMITED);
	log_failure(s, "auth_limited", "sessions_per_user", user->name);
	smtp_auth_drop(s);
	smtp_session_reply(s, 421, "4.7.0",
	    "Too many sessions of this user, at most %" PRId64
	    " at the same time",
	    s->config->smtp.sessions_per_user);
	return smtp_session_close(s, "abuse");
}

static enum smtp_next succeed(
    struct smtp_session *s, const struct auth_answer *answer)
{
	const struct config_user *user =
	    config_find_user(s->config, span_of(answer->user));

	if (!user) /* removed since: not the snapshot of this session */
		return unavailable(s, "no such user any more", answer->user);
	if (!smtp_abuse_log_in(s, user))
		return too_many_sessions(s, user);
	smtp_tally_login(s, COUNTER_LOGIN_OK);
	log_info("auth_ok", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("mech", auth_session_mechanism(s->auth)),
	    LOG_STR("user.name", s->user->name));
	smtp_auth_drop(s);
	conn_in(s->conn)->is_secret = false;
	smtp_session_reply(s, 235, "2.7.0", "Authentication successful");
	return SMTP_NEXT;
}

static enum smtp_next challenge(struct smtp_session *s, struct span raw)
{
	struct buf out;
	size_t len = b64_encoded_len(raw.len);

	buf_init(&out, len + 8);
	if (buf_reserve(&out, len + 8) < 0)
		return unavailable(s, "out of memory", NULL);
	(void)buf_add_str(&out, "334 "); /* the space also without challenge */
	buf_commit(&out, b64_encode(raw.ptr, raw.len, buf_tail(&out)));
	(void)buf_add_str(&out, "\r\n");
	conn_write(s->conn, out.data, buf_len(&out));
	smtp_tally_reply(s, 334, NULL);
	buf_finish(&out);
	return SMTP_NEXT;
}

/*
 * It counts as soon as it is known, whatever the client says to it, if
 * anything. Time counts from the response on: a slow hash does not show.
 */
static void note_failure(
    struct smtp_session *s, const struct auth_answer *answer)
{
	s->auth_due = s->auth_asked_at + peers_login_failed(s->service->peers,
					     s->peer, &s->config->auth);
	smtp_tally_login(s, answer->result == AUTH_DISABLED
				? COUNTER_LOGIN_DISABLED
				: COUNTER_LOGIN_BAD);
	log_failure(s, "auth_failed", answer->detail, answer->user);
}

/* The exchange is over; a login that failed is answered in its time. */
static enum smtp_next refuse(
    struct smtp_session *s, struct smtp_auth_refusal refusal)
{
	uint64_t now = loop_now(s->service->loop);

	smtp_auth_drop(s); /* and the answer with it */
	s->auth_refusal = refusal;
	if (s->auth_due <= now)
		return smtp_auth_refuse(s);
	(void)smtp_session_wait(s, SMTP_WAIT_AUTH_DELAY);
	smtp_session_arm(s, s->auth_due - now);
	return SMTP_WAIT;
}

enum smtp_next smtp_auth_refuse(struct smtp_session *s)
{
	const struct smtp_auth_refusal *r = &s->auth_refusal;
	int64_t limit = s->config->auth.max_failures;
	bool is_over;

	smtp_session_reply(s, r->code, r->enhanced, "%s", r->text);
	if (s->auth_due == 0) /* no login has failed */
		return SMTP_NEXT;
	is_over = limit > 0 && ++s->auth_failures >= (uint64_t)limit;
	if (!is_over && !smtp_abuse_is_locked_out(s))
		return SMTP_NEXT;
	smtp_abuse_log(s, is_over ? "auth_failures" : "network_failures");
	smtp_session_reply(s, 421, "4.7.0", "Too many failed authentications");
	return smtp_session_close(s, "abuse");
}

static bool has_failed(const struct auth_answer *answer)
{
	return answer->result == AUTH_BAD_CREDENTIALS ||
	       answer->result == AUTH_DISABLED || answer->is_refused;
}

static enum smtp_next judge(
    struct smtp_session *s, const struct auth_answer *answer)
{
	static const struct smtp_auth_refusal refusals[] = {
		[AUTH_BAD_CREDENTIALS] = { 535, "5.7.8",
		    "Authentication credentials invalid" },
		[AUTH_NO_MECHANISM] = { 504, "5.5.4",
		    "Unrecognized authentication type" },
		[AUTH_NEEDS_TLS] = { 538, "5.7.11",
		    "Encryption required for requested authentication "
		    "mechanism" },
		[AUTH_MALFORMED] = { 501, "5.5.2",
		    "Malformed authentication response" },
		[AUTH_DISABLED] = { 525, "5.7.13", "User account disabled" },
	};
	bool is_verdict = answer->result == AUTH_OK || has_failed(answer);

	if (is_verdict && s->auth_due == 0) {
		/* Of guesses verified side by side those beyond the limit get
		 * one answer, whatever was found. */
		if (smtp_abuse_is_locked_out(s))
			return lock_out(s);
		if (has_failed(answer))
			note_failure(s, answer);
	}
	switch (answer->result) {
	case AUTH_OK:
		return succeed(s, answer);
	case AUTH_CONTINUE:
		return challenge(s, answer->challenge);
	case AUTH_UNAVAILABLE:
		return unavailable(s, answer->detail, answer->user);
	case AUTH_BAD_CREDENTIALS:
	case AUTH_NO_MECHANISM:
	case AUTH_NEEDS_TLS:
	case AUTH_MALFORMED:
	case AUTH_DISABLED:
		break;
	}
	return refuse(s, refusals[answer->result]);
}

static void on_answer(void *ctx, const struct auth_answer *answer)
{
	struct smtp_session *s = ctx;

	smtp_session_resume(s, judge(s, answer));
}

static enum smtp_next begin(struct smtp_session *s, struct span mechanism,
    const struct response *initial)
{
	struct auth_start start = {
		.loop = s->service->loop,
		.config = s->config,
		.hostname = s->config->hostname,
		.mechanism = mechanism,
		.has_initial = initial->bytes.ptr != NULL,
		.initial = initial->bytes,
		.channel = smtp_session_channel(s),
		.on_answer = on_answer,
		.ctx = s,
	};

	s->auth_asked_at = loop_now(s->service->loop);
	s->auth_due = 0;
	s->auth = auth_begin(s->service->auth, &start);
	if (!s->auth)
		return unavailable(s, "out of memory", NULL);
	smtp_session_set_state(s, SMTP_ST_AUTH);
	return smtp_session_wait(s, SMTP_WAIT_AUTH);
}

enum smtp_next smtp_cmd_auth(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct span rest = cmd->args;
	struct span mechanism = span_cut(&rest, ' ');
	struct span text = span_trim(rest);
	struct response initial = { .data = NULL };
	enum smtp_next next = SMTP_NEXT;

	if (s->user) {
		smtp_session_reply(s, 503, "5.5.1", "Already authenticated");
	} else if (smtp_abuse_is_locked_out(s)) {
		next = lock_out(s);
	} else if (mechanism.len == 0) {
		smtp_session_reply(s, 501, "5.5.4",
		    "Syntax: AUTH mechanism [initial-response]");
	} else if (span_eq(text, SPAN("="))) {
		initial.bytes = SPAN("");
		next = begin(s, mechanism, &initial);
	} else if (text.len > 0 && !decode(s, text, &initial)) {
		smtp_session_reply(s, 501, "5.5.2", "Cannot decode base64");
	} else {
		next = begin(s, mechanism, &initial);
	}
	wipe(&initial);
	smtp_auth_wipe(s);
	return next;
}

enum smtp_next smtp_auth_line(struct smtp_session *s, struct span line)
{
	static const struct smtp_auth_refusal cancelled = { 501, "5.7.0",
		"Authentication cancelled" };
	static const struct smtp_auth_refusal garbled = { 501, "5.5.2",
		"Cannot decode base64" };
	struct response response = { .data = NULL };
	enum smtp_next next;

	if (span_eq(line, SPAN("*"))) {
		next = refuse(s, cancelled);
	} else if (!decode(s, line, &response)) {
		next = refuse(s, garbled);
	} else {
		s->auth_asked_at = loop_now(s->service->loop);
		auth_step(s->auth, response.bytes);
		next = smtp_session_wait(s, SMTP_WAIT_AUTH);
	}
	wipe(&response);
	smtp_auth_wipe(s);
	return next;
}

enum smtp_next smtp_auth_line_too_long(struct smtp_session *s)
{
	static const struct smtp_auth_refusal too_long = { 500, "5.5.6",
		"Authentication exchange line is too long" };

	smtp_auth_wipe(s);
	return refuse(s, too_long);
}
