/*
 * BDAT (RFC 3030): content in chunks of known length. A chunk follows its
 * command whether we want it or not, so a refused one is read and dropped,
 * and answered where it ends. A command that does not say how much follows
 * ends the session: what comes would be read as commands.
 *
 * BINARYMIME is not offered. It would let NUL, and CR and LF of any kind,
 * stand for themselves, and then no line end could be normalised and no NUL
 * refused; a provider's API takes a message as text of lines. It would have
 * to be encoded anew, which breaks signatures.
 */
#include <smtp/session_internal.h>

#include <net/conn.h>

struct smtp_refusal {
	unsigned code;
	const char *enhanced, *text;
};

/* "length" or "length LAST". */
static bool parse(struct span args, uint64_t *out_len, bool *out_is_last)
{
	struct span number = span_cut(&args, ' ');
	unsigned long long n;

	if (number.len > 20 || !span_parse_u64(number, INT64_MAX, &n))
		return false;
	while (args.ptr && args.len > 0 && args.ptr[0] == ' ')
		args = span_from(args, 1);
	*out_is_last = args.ptr != NULL;
	if (*out_is_last && !span_ieq(args, SPAN("LAST")))
		return false;
	*out_len = n;
	return true;
}

/* What stands against this chunk, or NULL. */
static const struct smtp_refusal *find_refusal(const struct smtp_session *s)
{
	static const struct smtp_refusal no_tls = { 530, "5.7.0",
		"Must issue a STARTTLS command first" };
	static const struct smtp_refusal no_auth = { 530, "5.7.0",
		"Authentication required" };
	static const struct smtp_refusal no_recipients = { 554, "5.5.1",
		"No valid recipients" };
	static const struct smtp_refusal out_of_order = { 503, "5.5.1",
		"Bad sequence of commands" };

	if (smtp_session_needs_tls(s))
		return &no_tls;
	if (smtp_session_needs_auth(s))
		return &no_auth;
	if (s->state == SMTP_ST_RCPT || s->state == SMTP_ST_BDAT)
		return NULL;
	if (s->tx && s->tx->rcpt_tried > 0)
		return &no_recipients;
	return &out_of_order;
}

/* The chunk is in. */
static enum smtp_next finish(struct smtp_session *s)
{
	const struct smtp_refusal *r = s->chunk.refusal;

	s->chunk.refusal = NULL;
	if (r) {
		smtp_session_reply(s, r->code, r->enhanced, "%s", r->text);
		return SMTP_NEXT;
	}
	if (s->chunk.is_last)
		return smtp_content_finish(s);
	if (smtp_content_is_refused(s))
		return SMTP_NEXT;
	smtp_session_reply(s, 250, "2.0.0", "Ok: %llu bytes",
	    (unsigned long long)s->chunk.size);
	return smtp_content_pace(s);
}

enum smtp_next smtp_cmd_bdat(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	uint64_t len;
	bool is_last;

	if (!s->config->smtp.chunking) {
		(void)smtp_cmd_unimplemented(s, cmd);
		return smtp_session_close(s, "BDAT not offered");
	}
	if (!parse(cmd->args, &len, &is_last)) {
		smtp_session_reply(
		    s, 501, "5.5.4", "Syntax: BDAT length [LAST]");
		return smtp_session_close(s, "bad BDAT");
	}
	if (len == 0 && !is_last) {
		smtp_session_reply(
		    s, 501, "5.5.4", "An empty chunk must be the LAST");
		return SMTP_NEXT;
	}
	s->chunk = (struct smtp_chunk){ .size = len,
		.left = len,
		.is_last = is_last,
		.refusal = find_refusal(s) };
	if (!s->chunk.refusal && s->state == SMTP_ST_RCPT) {
		smtp_content_begin(s, SMTP_DATA_CHUNKS);
		smtp_session_set_state(s, SMTP_ST_BDAT);
	}
	if (len == 0)
		return finish(s);
	if (s->chunk.refusal)
		return SMTP_NEXT;
	smtp_content_time_anew(s);
	return smtp_content_pace(s);
}

/* Of a chunk that nobody wants as much is read as of a message. */
static enum smtp_next drop(struct smtp_session *s, struct buf *in, size_t n)
{
	buf_consume(in, n);
	s->chunk.left -= n;
	if ((s->chunk.size - s->chunk.left) / 2 >
	    s->config->smtp.max_message_size) {
		smtp_session_reply(
		    s, 552, "5.3.4", "Message size exceeds limit");
		return smtp_session_close(s, "message too large");
	}
	return s->chunk.left == 0 ? finish(s) : SMTP_NEXT;
}

enum smtp_next smtp_chunk_input(struct smtp_session *s)
{
	struct buf *in = conn_in(s->conn);
	struct span piece = buf_span(in);
	enum smtp_next next;

	if (piece.len > s->chunk.left)
		piece = span_first(piece, (size_t)s->chunk.left);
	if (s->chunk.refusal)
		return drop(s, in, piece.len);
	piece.len = smtp_content_take(s, piece);
	buf_consume(in, piece.len);
	s->chunk.left -= piece.len;
	if (smtp_content_is_over(s, &next))
		return next;
	return s->chunk.left == 0 ? finish(s) : smtp_content_pace(s);
}
