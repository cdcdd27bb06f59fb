/*
 * One session: lines and bytes in, replies out. A fault may replace a reply,
 * delay it, or break the session off; while a reply waits for its time nothing
 * more is read.
 */
#include <sandbox/smtpd_internal.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- out --- */

static void restart_timer(struct smtpd_session *c)
{
	loop_timer_start(c->sandbox->loop, &c->timer, SMTPD_IDLE_MS);
}

static void end(struct smtpd_session *c)
{
	c->mode = SMTPD_OVER;
	conn_close(c->conn);
}

static void break_off(struct smtpd_session *c)
{
	c->mode = SMTPD_OVER;
	conn_abort(c->conn, CONN_END_LOCAL);
}

void smtpd_say(struct smtpd_session *c, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(text)); /* our own words */
	conn_write(c->conn, text, strlen(text));
	conn_write(c->conn, "\r\n", 2);
}

void smtpd_refuse(struct smtpd_session *c, const char *reply)
{
	struct sandbox_counts *counts = &c->sandbox->counts[FAKE_smtp];

	if (!c->is_counted) {
		counts->requests++;
		counts->rejected++;
	}
	c->is_counted = true;
	smtpd_say(c, "%s", reply);
}

void smtpd_leave(struct smtpd_session *c, const char *reply)
{
	smtpd_say(c, "%s", reply);
	end(c);
}

/* The next byte of the reply, or without pauses all that is to be sent. */
static void send_reply(struct smtpd_session *c)
{
	struct span piece = buf_span(&c->reply);

	if (c->is_reset) {
		break_off(c);
		return;
	}
	if (c->byte_ms > 0)
		piece = span_first(piece, 1);
	conn_write(c->conn, piece.ptr, piece.len);
	buf_consume(&c->reply, piece.len);
	if (buf_len(&c->reply) > 0) {
		loop_timer_start(c->sandbox->loop, &c->timer, c->byte_ms);
	} else if (c->is_last) {
		end(c);
	} else if (c->mode == SMTPD_WAITING) {
		c->mode = SMTPD_COMMAND;
		conn_resume(c->conn);
		restart_timer(c);
	}
}

/* Lines of a reply, "451-text" and last "451 text". */
static void write_reply(struct buf *out, const struct fake_answer *a)
{
	struct span rest = buf_span(&a->body);

	while (rest.ptr) {
		struct span line = span_cut(&rest, '\n');

		(void)buf_printf(out, "%d%c%.*s\r\n", a->status,
		    rest.ptr ? '-' : ' ', SPAN_FMT(span_trim(line)));
	}
}

static void make_reply(struct smtpd_session *c, const struct fault *fault,
    const struct fake_answer *a)
{
	struct buf whole;
	struct span text;

	buf_init(&whole, SMTPD_SIZE_MAX);
	write_reply(&whole, a);
	text = buf_span(&whole);
	if (fault && fault->how == FAULT_CUT_ANSWER)
		text = span_first(text, text.len / 2);
	buf_clear(&c->reply);
	(void)buf_add_span(&c->reply, text);
	buf_finish(&whole);
}

static bool is_for_ever(enum fault_break how)
{
	return how == FAULT_HANG_BEFORE_BODY || how == FAULT_HANG_AFTER_BODY;
}

void smtpd_answer(struct smtpd_session *c, const struct fault *fault,
    const struct fake_answer *a)
{
	enum fault_break how = fault ? fault->how : FAULT_ANSWER;
	uint64_t delay_ms = fault ? fault->delay_ms : 0;

	if (is_for_ever(how)) {
		c->mode = SMTPD_DEAF;
		return;
	}
	make_reply(c, fault, a);
	c->byte_ms = fault ? fault->byte_ms : 0;
	c->is_reset = how != FAULT_ANSWER && how != FAULT_CUT_ANSWER;
	/* Who says hello with a refusal, or 421, does not listen any more. */
	c->is_last = how == FAULT_CUT_ANSWER || c->byte_ms > 0 ||
		     a->status == 421 || (!c->is_begun && a->status >= 400);
	if (delay_ms == 0 && c->byte_ms == 0) {
		send_reply(c);
		return;
	}
	c->mode = SMTPD_WAITING;
	conn_pause(c->conn);
	loop_timer_start(c->sandbox->loop, &c->timer, delay_ms);
}

bool smtpd_meets_fault(
    struct smtpd_session *c, const char *command, struct span args)
{
	struct fake_answer a;
	const struct fault *fault;

	fake_answer_init(&a);
	fault = settle_command(c->sandbox, FAKE_smtp, command, args, &a);
	if (fault) {
		/* What was pipelined behind it fails with it. */
		c->is_counted = true;
		smtpd_answer(c, fault, &a);
	}
	fake_answer_finish(&a);
	return fault != NULL;
}

