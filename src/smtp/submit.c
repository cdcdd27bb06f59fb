/*
 * From "all content is in" to the reply: may the user write in that name,
 * what the header must be, the hand-over to delivery, and what its verdict is
 * called in SMTP.
 */
#include <smtp/session_internal.h>

#include <smtp/steer.h>
#include <smtp/user.h>

#include <base/clock.h>
#include <base/log.h>
#include <mail/header.h>
#include <mail/message.h>
#include <mail/traits.h>
#include <net/conn.h>
#include <policy/quota.h>
#include <postern/provider.h>

#include <errno.h>
#include <stdio.h>

enum {
	HEADER_EXTRA = 64 * 1024, /* what the fixes may add */
	SHOWN_ID_MAX = 255,       /* of a Message-ID in the log */
	SHOWN_ADDRESS_MAX = 80    /* in a reply */
};

/* False after a reply. */
static bool is_author(struct smtp_session *s, struct span block)
{
	if (smtp_user_may_write(s->tx->user, block))
		return true;
	(void)smtp_session_refuse(
	    s, 550, "5.7.1", "From address not allowed for user");
	return false;
}

/* Likewise. */
static bool is_steered(struct smtp_session *s, struct span block)
{
	struct smtp_tx *tx = s->tx;
	const struct smtp_param_rules rules = smtp_session_param_rules(s);
	struct smtp_steer_refusal refusal;

	if (smtp_steer(tx->user, block, &rules, &tx->envelope.terms, &refusal))
		return true;
	(void)smtp_session_refuse(
	    s, refusal.code, refusal.enhanced, refusal.text);
	return false;
}

/* RFC 3848, and RFC 6531 4.3 with SMTPUTF8: for the Received field. */
static const char *protocol_of(const struct smtp_session *s)
{
	static const char *const names[2][4] = {
		{ "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA" },
		{ "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA" },
	};

	if (!s->is_esmtp)
		return "SMTP";
	return names[s->tx->envelope.terms.is_utf8 ? 1 : 0]
		    [(conn_is_tls(s->conn) ? 2 : 0) + (s->user ? 1 : 0)];
}

static enum header_verdict rewrite(
    struct smtp_session *s, struct span block, struct buf *out, struct err *why)
{
	struct header_stamp who = {
		.queue_id = s->tx->id_text,
		.now_ms = clock_wall_ms(),
		.protocol = protocol_of(s),
		.tls_version = conn_tls_version(s->conn),
		.tls_cipher = conn_tls_cipher(s->conn),
		.envelope = &s->tx->envelope,
	};

	return smtp_user_header(s->config, block, &who, out, why);
}

/* A duplicate costs nothing: the first one has been paid for. */
static void note_first(struct smtp_session *s, const char *first)
{
	struct smtp_tx *tx = s->tx;

	tx->first_id = arena_str(&tx->envelope.arena, span_of(first));
	if (tx->is_charged)
		quota_give_back(s->service->quota, tx->user, tx->quota_day);
	tx->is_charged = false;
}

static void accept_message(
    struct smtp_session *s, const struct deliver_answer *answer)
{
	struct smtp_tx *tx = s->tx;
	const char *id = answer->first ? answer->first : tx->id_text;
	const char *provider = NULL;

	counter_observe_us(&s->service->counters->accept_latency,
	    (clock_mono_ns() - tx->ended_ns) / 1000);
	if (answer->verdict == DELIVER_SENT)
		provider = answer->provider ? answer->provider : "provider";
	if (provider)
		smtp_session_reply(
		    s, 250, "2.0.0", "Ok: %s accepted by %s", id, provider);
	else
		smtp_session_reply(s, 250, "2.0.0", "Ok: queued as %s", id);
	if (answer->first)
		note_first(s, answer->first);
	smtp_tx_finish(s, provider);
}

/* The enhanced code of a delay, by what the last provider answered. */
static const char *deferral(enum postern_class result)
{
	switch (result) {
	case POSTERN_ACCOUNT:
		return "4.3.5";
	case POSTERN_THROTTLED:
		return "4.4.5";
	case POSTERN_TRANSIENT:
		return "4.4.1";
	case POSTERN_UNKNOWN:
		return "4.4.2";
	case POSTERN_ACCEPTED:
	case POSTERN_REJECTED:
		break;
	}
	return "4.3.0";
}

