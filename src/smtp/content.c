/*
 * The content of a transaction, as DATA and BDAT share it: from its first
 * byte to the verdict on the whole. Memory grows as bytes arrive, whatever
 * SIZE= claimed, and not beyond what body.h says; content that is ruled out
 * is read on and dropped, so that no byte of it becomes a command.
 */
#include <smtp/session_internal.h>

#include <smtp/user.h>

#include <base/clock.h>
#include <mail/message.h>
#include <net/conn.h>

#include <errno.h>

enum {
	NS_PER_MS = 1000000,
	FIRST_ROOM = 16 * 1024 /* as much of SIZE= as is believed at once */
};

void smtp_content_go_on(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;

	if (tx->body.rc < 0)
		tx->data.is_dropped = true;
	if (s->wait != SMTP_WAIT_BODY)
		return; /* it came before anybody waited */
	smtp_room_leave(s);
	if (!tx->body.is_ended && smtp_body_must_wait(&tx->body))
		return; /* for the disk, which says when it is done */
	smtp_content_time_anew(s);
	smtp_session_resume(
	    s, tx->body.is_ended ? smtp_content_finish(s) : SMTP_NEXT);
}

/* The disk is done with a piece. What pressure holds back stays so. */
static void on_room(void *ctx)
{
	struct smtp_session *s = ctx;

	if (list_is_empty(&s->paused) || s->tx->body.rc < 0)
		smtp_content_go_on(s);
}

void smtp_content_begin(struct smtp_session *s, enum smtp_data_kind kind)
{
	struct smtp_tx *tx = s->tx;
	const struct config_smtp *c = &s->config->smtp;
	uint64_t hint = tx->envelope.declared_size;
	uint64_t total = c->data_total_ms;
	bool is_volatile = tx->mode == CONFIG_MODE_DIRECT;
	const struct smtp_body_settings settings = {
		.store = s->service->store,
		.loop = s->service->loop,
		.max = smtp_rights_size(s),
		.header_max = c->header_bytes,
		.is_volatile = is_volatile,
		.has_files = !is_volatile || smtp_room_has_files(s),
		.is_pressed = message_memory() >= c->content_memory ||
			      smtp_room_must_spill(s),
		.on_room = on_room,
		.ctx = s,
	};

	smtp_body_init(&tx->body, &settings);
	if (hint > 0) /* only a hint: nothing is lost when it fails */
		(void)buf_reserve(&tx->body.head,
		    hint < FIRST_ROOM ? (size_t)hint : FIRST_ROOM);
	tx->data_ends = total ? loop_now(s->service->loop) + total : 0;
	smtp_data_init(&tx->data, kind);
	smtp_content_time_anew(s);
}

void smtp_content_time_anew(struct smtp_session *s)
{
	s->tx->paced_from = loop_now(s->service->loop);
	s->tx->paced_bytes = s->tx->received;
}

/*
 * When the client will have been too slow, if no more comes. It has data_idle
 * before its pace counts: a stall that long is allowed. 0 = never.
 */
static uint64_t pace_ends(const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	const struct smtp_tx *tx = s->tx;

	if (!tx || limits->min_data_rate == 0 || s->chunk.refusal)
		return 0;
	return tx->paced_from + limits->data_idle_ms +
	       (tx->received - tx->paced_bytes) * 1000 / limits->min_data_rate;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return b > 0 && (a == 0 || b < a) ? b : a;
}

uint64_t smtp_content_time(const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	bool is_between = s->state == SMTP_ST_BDAT && s->chunk.left == 0;
	uint64_t idle =
	    is_between ? limits->command_timeout_ms : limits->data_idle_ms;
	uint64_t now = loop_now(s->service->loop);
	uint64_t ends = s->tx ? s->tx->data_ends : 0;

	if (!is_between)
		ends = earlier(ends, pace_ends(s));
	uint64_t left = ends > now ? ends - now : 1;

	if (ends == 0 || (idle > 0 && idle < left))
		return idle;
	return left;
}

