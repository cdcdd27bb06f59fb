/*
 * What a result does: the table of outcomes as code. States change in
 * memory and a ledger row is added for each recipient; round.c records both.
 *
 *   accepted                      SENT
 *   rejected                      FAILED; when the provider cannot say which
 *                                 of several, each is offered again alone,
 *                                 now and in later rounds
 *   account, throttled, transient next provider of the round; after the last
 *                                 one PENDING, or FAILED past max_age
 *   unknown                       by the route: PENDING and pinned to this
 *                                 provider, HELD, or FAILED; never another
 *                                 provider, since this one may have sent it
 *
 * In direct mode nothing can wait: what would is DROPPED, and the client is
 * told to come back.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/jumps.h>
#include <base/log.h>

enum {
	/* After want of memory or of a place in the pool. */
	POSTPONE_MS = 1000
};

void outcome_set_reason(struct delivery *d, const char *why)
{
	(void)snprintf(d->reason, sizeof(d->reason), "%s", why);
	provider_clean_text(d->reason, sizeof(d->reason));
}

/* --- states --- */

static void set_state(struct delivery *d, size_t i, enum store_state state)
{
	d->recipients[i].state = state;
	d->targets[i].is_open = false;
	d->targets[i].is_changed = true;
}

static void count_event(struct delivery *d, enum counter_event_result result)
{
	counter_add(&d->owner->services.counters
			 ->webhook_events[event_type_of(d)][result],
	    1);
}

static void set_sent(struct delivery *d, size_t i)
{
	struct counters *c = d->owner->services.counters;

	d->recipients[i].is_pinned = false;
	d->recipients[i].owes_event = event_is_wanted(d, EVENT_SENT);
	(void)snprintf(
	    d->sent_by, sizeof(d->sent_by), "%s", d->recipients[i].provider);
	d->news.sent++;
	set_state(d, i,
	    notice_is_wanted(d, i, ENVELOPE_NOTIFY_SUCCESS) ? STORE_SENT_OWED
							    : STORE_SENT);
	if (d->is_event)
		count_event(d, COUNTER_EVENT_DELIVERED);
	else
		counter_add(&c->sent_recipients, 1);
}

static void set_failed(struct delivery *d, size_t i)
{
	struct counters *c = d->owner->services.counters;

	d->news.failed++;
	d->recipients[i].owes_event = event_is_wanted(d, EVENT_FAILED);
	set_state(d, i,
	    notice_is_wanted(d, i, ENVELOPE_NOTIFY_FAILURE) ? STORE_FAILED_OWED
							    : STORE_FAILED);
	if (d->is_event)
		count_event(d, COUNTER_EVENT_DROPPED);
	else
		counter_add(&c->failed_recipients, 1);
	if (!d->is_report)
		return;
	counter_add(&c->double_bounces, 1);
	log_warn("double_bounce", LOG_STR("queue_id", d->id_text),
	    LOG_STR("reason", d->reason), LOG_SPAN("user", d->user));
}

/* Direct mode keeps nothing for later: the client comes back, or not. */
static void withdraw(struct delivery *d, size_t i)
{
	d->news.withdrawn++;
	set_state(d, i, STORE_DROPPED);
}

static void set_expired(struct delivery *d, size_t i)
{
	static const char prefix[] = "expired: ";
	char why[POSTERN_REASON_SIZE];

	/* Once, for all recipients whose time is over together. */
	if (strncmp(d->reason, prefix, sizeof(prefix) - 1) != 0) {
		(void)snprintf(why, sizeof(why), "%s%.*s", prefix,
		    (int)sizeof(why) - 32, d->reason);
		outcome_set_reason(d, why);
	}
	set_failed(d, i);
}

/* When it is given up: by its age, also when the clock was set meanwhile. */
static int64_t last_ms(const struct delivery *d)
{
	return d->now_ms + (int64_t)d->config->queue.max_age_ms -
	       jumps_age_ms(delivery_begins_ms(d));
}

/* Who is to hear that it waits, once the round is over. */
static void owe_delay(struct delivery *d, size_t i)
{
	d->targets[i].owes_delay = notice_of_delay_is_wanted(d, i);
	d->targets[i].owes_deferred = !d->recipients[i].was_deferred &&
				      event_is_wanted(d, EVENT_DEFERRED);
}

void outcome_wait(struct delivery *d, size_t i, uint64_t delay_ms)
{
	struct store_recipient *r = &d->recipients[i];
	int64_t last = last_ms(d);

	if (delivery_is_direct(d)) {
		withdraw(d, i);
		return;
	}
	if (d->now_ms >= last) {
		set_expired(d, i);
		return;
	}
	/* One more chance at the very end. */
	r->due_ms = d->now_ms + (int64_t)delay_ms;
	if (r->due_ms > last)
		r->due_ms = last;
	owe_delay(d, i);
	d->news.waiting++;
	set_state(d, i, STORE_PENDING);
}