static void reject(
    struct smtp_session *s, enum postern_refusal refusal, const char *reason)
{
	switch (refusal) {
	case POSTERN_REFUSED_SIZE:
		(void)smtp_session_refuse(s, 552, "5.3.4", reason);
		return;
	case POSTERN_REFUSED_RECIPIENT:
		(void)smtp_session_refuse(s, 550, "5.1.1", reason);
		return;
	case POSTERN_REFUSED_SUPPRESSED:
		(void)smtp_session_refuse(s, 550, "5.7.1", reason);
		return;
	case POSTERN_REFUSED_MESSAGE:
		break;
	}
	(void)smtp_session_refuse(s, 554, "5.6.0", reason);
}

/*
 * RFC 3463: 5.6.3, the content would have to be converted, and that cannot be
 * done: what is lost cannot be made anew.
 */
static void refuse_content(
    struct smtp_session *s, const struct deliver_answer *answer)
{
	const struct envelope *e = &s->tx->envelope;
	struct span to = e->recipients[answer->recipient].address;
	char what[TRAITS_TEXT_SIZE], text[2 * TRAITS_TEXT_SIZE];
	const char *advice = "it needs one that takes whole messages";

	if (answer->missing & POSTERN_CARRIES_CONTROLS)
		advice = "leave those fields out, or ask for another provider";
	else if (answer->missing & POSTERN_CARRIES_DATE_AND_ID)
		advice = "it needs one that takes whole messages and leaves "
			 "them so";
	traits_describe(answer->missing, what);
	to = span_first(to, SHOWN_ADDRESS_MAX);
	(void)snprintf(text, sizeof(text),
	    "Message %s, which no provider for <%.*s> keeps intact: %s", what,
	    SPAN_FMT(to), advice);
	s->reject = COUNTER_REJECT_CONFIG;
	(void)smtp_session_refuse(s, 554, "5.6.3", text);
}

static void refuse_names(
    struct smtp_session *s, const struct deliver_answer *answer)
{
	const struct envelope *e = &s->tx->envelope;
	struct span to = e->recipients[answer->recipient].address;
	char text[2 * SHOWN_ADDRESS_MAX + 64];

	to = span_first(to, SHOWN_ADDRESS_MAX);
	(void)snprintf(text, sizeof(text),
	    "X-Postern-Provider names no provider of the route for <%.*s>",
	    SPAN_FMT(to));
	s->reject = COUNTER_REJECT_POLICY;
	(void)smtp_session_refuse(s, 550, "5.7.1", text);
}

static void refuse_message(
    struct smtp_session *s, const struct deliver_answer *answer)
{
	const char *reason =
	    answer->reason && *answer->reason ? answer->reason : NULL;

	switch (answer->verdict) {
	case DELIVER_REJECTED:
		s->reject = COUNTER_REJECT_PROVIDER;
		reject(s, answer->refusal,
		    reason ? reason : "Message refused by the provider");
		break;
	case DELIVER_DEFERRED:
		s->reject = COUNTER_REJECT_PROVIDER;
		(void)smtp_session_refuse(s, 451, deferral(answer->result),
		    reason ? reason : "No provider took the message");
		break;
	case DELIVER_FULL:
		(void)smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
		break;
	case DELIVER_NO_ROUTE:
		(void)smtp_session_refuse(
		    s, 451, "4.3.5", "Server configuration problem");
		break;
	case DELIVER_NO_UTF8:
		(void)smtp_session_refuse(
		    s, 554, "5.6.9", "No provider can carry SMTPUTF8");
		break;
	case DELIVER_NO_CARRIER:
		refuse_content(s, answer);
		break;
	case DELIVER_NOT_NAMED:
		refuse_names(s, answer);
		break;
	case DELIVER_STORE_ERROR:
	case DELIVER_QUEUED:
	case DELIVER_SENT:
		(void)smtp_session_refuse(
		    s, 451, "4.3.0", "Queue file write error");
		break;
	}
}

static void on_answer(
    struct deliver_submission *submission, const struct deliver_answer *answer)
{
	struct smtp_tx *tx =
	    container_of(submission, struct smtp_tx, submission);
	struct smtp_session *s = tx->session;

