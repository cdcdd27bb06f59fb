/*
 * MAIL: syntax first, then whether this user may send this now. The quota is
 * charged here, before any content is taken, and given back if no message
 * comes of it.
 */
#include <smtp/session_internal.h>

#include <smtp/user.h>

#include <policy/quota.h>
#include <store/store.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SYNTAX "MAIL FROM:<address>"

enum {
	MS_PER_HOUR = 3600000
};

struct mail_args {
	struct smtp_address sender;
	struct smtp_mail_params params;
};

/* A refusal that is about policy or resources gets its event. */
static bool refuse(struct smtp_session *s, const struct mail_args *m,
    unsigned code, const char *enhanced, const char *text)
{
	smtp_session_reply(s, code, enhanced, "%s", text);
	if (code < 500)
		smtp_session_note_refusal(s);
	smtp_tx_log_refused(s, m->sender.whole, text);
	return false;
}

static bool parse_params(
    struct smtp_session *s, struct span args, struct mail_args *out)
{
	struct smtp_param_rules rules = smtp_session_param_rules(s);
	struct smtp_param_fault fault;
	enum smtp_param_result result =
	    smtp_param_parse_mail(args, &rules, &out->params, &fault);

	if (result != SMTP_PARAM_OK)
		smtp_session_refuse_param(s, result, &fault, SYNTAX);
	return result == SMTP_PARAM_OK;
}

static bool parse(
    struct smtp_session *s, struct span args, struct mail_args *out)
{
	struct span rest;
	enum smtp_address_result result = SMTP_ADDRESS_NO_PATH;

	if (span_istarts_with(args, SPAN("FROM:")))
		result = smtp_session_parse_path(
		    s, span_from(args, 5), &out->sender, &rest);
	if (result == SMTP_ADDRESS_NO_PATH) {
		smtp_session_reply(s, 501, "5.5.4", "Syntax: " SYNTAX);
		return false;
	}
	if (result == SMTP_ADDRESS_BAD) {
		smtp_session_reply(
		    s, 501, "5.1.7", "Bad sender address syntax");
		return false;
	}
	return parse_params(s, rest, out);
}

static bool check_sender(struct smtp_session *s, const struct mail_args *m,
    const struct config_user *user)
{
	const struct smtp_address *a = &m->sender;

	if (a->whole.len == 0)
		return smtp_user_null_sender(s->config, user) ||
		       refuse(s, m, 550, "5.7.1", "Null sender not allowed");
	if (a->is_utf8 && !m->params.terms.is_utf8)
		return refuse(s, m, 550, "5.6.7",
		    "Sender address is not ASCII: it needs SMTPUTF8");
	if (a->is_utf8 &&
	    !deliver_carries_utf8(s->service->deliver, span_of(user->name),
		a->whole, (struct span){ NULL, 0 }))
		return refuse(s, m, 550, "5.6.7",
		    "No provider can carry a sender address that is not "
		    "ASCII");
	if (!smtp_address_is_qualified(a))
		return refuse(
		    s, m, 554, "5.1.8", "Sender domain is not fully qualified");
	if (!smtp_user_sender(user, a->whole))
		return refuse(
		    s, m, 550, "5.7.1", "Sender address not allowed for user");
	return true;
}

/* What the user gets of the priority asked for. */
static int granted_priority(
    const struct mail_args *m, const struct config_user *user)
{
	int asked = m->params.terms.priority, max = (int)user->max_priority;

	return asked < max ? asked : max;
}

/* While there is more to do than can be done, the operator sets a floor. */
static bool check_priority(struct smtp_session *s, const struct mail_args *m,
    const struct config_user *user)
{
	const struct config_smtp *c = &s->config->smtp;
	char text[64];

	if (!c->priority || granted_priority(m, user) >= c->min_priority)
		return true;
	(void)snprintf(text, sizeof(text),
	    "Priority below %" PRId64 " is not accepted now", c->min_priority);
	return refuse(s, m, 450, "4.7.15", text);
}

/* Whether there is a place for one more message, as far as known. */
static bool check_room(struct smtp_session *s, const struct mail_args *m,
    const struct config_user *user)
{
	bool is_stored = smtp_tx_mode(s, user) != CONFIG_MODE_DIRECT;
	int rc = is_stored ? store_check(s->service->store) : 0;
	const char *why = smtp_room_why_not(s, user, m->params.size);

	if (m->params.has_size && m->params.size > smtp_rights_size(s))
		return refuse(s, m, 552, smtp_rights_size_code(s),
		    "Message size exceeds limit");
	if (rc == -ENOSPC)
		return refuse(
		    s, m, 452, "4.3.1", "Insufficient system storage");
	if (rc < 0)
		return refuse(s, m, 451, "4.3.0", "Queue file write error");
	return !why || refuse(s, m, 452, "4.3.1", why);
}

