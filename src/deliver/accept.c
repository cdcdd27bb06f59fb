/*
 * From a session's submission to its answer, in the three modes.
 *
 *   queued  durable, then 250; delivery follows from memory.
 *   hybrid  durable first as well, but the answer waits for the verdict of
 *           the first round, at most queue.sync_budget. All sent: 250 by the
 *           provider. All refused: 5xx, and nothing remains. Anything else,
 *           or the budget is over: 250 queued, because it is.
 *   direct  held only in the volatile store. The answer is the verdict of the
 *           one round there is; nothing is tried later.
 *
 * Direct mode has one reply for all recipients and nothing to retry with. If
 * some were sent and others met temporary trouble, no reply is right: 250
 * would lose the others, 451 makes the client send the first ones again. We
 * answer 451: at least once, and the ledger tells who had it already. Some
 * sent and the others refused for good is 250 (RFC 5321 6.1 would have the
 * refusals reported separately), because sending again helps nobody. An
 * unknown outcome is 451 where the route retries those; where it says hold or
 * fail, the client must not repeat the message either, so it is a 5xx.
 *
 * A message for later (RFC 4865), or for a person to let go, is queued in any
 * mode: there is no verdict to wait for, and nothing to be direct about.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/date.h>
#include <base/log.h>
#include <mail/header.h>
#include <mail/traits.h>

enum {
	MESSAGE_ID_MAX = 250 /* what providers and people keep of it */
};

/* --- the answer --- */

static void answer(struct delivery *d, enum deliver_verdict verdict)
{
	struct deliver_submission *s = d->submission;
	struct deliver_answer a = { .verdict = verdict,
		.provider = d->sent_by,
		.reason = d->reason,
		.result = d->last_class,
		.refusal = d->refusal,
		.first = d->first };

	if (!s)
		return;
	loop_timer_stop(d->owner->services.loop, &d->budget);
	d->submission = NULL;
	s->delivery = NULL;
	s->on_answer(s, &a);
}

struct progress {
	size_t sent, failed, open;
	size_t undecided; /* waits, is held, or was given up in direct mode */
};

static struct progress look(const struct delivery *d)
{
	struct progress p = { .sent = 0 };

	for (size_t i = 0; i < d->count; i++) {
		enum store_state state = d->recipients[i].state;

		if (d->targets[i].is_open)
			p.open++;
		else if (state == STORE_SENT || state == STORE_SENT_OWED)
			p.sent++;
		else if (state == STORE_FAILED || state == STORE_FAILED_OWED)
			p.failed++;
		else
			p.undecided++;
	}
	return p;
}

static void review_direct(
    struct delivery *d, const struct progress *p, bool is_over)
{
	if (p->sent == d->count)
		answer(d, DELIVER_SENT);
	else if (!is_over)
		return;
	else if (p->undecided > 0 || p->open > 0)
		answer(d, DELIVER_DEFERRED);
	else
		answer(d, p->sent > 0 ? DELIVER_SENT : DELIVER_REJECTED);
}

static void review_hybrid(
    struct delivery *d, const struct progress *p, bool is_over)
{
	bool is_mixed = p->sent > 0 && p->failed > 0;

	/*
	 * "Sent" may be said before it is recorded: a crash in between means
	 * a duplicate, never a loss. "Rejected" waits for the record, so that
	 * nothing is left to be tried after the client was told; if that fails,
	 * the message is still in the queue.
	 */
	bool is_refused = p->failed == d->count && !d->is_unrecorded;
	if (p->sent == d->count)
		answer(d, DELIVER_SENT);
	else if (p->undecided > 0 || is_mixed)
		answer(d, DELIVER_QUEUED);
	else if (is_over)
		answer(d, is_refused ? DELIVER_REJECTED : DELIVER_QUEUED);
}

void accept_review(struct delivery *d, bool is_over)
{
	if (!d->submission)
		return;
	struct progress p = look(d);
	if (delivery_is_direct(d))
		review_direct(d, &p, is_over);
	else
		review_hybrid(d, &p, is_over);
}

void accept_hurry(struct delivery *d)
{
	d->is_budget_over = true;
	if (d->is_durable && !delivery_is_direct(d) && !d->is_refusing)
		answer(d, DELIVER_QUEUED);
}