void outcome_pause(struct delivery *d, size_t i, uint64_t delay_ms)
{
	d->now_ms = clock_wall_ms();
	int64_t last = last_ms(d);
	if (delivery_is_direct(d) || d->now_ms >= last) {
		outcome_wait(d, i, 0);
		return;
	}
	int64_t due_ms = d->now_ms + (int64_t)delay_ms;
	d->recipients[i].due_ms = due_ms < last ? due_ms : last;
	d->targets[i].is_open = false;
	owe_delay(d, i);
	d->news.waiting++;
}

void outcome_hold(struct delivery *d, size_t i)
{
	d->news.held++;
	set_state(d, i, STORE_HELD);
}

void outcome_release(struct delivery *d, size_t i, bool is_new)
{
	struct store_recipient *r = &d->recipients[i];

	if (is_new) {
		r->is_pinned = false;
		if (r->key_turn < UINT16_MAX)
			r->key_turn++;
	}
	r->due_ms = d->now_ms;
	set_state(d, i, STORE_PENDING);
}

void outcome_revive(struct delivery *d, size_t i)
{
	struct store_recipient *r = &d->recipients[i];

	r->attempts = 0;
	r->is_told = r->was_deferred = false;
	outcome_release(d, i, true);
}

void outcome_expire(struct delivery *d, size_t i)
{
	set_failed(d, i);
}

void outcome_drop(struct delivery *d, size_t i)
{
	if (d->is_event)
		count_event(d, COUNTER_EVENT_DROPPED);
	/* A store of before may have one that was requeued as it owed that. */
	d->recipients[i].owes_event = false;
	set_state(d, i, STORE_DROPPED);
}

void outcome_wait_or_hold(struct delivery *d, size_t i, uint64_t delay_ms)
{
	if (d->now_ms >= last_ms(d) && !delivery_is_direct(d))
		outcome_hold(d, i);
	else
		outcome_wait(d, i, delay_ms);
}

/* Offer it once more in this round. */
static void try_again(struct delivery *d, size_t i)
{
	struct store_recipient *r = &d->recipients[i];

	r->state = STORE_PENDING;
	r->due_ms = d->now_ms;
	d->targets[i].is_changed = true;
}

void outcome_unmark(struct delivery *d)
{
	d->now_ms = clock_wall_ms();
	for (size_t k = 0; k < d->batch_count; k++)
		try_again(d, d->batch[k]);
	d->batch_count = 0;
}

bool outcome_next_provider(struct delivery *d, size_t i)
{
	struct target *t = &d->targets[i];

	if (d->recipients[i].is_pinned)
		return false;
	size_t next = round_position(d, i, t->position + 1);
	if (next == SIZE_MAX)
		return false;
	t->position = next;
	return true;
}

void outcome_put_off(struct delivery *d, size_t i)
{
	if (d->targets[i].may_wait)
		outcome_wait(d, i, round_backoff_ms(d, i));
	else
		set_failed(d, i);
}

/* This provider did not take it. True when another one is tried now. */
static bool leave_provider(struct delivery *d, size_t i)
{
	if (outcome_next_provider(d, i)) {
		try_again(d, i);
		return true;
	}
	outcome_put_off(d, i);
	return false;
}

static void set_unknown(struct delivery *d, size_t i)
{
	const struct config_route *route = d->targets[i].route;
	enum config_unknown policy = CONFIG_UNKNOWN_RETRY;

	if (route)
		policy = (enum config_unknown)route->unknown;
	/* Without a store nothing can be held; see accept.c. */
	if (policy == CONFIG_UNKNOWN_HOLD && delivery_is_direct(d))
		policy = CONFIG_UNKNOWN_FAIL;
	d->recipients[i].is_pinned = true;
	switch (policy) {
	case CONFIG_UNKNOWN_RETRY:
		outcome_wait(d, i, round_unknown_ms(d, i));
		break;
	case CONFIG_UNKNOWN_HOLD:
		outcome_hold(d, i);
		break;
	case CONFIG_UNKNOWN_FAIL:
		set_failed(d, i);
		break;
	}
}

/* --- ledger --- */

/* Of one recipient among accepted ones nothing more is known. */
static enum postern_refusal refusal_of(
    const struct delivery *d, enum postern_class result)
{
	const struct postern_outcome *o = &d->result.outcome;

	if (result != POSTERN_REJECTED)
		return POSTERN_REFUSED_MESSAGE;
	return o->result == POSTERN_REJECTED ? o->refusal
					     : POSTERN_REFUSED_RECIPIENT;
}