bool smtpd_meets_early_fault(struct smtpd_session *c)
{
	const struct fault *fault = settle_head(c->sandbox, FAKE_smtp);

	if (!fault)
		return false;
	if (is_for_ever(fault->how))
		c->mode = SMTPD_DEAF;
	else if (fault->how == FAULT_RESET_MID_BODY)
		c->is_doomed = true;
	else
		break_off(c);
	return !c->is_doomed;
}

void smtpd_forget_transaction(struct smtpd_session *c)
{
	free(c->sender);
	c->sender = NULL;
	c->is_counted = c->is_doomed = c->takes_8bit = c->takes_utf8 = false;
	buf_clear(&c->recipients);
	c->recipient_count = 0;
	c->body = (struct smtpd_body){ .state = SMTPD_BODY_START };
	buf_finish(&c->text);
}

/* --- in --- */

static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char b = (unsigned char)line.ptr[i];
		if (b < ' ' || b == 0x7f)
			return true;
	}
	return false;
}

/* With its LF. */
static void run_line(struct smtpd_session *c, struct span line)
{
	bool is_whole = line.len >= 2 && line.ptr[line.len - 2] == '\r';

	line = span_first(line, is_whole ? line.len - 2 : 0);
	if (!is_whole || has_control(line))
		smtpd_refuse(c, "500 5.5.2 A line is text that ends with CRLF");
	else if (c->mode == SMTPD_COMMAND)
		smtpd_command(c, line);
	else
		smtpd_auth_go_on(c, line);
}

static bool take_line(struct smtpd_session *c, struct buf *in)
{
	struct span s = buf_span(in);
	const char *lf = s.len > 0 ? memchr(s.ptr, '\n', s.len) : NULL;
	size_t len = lf ? (size_t)(lf - s.ptr) + 1 : s.len;
	bool is_long = c->is_discarding || len > SMTPD_LINE_MAX;

	if (!lf && !is_long)
		return false;
	/* The bytes stay where they are until more come. */
	buf_consume(in, len);
	c->is_discarding = is_long && !lf;
	if (lf && is_long) {
		c->mode = SMTPD_COMMAND;
		smtpd_refuse(c, "500 5.5.2 The line is too long");
	} else if (lf) {
		run_line(c, span_first(s, len));
	}
	return lf != NULL;
}

static bool take_body(struct smtpd_session *c, struct buf *in)
{
	if (buf_len(in) == 0)
		return false;
	if (c->is_doomed) {
		break_off(c);
		return false;
	}
	buf_consume(in, smtpd_body_feed(&c->body, buf_span(in), &c->text));
	if (c->body.state != SMTPD_BODY_DONE)
		return false;
	c->mode = SMTPD_COMMAND;
	smtpd_take_message(c);
	return true;
}

/* False: there is no more to be taken for now. */
static bool take(struct smtpd_session *c)
{
	switch (c->mode) {
	case SMTPD_WAITING:
	case SMTPD_OVER:
		return false;
	case SMTPD_DEAF:
		buf_clear(conn_in(c->conn));
		return false;
	case SMTPD_BODY:
		return take_body(c, conn_in(c->conn));
	default:
		return take_line(c, conn_in(c->conn));
	}
}

static void on_data(struct conn *conn, void *ctx)
{
	struct smtpd_session *c = ctx;

	(void)conn;
	restart_timer(c);
	while (take(c)) {
	}
}

static void on_eof(struct conn *conn, void *ctx)
{
	(void)conn;
	end(ctx);
}

static void on_drained(struct conn *conn, void *ctx)
{
	(void)conn;
	(void)ctx;
}

static void on_closed(struct conn *conn, enum conn_end why, void *ctx)
{
	(void)conn;
	(void)why;
	smtpd_forget(ctx);
}

const struct conn_ops smtpd_ops = { .on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_tls = on_drained,
	.on_closed = on_closed };

/* --- begin --- */

static void on_time(struct loop_timer *t)
{
	struct smtpd_session *c = container_of(t, struct smtpd_session, timer);

	if (c->mode == SMTPD_WAITING)
		send_reply(c);
	else if (c->mode == SMTPD_DEAF)
		break_off(c);
	else if (c->mode != SMTPD_OVER)
		smtpd_leave(c, "421 4.4.2 Nothing came for two minutes");
}

void smtpd_begin(struct smtpd_session *c)
{
	loop_timer_init(&c->timer, on_time);
	restart_timer(c);
	if (!smtpd_meets_fault(c, "connect", SPAN("")))
		smtpd_say(c, "220 sandbox ESMTP; nothing is sent anywhere");
	c->is_begun = true;
	if (c->mode != SMTPD_OVER)
		conn_start(c->conn);
}