void accept_prepare(struct delivery *d)
{
	if (!d->submission || delivery_is_direct(d) || d->is_unrecorded ||
	    look(d).failed < d->count)
		return;
	d->is_refusing = true;
	for (size_t i = 0; i < d->count; i++) {
		struct store_recipient *r = &d->recipients[i];

		if (r->state != STORE_FAILED_OWED)
			continue;
		r->state = STORE_FAILED;
		d->targets[i].is_changed = true;
	}
}

bool accept_owe_again(struct delivery *d)
{
	if (!d->is_refusing)
		return false;
	d->is_refusing = false;
	for (size_t i = 0; i < d->count; i++) {
		struct store_recipient *r = &d->recipients[i];

		if (r->state != STORE_FAILED ||
		    !notice_is_wanted(d, i, ENVELOPE_NOTIFY_FAILURE))
			continue;
		r->state = STORE_FAILED_OWED;
		d->targets[i].is_changed = true;
	}
	if (d->is_budget_over)
		answer(d, DELIVER_QUEUED);
	return true;
}

/* As it was before it was withdrawn. */
static void take_back(struct delivery *d, size_t i)
{
	if (d->was_held) {
		outcome_hold(d, i);
		return;
	}
	outcome_release(d, i, false);
	if (d->recipients[i].due_ms < delivery_begins_ms(d))
		d->recipients[i].due_ms = delivery_begins_ms(d);
}

void accept_keep(struct delivery *d)
{
	d->is_budget_over = true;
	(void)accept_owe_again(d);
	answer(d, DELIVER_QUEUED);
	if (!d->is_withdrawn)
		return;
	d->is_withdrawn = false;
	d->news.withdrawn = 0;
	d->now_ms = clock_wall_ms();
	for (size_t i = 0; i < d->count; i++)
		if (d->recipients[i].state == STORE_DROPPED)
			take_back(d, i);
}

static void on_budget_over(struct loop_timer *t)
{
	accept_hurry(container_of(t, struct delivery, budget));
}

/* --- durable or not --- */

static enum deliver_verdict verdict_of(int rc)
{
	return rc == -ENOSPC || rc == -EBUSY || rc == -ENOMEM
		   ? DELIVER_FULL
		   : DELIVER_STORE_ERROR;
}

static void log_release(const struct delivery *d)
{
	char text[DATE_RFC3339_SIZE];

	if (d->terms.release_ms <= d->created_ms)
		return;
	date_format_rfc3339(d->terms.release_ms, text);
	log_info("scheduled", LOG_STR("queue_id", d->id_text),
	    LOG_STR("due", text), LOG_SPAN("user", d->user));
}

/* Nothing of it is stored: what is true of the first one is the answer. */
static void give_first(struct delivery *d, const struct store_first *first)
{
	char id[ID_TEXT_SIZE];
	bool is_sent = first->is_sent || delivery_is_direct(d);

	id_format(first->id, id);
	d->first = id;
	memcpy(d->sent_by, first->provider, sizeof(d->sent_by));
	answer(d, is_sent ? DELIVER_SENT : DELIVER_QUEUED);
	delivery_free(d);
}

static void on_accepted(struct store_request *r)
{
	struct delivery *d =
	    container_of(r, struct delivery, request.accept.request);
	int rc = r->result;

	if ((rc == 0 || rc == -EALREADY) && d->request.accept.is_duplicate)
		duplicate_tell(d, &d->request.accept);
	if (rc == -EALREADY) {
		give_first(d, &d->request.accept.first);
		return;
	}
	/* An accept repeated after a lost answer is durable all the same. */
	if (rc && rc != -EEXIST) {
		log_error("accept_failed", LOG_STR("queue_id", d->id_text),
		    LOG_STR("reason", strerror(-rc)));
		answer(d, verdict_of(rc));
		delivery_free(d);
		return;
	}
	d->is_durable = true;
	if (d->is_withdrawn)
		outcome_withdraw(d, "not stored in time, and given back");
	else
		log_release(d);
	if (d->mode == CONFIG_MODE_QUEUED ||
	    (d->is_budget_over && !delivery_is_direct(d)))
		answer(d, DELIVER_QUEUED);
	round_go(d);
}

struct span accept_message_id(const struct message *m)
{
	struct message_field field;

	if (!header_find(message_header(m), SPAN("Message-ID"), &field))
		return SPAN("");
	struct span id = span_trim(field.value);