static void add_row(struct delivery *d, size_t i, enum postern_class result,
    uint32_t duration_ms)
{
	struct store_attempt *row = &d->rows[d->row_count++];
	const struct postern_outcome *o = &d->result.outcome;
	bool is_sent = result == POSTERN_ACCEPTED;

	d->recipients[i].attempts++;
	d->targets[i].is_changed = true;
	d->targets[i].was_tried = true;
	*row = (struct store_attempt){ .recipient = i,
		.at_ms = d->now_ms,
		.result = result,
		.refusal = refusal_of(d, result),
		.status = d->result.status,
		.provider_id = span_of(is_sent ? o->provider_id : ""),
		.reason = span_of(is_sent ? "" : o->reason),
		.duration_ms = duration_ms };
	memcpy(row->provider, d->recipients[i].provider, sizeof(row->provider));
}

void outcome_note_operator(struct delivery *d, size_t i)
{
	d->rows[d->row_count++] = (struct store_attempt){ .recipient = i,
		.at_ms = d->now_ms,
		.is_operator = true,
		.reason = span_of(d->reason) };
}

static uint32_t attempt_ms(const struct delivery *d)
{
	uint64_t ms = (clock_mono_ns() - d->attempt.began_ns) / 1000000;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* --- one recipient of the batch --- */

static enum postern_class class_of(const struct delivery *d, size_t k)
{
	if (d->rejected_bits[k / 8] & (1u << (k % 8)))
		return POSTERN_REJECTED;
	return d->result.outcome.result;
}

/* Refused because of one of its recipients, nobody knows which. */
static bool is_ambiguous(const struct delivery *d)
{
	const struct postern_outcome *o = &d->result.outcome;

	return o->try_singly && o->result == POSTERN_REJECTED &&
	       d->batch_count > 1;
}

/* True when another provider is tried now. */
static bool apply(struct delivery *d, size_t i, enum postern_class result)
{
	struct target *t = &d->targets[i];

	switch (result) {
	case POSTERN_ACCEPTED:
		set_sent(d, i);
		return false;
	case POSTERN_REJECTED:
		if (is_ambiguous(d)) {
			d->recipients[i].is_single = true;
			try_again(d, i);
		} else {
			set_failed(d, i);
		}
		return false;
	case POSTERN_ACCOUNT:
	case POSTERN_THROTTLED:
	case POSTERN_TRANSIENT:
		t->may_wait = true;
		if (d->result.outcome.retry_after_ms > t->floor_ms)
			t->floor_ms = d->result.outcome.retry_after_ms;
		return leave_provider(d, i);
	case POSTERN_UNKNOWN:
		break;
	}
	set_unknown(d, i);
	return false;
}

static void tell_failover(struct delivery *d, size_t i)
{
	const struct attempt *a = &d->attempt;
	const struct config_provider *next =
	    delivery_provider(d, round_provider_index(d, i));

	deliver_count_failover(d, a->provider, i);
	log_warn("failover", LOG_STR("queue_id", d->id_text),
	    LOG_STR("provider", a->provider->name), LOG_STR("next", next->name),
	    LOG_STR("class", provider_class_name(d->result.outcome.result)),
	    LOG_STR("reason", d->result.outcome.reason));
}

/* Refusals for several reasons have only the message in common. */
static void note_refusal(struct delivery *d, enum postern_refusal refusal)
{
	if (d->is_refused && d->refusal != refusal)
		refusal = POSTERN_REFUSED_MESSAGE;
	d->refusal = refusal;
	d->is_refused = true;
}

static void note_trouble(struct delivery *d, enum postern_class result)
{
	if (result == POSTERN_ACCEPTED)
		return;
	if (result == POSTERN_REJECTED && !is_ambiguous(d))
		note_refusal(d, refusal_of(d, result));
	d->last_class = result;
	outcome_set_reason(d, d->result.outcome.reason);
}

/*
 * Who answered, and how: in a reply to the client the reason stands alone,
 * and a provider may have said nothing more.
 */
static void name_speaker(struct delivery *d)
{
	char *reason = d->result.outcome.reason;
	char words[POSTERN_REASON_SIZE - STORE_NAME_SIZE - 32];

	if (d->result.status == 0)
		return;
	(void)snprintf(
	    words, sizeof(words), "%.*s", (int)sizeof(words) - 1, reason);
	(void)snprintf(reason, POSTERN_REASON_SIZE, "%s answered %d%s%s",
	    d->attempt.provider->name, d->result.status, words[0] ? ": " : "",
	    words);
	/* A character may have been cut in two. */
	provider_clean_text(reason, POSTERN_REASON_SIZE);
}

void outcome_apply(struct delivery *d)
{
	uint32_t ms = attempt_ms(d);
	size_t moved = SIZE_MAX;

	d->now_ms = clock_wall_ms();
	name_speaker(d);
	/* Who gets an event twice knows it by its id. */
	if (d->is_event && d->result.outcome.result == POSTERN_UNKNOWN)
		d->result.outcome.result = POSTERN_TRANSIENT;
	if (d->result.outcome.result == POSTERN_UNKNOWN)
		counter_add(&d->owner->services.counters->unknown, 1);
	for (size_t k = 0; k < d->batch_count; k++) {
		size_t i = d->batch[k];
		enum postern_class result = class_of(d, k);

		add_row(d, i, result, ms);
		note_trouble(d, result);
		if (apply(d, i, result))
			moved = i;
	}
	if (moved != SIZE_MAX)
		tell_failover(d, moved);
}

/* --- without an answer --- */

static void make_result(
    struct delivery *d, enum postern_class result, const char *why)
{
	memset(&d->result, 0, sizeof(d->result));
	d->result.outcome.result = result;
	(void)snprintf(d->result.outcome.reason,
	    sizeof(d->result.outcome.reason), "%s", why);
	provider_clean_text(
	    d->result.outcome.reason, sizeof(d->result.outcome.reason));
	d->last_class = result;
	outcome_set_reason(d, d->result.outcome.reason);
}

void outcome_not_sent(struct delivery *d, int rc, const char *why)
{
	bool is_refusal = rc == -EINVAL || rc == -EMSGSIZE;
	enum postern_class result =
	    is_refusal ? POSTERN_REJECTED : POSTERN_TRANSIENT;
	size_t moved = SIZE_MAX;

	d->now_ms = clock_wall_ms();
	make_result(d, result, why);
	if (rc == -EMSGSIZE)
		d->result.outcome.refusal = POSTERN_REFUSED_SIZE;
	if (is_refusal)
		note_refusal(d, d->result.outcome.refusal);
	log_warn("not_sent", LOG_STR("queue_id", d->id_text),
	    LOG_STR("provider", d->attempt.provider->name),
	    LOG_NUM("nrcpt", d->batch_count),
	    LOG_STR("reason", d->result.outcome.reason));
	for (size_t k = 0; k < d->batch_count; k++) {
		size_t i = d->batch[k];

		add_row(d, i, result, 0);
		if (!is_refusal)
			d->targets[i].may_wait = true;
		if (leave_provider(d, i))
			moved = i;
	}
	if (moved != SIZE_MAX)
		tell_failover(d, moved);
}

void outcome_go_singly(struct delivery *d)
{
	d->now_ms = clock_wall_ms();
	for (size_t k = 0; k < d->batch_count; k++) {
		d->recipients[d->batch[k]].is_single = true;
		try_again(d, d->batch[k]);
	}
}

void outcome_postpone(struct delivery *d, const char *why)
{
	d->now_ms = clock_wall_ms();
	d->last_class = POSTERN_TRANSIENT;
	outcome_set_reason(d, why);
	for (size_t k = 0; k < d->batch_count; k++)
		outcome_wait(d, d->batch[k], POSTPONE_MS);
}

void outcome_interrupted(struct delivery *d, size_t i)
{
	enum postern_class result =
	    d->is_event ? POSTERN_TRANSIENT : POSTERN_UNKNOWN;

	make_result(d, result, "stopped before the answer came");
	add_row(d, i, result, 0);
	if (d->is_event)
		try_again(d, i);
	else
		set_unknown(d, i);
}

void outcome_drop_event(struct delivery *d, size_t i, const char *why)
{
	outcome_set_reason(d, why);
	d->last_class = POSTERN_REJECTED;
	set_failed(d, i);
}

/* The ledger says why, though nothing was tried. */
void outcome_hold_all(struct delivery *d, const char *why)
{
	d->now_ms = clock_wall_ms();
	d->was_held = true;
	make_result(d, POSTERN_THROTTLED, why);
	for (size_t i = 0; i < d->count; i++) {
		outcome_hold(d, i);
		add_row(d, i, POSTERN_THROTTLED, 0);
		d->recipients[i].attempts = 0;
	}
}

void outcome_withdraw(struct delivery *d, const char *why)
{
	outcome_set_reason(d, why);
	d->batch_count = 0;
	for (size_t i = 0; i < d->count; i++)
		withdraw(d, i);
}

void outcome_park(struct delivery *d)
{
	d->now_ms = clock_wall_ms();
	for (size_t i = 0; i < d->count; i++) {
		struct store_recipient *r = &d->recipients[i];

		if (!d->targets[i].is_open)
			continue;
		d->targets[i].is_open = false;
		if (delivery_is_direct(d)) {
			withdraw(d, i);
		} else if (r->state != STORE_PENDING) {
			r->due_ms = d->now_ms;
			set_state(d, i, STORE_PENDING);
		}
	}
}
