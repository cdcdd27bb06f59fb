/*
 * The content of a transaction, as DATA and BDAT share it: from its first
 * byte to the verdict on the whole. Memory grows as bytes arrive, whatever
 * SIZE= claimed; content that is ruled out is read on and dropped, so that no
 * byte of it becomes a command.
 */
#include <smtp/session_internal.h>

#include <base/clock.h>
#include <net/conn.h>

enum {
	FIRST_ROOM = 64 * 1024 /* as much of SIZE= as is believed at once */
};

void smtp_content_begin(struct smtp_session *s, enum smtp_data_kind kind)
{
	struct smtp_tx *tx = s->tx;
	uint64_t hint = tx->envelope.declared_size;
	uint64_t total = s->config->smtp.data_total_ms;

	if (hint > 0) /* only a hint: nothing is lost when it fails */
		(void)buf_reserve(
		    &tx->body, hint < FIRST_ROOM ? (size_t)hint : FIRST_ROOM);
	tx->data_ends = total ? loop_now(s->service->loop) + total : 0;
	smtp_data_init(&tx->data, kind);
}

uint64_t smtp_content_time(const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	bool is_between = s->state == SMTP_ST_BDAT && s->chunk.left == 0;
	uint64_t idle =
	    is_between ? limits->command_timeout_ms : limits->data_idle_ms;
	uint64_t now = loop_now(s->service->loop);
	uint64_t ends = s->tx ? s->tx->data_ends : 0;
	uint64_t left = ends > now ? ends - now : 1;

	if (ends == 0 || (idle > 0 && idle < left))
		return idle;
	return left;
}

size_t smtp_content_take(struct smtp_session *s, struct span in)
{
	struct smtp_tx *tx = s->tx;
	size_t before = buf_len(&tx->body);
	size_t used = smtp_data_feed(&tx->data, in, &tx->body);

	mime_scan_feed(&tx->mime, span_from(buf_span(&tx->body), before));

	tx->received += used;
	return used;
}

static enum smtp_next too_large(struct smtp_session *s)
{
	return smtp_session_refuse(
	    s, 552, "5.3.4", "Message size exceeds limit");
}

static enum smtp_next bare(struct smtp_session *s)
{
	bool is_lf = s->tx->data.first_bare == '\n';

	smtp_session_violation(s, is_lf ? SMTP_BARE_LF : SMTP_BARE_CR);
	(void)smtp_session_refuse(s, 550, "5.5.2",
	    is_lf ? "Bare <LF> received" : "Bare <CR> received");
	return smtp_session_close(s, "bare line end");
}

bool smtp_content_is_over(struct smtp_session *s, enum smtp_next *out_next)
{
	const struct smtp_tx *tx = s->tx;
	const struct config_smtp *c = &s->config->smtp;

	if (c->line_endings == CONFIG_LINES_REJECT && tx->data.first_bare) {
		*out_next = bare(s);
		return true;
	}
	/* Also what is refused already, or dots of which nothing is kept. */
	if (tx->received / 2 > c->max_message_size) {
		(void)too_large(s);
		*out_next = smtp_session_close(s, "message too large");
		return true;
	}
	return false;
}

static bool is_beyond(size_t value, int64_t limit)
{
	return limit > 0 && value > (uint64_t)limit;
}

/* Null when the parts of the content are few enough. */
static const char *check_parts(const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;

	if (is_beyond(s->tx->mime.deepest, limits->mime_depth))
		return "MIME parts are nested too deeply";
	if (is_beyond(s->tx->mime.parts, limits->mime_parts))
		return "Message has too many MIME parts";
	return NULL;
}

bool smtp_content_is_refused(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;
	const char *parts = check_parts(s);

	if (tx->data.has_bare_lf)
		smtp_session_violation(s, SMTP_BARE_LF);
	if (tx->data.has_bare_cr)
		smtp_session_violation(s, SMTP_BARE_CR);
	if (tx->data.has_nul) {
		smtp_session_violation(s, SMTP_NUL);
		(void)smtp_session_refuse(
		    s, 554, "5.6.0", "Message holds a NUL character");
	} else if (tx->data.is_too_large) {
		(void)too_large(s);
	} else if (tx->data.is_out_of_memory) {
		(void)smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
	} else if (parts) {
		(void)smtp_session_refuse(s, 554, "5.6.0", parts);
	} else {
		return false;
	}
	return true;
}

enum smtp_next smtp_content_finish(struct smtp_session *s)
{
	s->tx->ended_ns = clock_mono_ns();
	return smtp_content_is_refused(s) ? SMTP_NEXT : smtp_submit(s);
}