	if (id.len >= 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
		id = span_make(id.ptr + 1, id.len - 2);
	return span_first(id, MESSAGE_ID_MAX);
}

/* Ask for durability with the mark of the first attempt. */
static int store_it(struct delivery *d, const struct deliver_submission *s)
{
	struct store_accept *a = &d->request.accept;

	d->entry = (struct store_entry){ .id = d->id,
		.created_ms = d->created_ms,
		.user = d->user,
		.sender = d->sender,
		.message_id = accept_message_id(d->message),
		.terms = d->terms,
		.traits = message_traits(d->message),
		.recipients = d->recipients,
		.recipient_count = d->count,
		.message = d->message };
	*a = (struct store_accept){ .entry = &d->entry,
		.quota_day = s->quota_day,
		.quota_messages = 1 };
	if (s->has_message_id)
		duplicate_prepare(d, &a->guard);
	a->request.loop = d->owner->services.loop;
	a->request.done = on_accepted;
	for (size_t i = 0; i < d->count; i++)
		d->targets[i].is_changed = false;
	return store_accept(d->store, a);
}

/* --- taking a submission over --- */

static bool copy_span(struct delivery *d, struct span from, struct span *to)
{
	*to = arena_span(&d->arena, from);
	return to->ptr != NULL;
}

/* The session's envelope goes with its transaction: copy what is needed. */
static int copy_envelope(struct delivery *d, const struct envelope *e)
{
	size_t count = e->recipient_count;

	d->terms = e->terms;
	d->recipients = arena_alloc(&d->arena, count * sizeof(*d->recipients));
	if (!d->recipients || delivery_reserve(d, count) ||
	    !copy_span(d, e->user, &d->user) ||
	    !copy_span(d, e->sender, &d->sender) ||
	    !copy_span(d, e->terms.envid, &d->terms.envid))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct envelope_recipient *from = &e->recipients[i];
		struct store_recipient *r = &d->recipients[i];

		if (!copy_span(d, from->address, &r->address) ||
		    !copy_span(d, from->orcpt, &r->orcpt))
			return -ENOMEM;
		r->notify = (uint8_t)from->notify;
		r->state = STORE_PENDING;
		r->due_ms = delivery_begins_ms(d);
	}
	return 0;
}

/* The message is the submission's again. */
static void give_back(struct delivery *d)
{
	*delivery_bytes(d) -= message_size(d->message);
	d->message = NULL;
	delivery_free(d);
}

static struct delivery *take_over(
    struct deliver *owner, struct deliver_submission *s)
{
	struct delivery *d = delivery_new(owner, s->id, owner->config);

	if (!d)
		return NULL;
	loop_timer_init(&d->budget, on_budget_over);
	d->message = s->message;
	d->created_ms = clock_wall_ms();
	d->mode =
	    s->envelope->terms.release_ms > d->created_ms || s->hold_reason
		? CONFIG_MODE_QUEUED
		: s->mode;
	d->store = delivery_is_direct(d) ? owner->services.volatile_store
					 : owner->services.store;
	*delivery_bytes(d) += message_size(d->message);
	if (copy_envelope(d, s->envelope) != 0) {
		give_back(d);
		return NULL;
	}
	return d;
}

static enum deliver_verdict no_carrier(
    const struct config_route *route, struct span only, unsigned missing)
{
	if (only.len > 0 && !router_names_any(route, only))
		return DELIVER_NOT_NAMED;
	return missing & POSTERN_CARRIES_UTF8 ? DELIVER_NO_UTF8
					      : DELIVER_NO_CARRIER;
}

/*
 * Whether each recipient has a route and, on it, a provider that can: there is
 * one reply for all, so one without is enough.
 */
static bool is_deliverable(const struct deliver *owner,
    struct deliver_submission *s, enum deliver_verdict *out_verdict)
{
	const struct envelope *e = s->envelope;
	const struct config *c = owner->config;
	struct router_message message = { .header = message_header(s->message),
		.size = message_size(s->message),
		.traits = message_traits(s->message) };
	struct router_ask ask = {
		.user = e->user, .sender = e->sender, .message = &message
	};
	unsigned all = traits_needed(&e->terms, e->sender, s->message);
	struct span only = round_named(s->message);