	tx->is_submitted = false;
	if (answer->verdict == DELIVER_QUEUED ||
	    answer->verdict == DELIVER_SENT)
		accept_message(s, answer);
	else
		refuse_message(s, answer);
	smtp_session_resume(s, SMTP_NEXT);
}

static enum smtp_next hand_over(struct smtp_session *s, struct message *m)
{
	struct smtp_tx *tx = s->tx;
	uint64_t limit = smtp_content_answer_ms(s);

	tx->size = message_size(m);
	tx->submission = (struct deliver_submission){
		.id = tx->id,
		.envelope = &tx->envelope,
		.message = m,
		.mode = tx->mode,
		.quota_day = tx->quota_day,
		.has_message_id = tx->has_message_id,
		.hold_reason = tx->is_held ? "daily quota reached" : NULL,
		.on_answer = on_answer,
	};
	tx->is_submitted = true;
	deliver_submit(s->service->deliver, &tx->submission);
	(void)smtp_session_wait(s, SMTP_WAIT_DELIVER);
	/* Also when the session has less left: it is ours to answer now. */
	if (limit > 0)
		loop_timer_start(s->service->loop, &s->timer, limit);
	return SMTP_WAIT;
}

enum smtp_next smtp_submit_overdue(struct smtp_session *s)
{
	static const struct deliver_answer stored = { .verdict =
							  DELIVER_QUEUED };
	struct smtp_tx *tx = s->tx;

	tx->is_submitted = false;
	if (!deliver_withdraw(s->service->deliver, &tx->submission)) {
		accept_message(s, &stored);
		return SMTP_NEXT;
	}
	/* A request that is on its way may still send it: that is paid for. */
	if (tx->mode == CONFIG_MODE_DIRECT)
		smtp_tx_keep_charge(tx);
	s->reject = COUNTER_REJECT_PROVIDER;
	return smtp_session_refuse(
	    s, 451, "4.3.0", "No verdict on the message in time");
}

/* For who looks for a message in the log: by its old name or by the new. */
static void note_message_id(
    struct smtp_tx *tx, struct span before, struct span now)
{
	struct arena *arena = &tx->envelope.arena;
	struct message_field old, kept;

	if (!header_find(now, SPAN("Message-ID"), &kept))
		return;
	kept.value = span_first(span_trim(kept.value), SHOWN_ID_MAX);
	tx->message_id = arena_str(arena, kept.value);
	if (!header_find(before, SPAN("Message-ID"), &old))
		return;
	old.value = span_first(span_trim(old.value), SHOWN_ID_MAX);
	if (old.value.len > 0 && !span_eq(old.value, kept.value))
		tx->replaced_id = arena_str(arena, old.value);
	/* <> is one that says nothing. */
	tx->has_message_id =
	    old.value.len > 2 && span_eq(old.value, kept.value);
}

static enum smtp_next refuse_header(
    struct smtp_session *s, enum header_verdict verdict, const struct err *why)
{
	if (why->code == -ENOMEM)
		return smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
	if (verdict == HEADER_LOOP)
		return smtp_session_refuse(
		    s, 554, "5.4.6", "Routing loop detected");
	return smtp_session_refuse(s, 554, "5.6.0", why->text);
}

enum smtp_next smtp_submit(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;
	struct span block = smtp_body_header(&tx->body);
	struct err why = { .code = 0 };
	struct message *m = NULL;
	struct buf header;
	enum header_verdict verdict;

	buf_init(&header, 2 * block.len + HEADER_EXTRA);
	verdict = rewrite(s, block, &header, &why);
	if (verdict == HEADER_OK && *why.text)
		log_info("header_kept", LOG_STR("queue_id", tx->id_text),
		    LOG_STR("what", why.text));
	if (verdict == HEADER_OK &&
	    (!is_author(s, block) || !is_steered(s, block))) {
		buf_finish(&header);
		return SMTP_NEXT;
	}
	if (verdict == HEADER_OK) {
		note_message_id(tx, block, buf_span(&header));
		m = smtp_body_message(&tx->body, &header);
	}
	buf_finish(&header);
	if (verdict != HEADER_OK)
		return refuse_header(s, verdict, &why);
	if (!m)
		return smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
	message_set_traits(
	    m, tx->mime.traits | traits_of_header(message_header(m)));
	return hand_over(s, m);
}
