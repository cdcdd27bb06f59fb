/* DATA and the content after it (RFC 5321 4.1.1.4). */
#include <smtp/session_internal.h>

#include <net/conn.h>

enum smtp_next smtp_cmd_data(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	bool is_lenient = s->listener->lenient_syntax;

	(void)cmd;
	if (s->state != SMTP_ST_RCPT) {
		if (s->tx->rcpt_tried > 0)
			smtp_session_reply(
			    s, 554, "5.5.1", "No valid recipients");
		else
			smtp_session_reply(
			    s, 503, "5.5.1", "Bad sequence of commands");
		return SMTP_NEXT;
	}
	smtp_content_begin(
	    s, is_lenient ? SMTP_DATA_LENIENT : SMTP_DATA_STRICT);
	smtp_session_set_state(s, SMTP_ST_DATA);
	smtp_session_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	return smtp_content_pace(s);
}

enum smtp_next smtp_data_input(struct smtp_session *s)
{
	struct buf *in = conn_in(s->conn);
	enum smtp_next next;

	buf_consume(in, smtp_content_take(s, buf_span(in)));
	if (smtp_content_is_over(s, &next))
		return next;
	if (s->tx->data.state == SMTP_DATA_DONE)
		return smtp_content_finish(s);
	return smtp_content_pace(s);
}