	*out_verdict = DELIVER_NO_ROUTE;
	for (size_t i = 0; i < e->recipient_count; i++) {
		ask.recipient = e->recipients[i].address;
		unsigned needs =
		    traits_needed_for(all, &e->terms, ask.recipient);
		const struct config_route *route = router_find(c, &ask);

		if (!route)
			return false;
		if (router_count(c, route, only, needs) > 0)
			continue;
		s->missing = router_missing(c, route, only, needs);
		s->recipient = i;
		*out_verdict = no_carrier(route, only, s->missing);
		return false;
	}
	return true;
}

bool deliver_carries_utf8(const struct deliver *owner, struct span user,
    struct span sender, struct span recipient)
{
	const struct router_ask ask = {
		.user = user, .sender = sender, .recipient = recipient
	};

	return router_may_carry(owner->config, &ask, POSTERN_CARRIES_UTF8);
}

/* --- those who cannot be served are answered at the end of the turn --- */

static void refuse(struct deliver *owner, struct deliver_submission *s,
    enum deliver_verdict verdict)
{
	message_unref(s->message);
	s->message = NULL;
	s->refusal = verdict;
	s->next = owner->refused;
	owner->refused = s;
	deliver_end_turn_later(owner);
}

void accept_answer_refused(struct deliver *owner)
{
	while (owner->refused) {
		struct deliver_submission *s = owner->refused;
		bool is_temporary = s->refusal == DELIVER_DEFERRED;
		struct deliver_answer a = { .verdict = s->refusal,
			.provider = "",
			.reason = is_temporary ? "the server is stopping" : "",
			.result = POSTERN_TRANSIENT,
			.missing = s->missing,
			.recipient = s->recipient };

		owner->refused = s->next;
		s->on_answer(s, &a);
	}
}

static bool forget_refused(
    struct deliver *owner, const struct deliver_submission *s)
{
	struct deliver_submission **at = &owner->refused;

	while (*at && *at != s)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = s->next;
	return true;
}

/* --- the interface --- */

/*
 * Whether to deliver from memory. Sessions bring messages faster than a slow
 * provider takes them: what is too much goes to the store like what is due
 * later. In direct mode the sessions wait, so their number is the bound.
 */
static bool may_start(const struct deliver *owner, const struct delivery *d)
{
	if (owner->is_draining)
		return false;
	size_t fresh =
	    owner->active_count - owner->mail.taken - owner->events.taken;
	return delivery_is_direct(d) ||
	       (fresh <= DELIVER_FRESH_MAX &&
		   owner->fresh_bytes <= DELIVER_FRESH_BYTES_MAX);
}

void deliver_submit(struct deliver *owner, struct deliver_submission *s)
{
	bool is_direct = s->mode == CONFIG_MODE_DIRECT;
	enum deliver_verdict verdict;

	s->delivery = NULL;
	if (!is_deliverable(owner, s, &verdict)) {
		refuse(owner, s, verdict);
		return;
	}
	if (is_direct && owner->is_draining) {
		refuse(owner, s, DELIVER_DEFERRED);
		return;
	}
	struct delivery *d = take_over(owner, s);
	if (!d) {
		refuse(owner, s, DELIVER_FULL);
		return;
	}
	if (s->hold_reason)
		outcome_hold_all(d, s->hold_reason);
	else
		round_begin(d);
	if (may_start(owner, d))
		(void)round_plan(d, false);
	else
		outcome_park(d);
	int rc = store_it(d, s);
	if (rc) {
		give_back(d);
		refuse(owner, s, verdict_of(rc));
		return;
	}
	s->message = NULL;
	s->delivery = d;
	d->submission = s;
	if (d->mode == CONFIG_MODE_HYBRID)
		loop_timer_start(owner->services.loop, &d->budget,
		    d->config->queue.sync_budget_ms);
}

bool deliver_abandon(struct deliver *owner, struct deliver_submission *s)
{
	struct delivery *d = s->delivery;

	s->delivery = NULL;
	if (forget_refused(owner, s) || !d)
		return false;
	d->submission = NULL;
	loop_timer_stop(owner->services.loop, &d->budget);
	return !delivery_is_direct(d);
}

bool deliver_withdraw(struct deliver *owner, struct deliver_submission *s)
{
	struct delivery *d = s->delivery;
	bool is_kept =
	    d && d->is_durable && !delivery_is_direct(d) && !d->is_refusing;

	if (d)
		d->is_withdrawn = !is_kept;
	(void)deliver_abandon(owner, s);
	return !is_kept;
}
