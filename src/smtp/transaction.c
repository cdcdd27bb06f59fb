/*
 * The transaction: everything between MAIL and the answer to its content, in
 * one object, so that RSET and a lost connection are one call. Each ends in
 * exactly one event, message_accepted or message_rejected. The former says
 * that this server took the message over, whether the client heard it or not.
 */
#include <smtp/session_internal.h>

#include <smtp/user.h>

#include <base/log.h>
#include <net/conn.h>
#include <policy/quota.h>

#include <stdlib.h>

enum config_mode smtp_tx_mode(
    const struct smtp_session *s, const struct config_user *user)
{
	return smtp_user_mode(s->config, s->listener, user);
}

static bool fill_envelope(struct envelope *e, const struct smtp_session *s,
    const struct config_user *user, struct span sender)
{
	e->sender = arena_span(&e->arena, sender);
	e->user = arena_span(&e->arena, span_of(user->name));
	e->helo = arena_span(&e->arena, span_of(s->helo ? s->helo : ""));
	e->peer = arena_span(&e->arena, span_of(conn_peer(s->conn)));
	return e->sender.ptr && e->user.ptr && e->helo.ptr && e->peer.ptr;
}

struct smtp_tx *smtp_tx_begin(struct smtp_session *s, struct span sender)
{
	const struct config_user *user = smtp_session_identity(s);
	struct smtp_tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	envelope_init(&tx->envelope);
	if (!fill_envelope(&tx->envelope, s, user, sender)) {
		envelope_finish(&tx->envelope);
		free(tx);
		return NULL;
	}
	tx->session = s;
	tx->user = user;
	tx->mode = smtp_tx_mode(s, user);
	tx->id = id_make();
	id_format(tx->id, tx->id_text);
	s->tx = tx;
	smtp_session_set_state(s, SMTP_ST_MAIL);
	return tx;
}

static void tx_free(struct smtp_session *s)
{
	struct smtp_tx *tx = s->tx;

	s->tx = NULL;
	envelope_finish(&tx->envelope);
	smtp_body_finish(&tx->body);
	free(tx);
	smtp_session_set_state(s, SMTP_ST_READY);
}

void smtp_tx_log_refused(
    const struct smtp_session *s, struct span sender, const char *why)
{
	const struct config_user *user = smtp_session_identity(s);

	counter_add(&s->counts->rejected, 1);
	log_info("message_rejected", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name), LOG_STR("reason", why),
	    LOG_ADDR("sender", sender),
	    LOG_STR("user.name", user ? user->name : ""));
}

/* provider and client_state may be NULL: left out. */
static void note_accepted(
    struct smtp_session *s, const char *provider, const char *client_state)
{
	const struct smtp_tx *tx = s->tx;

	counter_add(&s->service->counters->accepted, 1);
	counter_add(&s->counts->messages, 1);
	counter_add(&s->counts->bytes, tx->size);
	counter_add(&s->counts->recipients, tx->envelope.recipient_count);
	log_info("message_accepted", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id), LOG_STR("queue_id", tx->id_text),
	    LOG_STR("listener", s->listener->name),
	    LOG_OPTIONAL("client.state", client_state),
	    LOG_OPTIONAL("provider", provider),
	    LOG_OPTIONAL("messaging.message.id", tx->message_id),
	    LOG_OPTIONAL("replaced_message_id", tx->replaced_id),
	    LOG_OPTIONAL("duplicate_of", tx->first_id),
	    LOG_ADDR("sender", tx->envelope.sender),
	    LOG_NUM("nrcpt", tx->envelope.recipient_count),
	    LOG_NUM("size", tx->size), LOG_STR("user.name", tx->user->name));
}

void smtp_tx_keep_charge(struct smtp_tx *tx)
{
	if (tx->is_charged && tx->mode == CONFIG_MODE_DIRECT)
		quota_owe(tx->session->service->quota, tx->user, tx->quota_day);
	tx->is_charged = false;
}

void smtp_tx_drop(struct smtp_session *s, const char *why)
{
	struct smtp_tx *tx = s->tx;

	if (!tx)
		return;
	if (tx->is_submitted) {
		smtp_tx_keep_charge(tx);
		if (deliver_abandon(s->service->deliver, &tx->submission)) {
			note_accepted(s, NULL, "gone");
			tx_free(s);
			return;
		}
		/* An attempt under way may send it: the charge stays. */
		why = "lost before the verdict";
	} else if (tx->is_charged) {
		quota_give_back(s->service->quota, tx->user, tx->quota_day);
	}
	counter_add(&s->counts->rejected, 1);
	log_info("message_rejected", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id), LOG_STR("queue_id", tx->id_text),
	    LOG_STR("listener", s->listener->name), LOG_STR("reason", why),
	    LOG_ADDR("sender", tx->envelope.sender),
	    LOG_NUM("nrcpt", tx->envelope.recipient_count),
	    LOG_STR("user.name", tx->user->name));
	tx_free(s);
}

void smtp_tx_finish(struct smtp_session *s, const char *provider)
{
	smtp_tx_keep_charge(s->tx);
	note_accepted(s, provider ? provider : "", NULL);
	s->errors = s->refusals = s->junk = 0;
	tx_free(s);
}