static uint64_t divide_up(uint64_t value, uint64_t unit)
{
	return value / unit + (value % unit > 0);
}

static bool charge(struct smtp_session *s, const struct mail_args *m,
    const struct config_user *user, struct quota_answer *out)
{
	struct quota_answer answer = quota_take(s->service->quota, user);
	bool is_final = user->quota_action == CONFIG_QUOTA_REJECT;
	char text[96];

	*out = answer;
	switch (answer.verdict) {
	case QUOTA_OK:
	case QUOTA_HELD:
		return true;
	case QUOTA_RATE:
		(void)snprintf(text, sizeof(text),
		    "Rate limit, retry in %" PRIu64 " s",
		    divide_up(answer.retry_after_ms, 1000));
		counter_add(&s->service->counters->rate_refused, 1);
		s->reject = COUNTER_REJECT_RATE;
		return refuse(s, m, 450, "4.7.1", text);
	case QUOTA_DAILY:
		break;
	}
	(void)snprintf(text, sizeof(text),
	    "Daily quota of %" PRId64 " messages reached, resets in %" PRIu64
	    " h",
	    user->daily, divide_up(answer.retry_after_ms, MS_PER_HOUR));
	counter_add(&s->service->counters->quota_refused, 1);
	s->reject = COUNTER_REJECT_QUOTA;
	return is_final ? refuse(s, m, 550, "5.7.1", text)
			: refuse(s, m, 451, "4.7.1", text);
}

/* A word of RFC 6710 where less was granted than asked for. */
static void agree(
    struct smtp_session *s, const struct mail_args *m, int granted)
{
	const struct envelope_terms *asked = &m->params.terms;

	s->tx->envelope.terms.priority = granted;
	if (asked->has_priority && asked->priority > granted)
		smtp_session_reply(
		    s, 250, "2.3.6", "%d Priority lowered", granted);
	else
		smtp_session_reply(s, 250, "2.1.0", "Ok");
}

static bool take_terms(
    struct envelope *e, const struct smtp_mail_params *params)
{
	e->declared_size = params->size;
	e->terms = params->terms;
	e->terms.envid = arena_span(&e->arena, params->terms.envid);
	return e->terms.envid.ptr != NULL;
}

static void begin(struct smtp_session *s, const struct mail_args *m,
    const struct config_user *user, const struct quota_answer *charged)
{
	struct smtp_tx *tx = smtp_tx_begin(s, m->sender.whole);

	if (!tx) {
		quota_give_back(s->service->quota, user, charged->day);
		(void)refuse(s, m, 452, "4.3.1", "Insufficient system storage");
		return;
	}
	tx->is_charged = true;
	tx->quota_day = charged->day;
	tx->is_held = charged->verdict == QUOTA_HELD;
	if (!take_terms(&tx->envelope, &m->params)) {
		smtp_session_refuse(
		    s, 452, "4.3.1", "Insufficient system storage");
		return;
	}
	s->messages++;
	agree(s, m, granted_priority(m, user));
}

/* A reload has shut out who logged in: the rest is no longer theirs. */
static bool is_shut_out(
    const struct smtp_session *s, const struct config_user *user)
{
	const struct config *now = s->service->config;

	if (s->config == now)
		return false;
	user = config_find_user(now, span_of(user->name));
	return !user || user->disabled;
}

enum smtp_next smtp_cmd_mail(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	const struct config_user *user = smtp_session_identity(s);
	int64_t limit = s->config->smtp.max_messages_per_session;
	struct quota_answer charged;
	struct mail_args m = { .sender = { .is_utf8 = false } };

	if (limit > 0 && s->messages >= (uint64_t)limit) {
		smtp_session_reply(
		    s, 421, "4.7.0", "Too many messages in this session");
		return smtp_session_close(s, "messages");
	}
	if (!parse(s, cmd->args, &m))
		return SMTP_NEXT;
	if (!user) { /* the listener's user is not among the users */
		(void)refuse(
		    s, &m, 451, "4.3.5", "Server configuration problem");
		return SMTP_NEXT;
	}
	if (is_shut_out(s, user)) {
		(void)refuse(
		    s, &m, 421, "4.7.0", "User was removed or disabled");
		return smtp_session_close(s, "user removed");
	}
	if (check_sender(s, &m, user) && check_priority(s, &m, user) &&
	    check_room(s, &m, user) && charge(s, &m, user, &charged))
		begin(s, &m, user, &charged);
	return SMTP_NEXT;
}
