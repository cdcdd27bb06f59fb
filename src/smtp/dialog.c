/*
 * When a command runs: lines, waits, what errors cost, and whose turn it is.
 * What commands mean is in dispatch.c and the cmd_*.c.
 */
#include <smtp/session_internal.h>

#include <net/conn.h>

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

void smtp_session_end(struct smtp_session *s, const char *reason)
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

/* Content is being sent, in one way or the other. */
static bool takes_content(const struct smtp_session *s)
{
	return s->state == SMTP_ST_DATA || s->state == SMTP_ST_BDAT ||
	       s->chunk.left > 0;
}

/* Time for the next thing the client must do. */
static void arm_for_client(struct smtp_session *s)
{
	if (takes_content(s))
		smtp_session_arm(s, smtp_content_time(s));
	else
		smtp_session_arm(s, smtp_abuse_command_ms(s));
}

void smtp_session_retime(struct smtp_session *s)
{
	if (s->wait == SMTP_WAIT_NONE && s->state != SMTP_ST_END &&
	    !takes_content(s))
		arm_for_client(s);
}

/* Errors and refusals cost time, and too many errors cost the session. */
static void charge_errors(struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	int64_t hard = smtp_abuse_hard_errors(s);

	if (!s->is_error)
		return;
	s->is_error = false;
	s->verb = COUNTER_VERBS;
	if (hard > 0 && s->errors >= (uint64_t)hard) {
		smtp_session_reply(s, 421, "4.7.0", "Too many errors");
		smtp_session_end(s, "errors");
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
		smtp_session_end(s, s->end_reason ? s->end_reason : "closed");
	else
		charge_errors(s);
}

static enum smtp_next too_long(struct smtp_session *s)
{
	smtp_session_violation(s, SMTP_LONG_LINE);
	s->has_spoken = true;
	if (s->state == SMTP_ST_AUTH)
		return smtp_auth_line_too_long(s);
	s->verb = COUNTER_VERB_OTHER;
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
	       s->wait == SMTP_WAIT_NONE && s->chunk.left == 0 &&
	       buf_len(conn_in(s->conn)) == 0;
}

void smtp_session_drain(struct smtp_session *s)
{
	if (!is_idle(s))
		return;
	s->verb = COUNTER_VERBS;
	follow(s, shutting_down(s));
}

/* The client's turn; when draining, it has had its last one. */
void smtp_session_await(struct smtp_session *s)
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
		/* A message that has begun may end, also when in chunks. */
		if (s->service->is_draining && s->state != SMTP_ST_BDAT)
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

	if (s->state == SMTP_ST_DATA || s->chunk.left > 0) {
		if (buf_len(conn_in(s->conn)) == 0)
			return false;
		next = s->chunk.left > 0 ? smtp_chunk_input(s)
					 : smtp_data_input(s);
	} else if (!take_line(s, &next)) {
		return false;
	}
	follow(s, next);
	return true;
}

void smtp_session_run(struct smtp_session *s)
{
	bool has_progress = false;

	while (is_able(s) && take(s))
		has_progress = true;
	if (!is_able(s))
		return;
	/* All that can be understood has been answered. */
	if (s->is_eof)
		smtp_session_end(s, "lost");
	else if (has_progress)
		smtp_session_await(s);
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
		smtp_session_end(s, "lost");
	else
		smtp_session_await(s);
}

void smtp_session_on_timer(struct loop_timer *t)
{
	struct smtp_session *s = container_of(t, struct smtp_session, timer);

	switch (s->wait) {
	case SMTP_WAIT_NONE:
		if (!takes_content(s))
			s->verb = COUNTER_VERBS;
		smtp_session_reply(s, 421, "4.4.2", "Timeout");
		smtp_session_end(s, "timeout");
		break;
	case SMTP_WAIT_DELAY:
		smtp_session_resume(s, SMTP_NEXT);
		break;
	case SMTP_WAIT_AUTH_DELAY:
		smtp_session_resume(s, smtp_auth_refuse(s));
		break;
	case SMTP_WAIT_DELIVER:
		smtp_session_resume(s, smtp_submit_overdue(s));
		break;
	case SMTP_WAIT_BODY:
		smtp_content_overdue(s);
		break;
	case SMTP_WAIT_TLS:
	case SMTP_WAIT_AUTH:
		break; /* not armed: others end these */
	}
}