uint64_t smtp_content_answer_ms(const struct smtp_session *s)
{
	uint64_t limit = s->config->smtp.data_processing_ms, used = 0;

	if (s->tx->ended_ns > 0)
		used = (clock_mono_ns() - s->tx->ended_ns) / NS_PER_MS;
	return limit == 0 || used < limit ? limit - used : 1;
}

/* What nobody will want takes no more room, here or on the disk. */
static void settle(struct smtp_tx *tx)
{
	if (!smtp_body_settle(&tx->body))
		tx->data.is_dropped = true;
	else if (!smtp_data_is_good(&tx->data))
		smtp_body_finish(&tx->body);
}

/* Beyond it nothing is read on, even of what is refused already. */
static uint64_t enough(const struct smtp_session *s)
{
	return 2 * (smtp_rights_size(s) + 1);
}

size_t smtp_content_take(struct smtp_session *s, struct span in)
{
	struct smtp_tx *tx = s->tx;
	/* Not further, so that the answer does not depend on the pieces. */
	uint64_t room = enough(s) - tx->received;

	if (room < in.len)
		in.len = (size_t)room;
	struct buf *out = smtp_body_out(&tx->body);
	size_t before = buf_len(out);
	size_t used = smtp_data_feed(&tx->data, in, out);

	mime_scan_feed(&tx->mime, span_from(buf_span(out), before));
	tx->received += used;
	settle(tx);
	return used;
}

static enum smtp_next too_large(struct smtp_session *s)
{
	return smtp_session_refuse(
	    s, 552, smtp_rights_size_code(s), "Message size exceeds limit");
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
	if (tx->received >= enough(s)) {
		(void)too_large(s);
		*out_next = smtp_session_close(s, "message too large");
		return true;
	}
	return false;
}

static void no_room(struct smtp_session *s, int rc)
{
	if (rc == -EIO)
		(void)smtp_session_refuse(
		    s, 451, "4.3.0", "Queue file write error");
	else
		(void)smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
}

bool smtp_content_is_refused(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;
	const char *parts = smtp_user_parts(s->config, &tx->mime);

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
		no_room(s, -ENOMEM);
	} else if (tx->body.rc < 0) {
		no_room(s, tx->body.rc);
	} else if (parts) {
		(void)smtp_session_refuse(s, 554, "5.6.0", parts);
	} else {
		return false;
	}
	return true;
}

/* Now it is the disk that takes its time. */
static enum smtp_next wait_for_room(struct smtp_session *s)
{
	uint64_t limit = smtp_content_answer_ms(s);

	(void)smtp_session_wait(s, SMTP_WAIT_BODY);
	if (limit > 0)
		loop_timer_start(s->service->loop, &s->timer, limit);
	return SMTP_WAIT;
}

void smtp_content_overdue(struct smtp_session *s)
{
	bool is_paused = !list_is_empty(&s->paused);

	smtp_room_leave(s);
	smtp_body_fail(&s->tx->body, is_paused ? -ENOSPC : -EIO);
	smtp_content_go_on(s);
}

enum smtp_next smtp_content_pace(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;
	/* Asked first: else one that the disk keeps waiting never hears it. */
	bool is_paused = !tx->data.is_dropped && smtp_room_must_pause(s);

	if (is_paused && smtp_room_must_spill(s))
		smtp_body_spill(&tx->body);
	return is_paused || smtp_body_must_wait(&tx->body) ? wait_for_room(s)
							   : SMTP_NEXT;
}

/* Runs again when what it waited for is written. */
enum smtp_next smtp_content_finish(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;

	if (tx->data.state != SMTP_DATA_DONE) { /* chunks */
		smtp_data_end(&tx->data, smtp_body_out(&tx->body));
		settle(tx);
	}
	if (tx->ended_ns == 0)
		tx->ended_ns = clock_mono_ns();
	if (smtp_room_must_spill(s))
		smtp_body_spill(&tx->body);
	if (!smtp_body_end(&tx->body))
		return wait_for_room(s);
	if (smtp_content_is_refused(s))
		return SMTP_NEXT;
	return smtp_room_must_pause(s) ? wait_for_room(s) : smtp_submit(s);
}
