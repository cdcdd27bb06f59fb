/*
 * DATA and the content after it. Memory grows as bytes arrive, whatever SIZE=
 * claimed; content that is ruled out is read to its end and dropped, so that
 * no byte of it becomes a command.
 */
#include <smtp/session_internal.h>

#include <base/clock.h>
#include <net/conn.h>

enum {
	FIRST_ROOM = 64 * 1024 /* as much of SIZE= as is believed at once */
};

enum smtp_next smtp_cmd_data(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct smtp_tx *tx = s->tx;
	uint64_t hint = tx->envelope.declared_size;
	uint64_t total = s->config->smtp.data_total_ms;

	(void)cmd;
	if (s->state != SMTP_ST_RCPT) {
		if (tx->rcpt_tried > 0)
			smtp_session_reply(
			    s, 554, "5.5.1", "No valid recipients");
		else
			smtp_session_reply(
			    s, 503, "5.5.1", "Bad sequence of commands");
		return SMTP_NEXT;
	}
	if (hint > 0) /* only a hint: nothing is lost when it fails */
		(void)buf_reserve(
		    &tx->body, hint < FIRST_ROOM ? (size_t)hint : FIRST_ROOM);
	tx->data_ends = total ? loop_now(s->service->loop) + total : 0;
	smtp_data_init(&tx->data);
	smtp_session_set_state(s, SMTP_ST_DATA);
	smtp_session_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	return SMTP_NEXT;
}

uint64_t smtp_data_time(const struct smtp_session *s)
{
	uint64_t now = loop_now(s->service->loop);
	uint64_t ends = s->tx->data_ends, idle = s->config->smtp.data_idle_ms;
	uint64_t left = ends > now ? ends - now : 1;

	if (ends == 0 || (idle > 0 && idle < left))
		return idle;
	return left;
}

/* The end was seen: what is wrong with it, or what becomes of it. */
static enum smtp_next finish(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;

	tx->ended_ns = clock_mono_ns();
	if (tx->data.has_bare_lf)
		smtp_session_violation(s, SMTP_BARE_LF);
	if (tx->data.has_bare_cr)
		smtp_session_violation(s, SMTP_BARE_CR);
	if (tx->data.has_nul) {
		smtp_session_violation(s, SMTP_NUL);
		return smtp_session_refuse(
		    s, 554, "5.6.0", "Message holds a NUL character");
	}
	if (tx->data.is_too_large)
		return smtp_session_refuse(
		    s, 552, "5.3.4", "Message size exceeds limit");
	if (tx->data.is_out_of_memory)
		return smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
	return smtp_submit(s);
}

enum smtp_next smtp_data_input(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;
	struct buf *in = conn_in(s->conn);
	uint64_t max = s->config->smtp.max_message_size;
	size_t used = smtp_data_feed(&tx->data, buf_span(in), &tx->body);

	buf_consume(in, used);
	tx->received += used;
	if (tx->data.state == SMTP_DATA_DONE)
		return finish(s);
	/* Also what is refused already, or dots of which nothing is kept. */
	if (tx->received / 2 > max) {
		(void)smtp_session_refuse(
		    s, 552, "5.3.4", "Message size exceeds limit");
		return smtp_session_close(s, "message too large");
	}
	return SMTP_NEXT;
}
