/*
 * Between a batch and its provider stands the gate of the provider's account
 * (health/health.h). It opens, at once or at a turn that is near: then the
 * batch is marked. A place that may soon be free is waited for in memory.
 * Otherwise the provider is passed over, without a row in the ledger, as
 * nothing was tried there: the next one of the route is asked, and after the
 * last one the message waits for the first gate to open again, in the store as
 * it is there.
 */
#include <deliver/deliver_internal.h>

#include <base/clock.h>
#include <base/log.h>

enum {
	/* For a place and for a turn, rather than to take the next provider. */
	CHOICE_MS = 1000,
	CHOICE_TURN_MS = 250,
	/* For a place, when there is no other. */
	PLACE_MS = 5000,
	/*
	 * For a turn, then. What was put off looks further ahead than what is
	 * new: under more load than may leave, the oldest goes first.
	 */
	TURN_MS = 1000,
	RESUMED_TURN_MS = 2000,
	/*
	 * Of those that were put off at a gate one comes back so often, and
	 * where the account has a rate, twice as many as may leave: enough that
	 * no turn is lost.
	 */
	EACH_MS = 1,
	EACH_OF_A_TURN = 2,
	/* One provider that hangs does not get all of these. */
	RESUMED_SHARE = DELIVER_RESUMED_MAX / 2
};

static const struct config_provider *provider_of(
    const struct delivery *d, size_t i)
{
	return delivery_provider(d, round_provider_index(d, i));
}

/* --- asking --- */

/* Whether another one may follow in this round. */
static bool has_choice(const struct delivery *d, size_t i)
{
	return !d->recipients[i].is_pinned &&
	       round_position(d, i, d->targets[i].position + 1) != SIZE_MAX;
}

/* An unknown outcome needs a person, or is the end of it. */
static bool is_delicate(const struct delivery *d, size_t i)
{
	const struct config_route *route = d->targets[i].route;

	return !d->recipients[i].is_pinned && route &&
	       route->unknown != CONFIG_UNKNOWN_RETRY;
}

static void on_wake(struct health_call *c)
{
	struct delivery *d = container_of(c, struct delivery, gate.call);

	loop_post(d->owner->services.loop, &d->gate.woken);
}

static void on_woken(struct task *t)
{
	struct delivery *d = container_of(t, struct delivery, gate.woken);

	d->gate.is_queued = false;
	loop_timer_stop(d->owner->services.loop, &d->gate.timer);
	round_seek(d);
}

/* The turn has come, or it was too long to wait for a place. */
static void on_timer(struct loop_timer *t)
{
	struct delivery *d = container_of(t, struct delivery, gate.timer);
	struct health_call *c = &d->gate.call;

	if (!d->gate.is_queued) {
		round_go(d);
		return;
	}
	if (!health_unqueue(d->gate.account, c))
		return; /* woken this very moment */
	d->gate.is_queued = false;
	d->gate.is_tired = true;
	round_seek(d);
}

void gate_init(struct delivery *d)
{
	d->gate.woken.run = on_woken;
	loop_timer_init(&d->gate.timer, on_timer);
}

static void fill(
    struct delivery *d, size_t i, bool may_queue, struct health_call *c)
{
	const struct target *t = &d->targets[i];

	c->recipients = round_batch_size(d, i);
	c->has_choice = has_choice(d, i);
	c->is_retry = t->is_retry;
	c->ask.is_delicate = is_delicate(d, i);
	c->ask.is_last_resort = t->is_last_resort;
	c->place_ms = c->has_choice ? CHOICE_MS : PLACE_MS;
	if (c->has_choice)
		c->turn_ms = CHOICE_TURN_MS;
	else if (delivery_is_direct(d))
		c->turn_ms = PLACE_MS;
	else
		c->turn_ms = d->is_resumed ? RESUMED_TURN_MS : TURN_MS;
	c->wake = may_queue && !d->gate.is_tired ? on_wake : NULL;
}

/* Too many of this worker's messages from the store are there already. */
static bool is_crowded(
    const struct delivery *d, const struct config_provider *p)
{
	return d->is_resumed && d->gate.call.has_choice &&
	       d->owner->resumed_at[p->slot] >= RESUMED_SHARE;
}

enum gate_answer gate_ask(struct delivery *d, size_t i, bool may_queue)
{
	const struct config_provider *p = provider_of(d, i);
	struct health_call *c = &d->gate.call;
	uint64_t now_ms = clock_mono_ms();

	if (c->account)
		return GATE_OPEN; /* held since it was woken */
	fill(d, i, may_queue, c);
	d->gate.account = p->account;
	if (is_crowded(d, p)) {
		c->gate = HEALTH_FULL;
		c->again_ms = now_ms + CHOICE_MS;
		return GATE_SHUT;
	}
	switch (health_enter(p->account, c, now_ms)) {
	case HEALTH_GO:
		return GATE_OPEN;
	case HEALTH_QUEUED:
		d->gate.is_queued = true;
		loop_timer_start(
		    d->owner->services.loop, &d->gate.timer, c->place_ms);
		return GATE_LATER;
	case HEALTH_FULL:
		/* To be asked again when it can queue. */
		return may_queue || d->gate.is_tired ? GATE_SHUT : GATE_LATER;
	case HEALTH_OPEN:
	case HEALTH_PACED:
	case HEALTH_BUDGET:
	case HEALTH_SPENT:
		break;
	}
	return GATE_SHUT;
}

/* --- passing over --- */

/* A budget may be raised before its day is over. */
static uint64_t soon(
    const struct delivery *d, uint64_t until_ms, uint64_t now_ms)
{
	uint64_t look_ms = now_ms + d->config->queue.retry_cap_ms;

	return until_ms < look_ms ? until_ms : look_ms;
}

/* The provider that is i's now may be asked again then. */
static void note_chance(struct delivery *d, size_t i, uint64_t at_ms)
{
	struct target *t = &d->targets[i];

	if (t->again_ms > 0 && t->again_ms <= at_ms)
		return;
	t->again_ms = at_ms;
	t->again_at = provider_of(d, i);
}

/* Whether the provider that is i's now may be tried as the last one. */
static bool is_resort(
    struct delivery *d, size_t i, uint64_t now_ms, uint64_t *failed_ms)
{
	struct health_view v;
	uint64_t at_ms;

	health_look(provider_of(d, i)->account, now_ms, &v);
	at_ms = v.spend.is_out ? soon(d, v.spent_until_ms, now_ms) : v.early_ms;
	note_chance(d, i, at_ms > 0 ? at_ms : now_ms);
	*failed_ms = v.failed_ms;
	return v.state == BREAKER_OPEN && at_ms <= now_ms;
}

/*
 * All are open: the one that failed longest ago is tried, before its own time
 * if need be.
 */
static bool find_last_resort(struct delivery *d, size_t i, uint64_t now_ms)
{
	struct target *t = &d->targets[i];
	uint64_t failed_ms, longest_ms = UINT64_MAX;
	size_t best = t->position;

	t->again_ms = UINT64_MAX;
	if (d->recipients[i].is_pinned)
		return is_resort(d, i, now_ms, &failed_ms);
	t->position = round_position(d, i, 0);
	while (t->position != SIZE_MAX) {
		if (is_resort(d, i, now_ms, &failed_ms) &&
		    failed_ms < longest_ms) {
			best = t->position;
			longest_ms = failed_ms;
		}
		t->position = round_position(d, i, t->position + 1);
	}
	t->position = best;
	return longest_ms != UINT64_MAX;
}

static uint64_t each_ms(const struct config_provider *p, uint64_t now_ms)
{
	struct health_view v;

	health_look(p->account, now_ms, &v);
	if (v.ceiling <= 0)
		return EACH_MS;
	double ms = 1000 / v.ceiling / EACH_OF_A_TURN;
	return ms > EACH_MS ? (uint64_t)ms : EACH_MS;
}

/* After the first gate opens, and not all at once. */
static uint64_t pause_ms(
    struct delivery *d, const struct target *t, uint64_t now_ms)
{
	const struct config_queue *q = &d->config->queue;
	uint64_t opens_ms = t->again_ms > now_ms ? t->again_ms : now_ms;
	const struct config_provider *p = t->again_at;

	if (d->gate.late_at != p) {
		struct crowd_gate g = { .opens_ms = opens_ms,
			.each_ms = each_ms(p, now_ms),
			.base_ms = q->retry_base_ms,
			.cap_ms = q->retry_cap_ms };

		d->gate.late_at = p;
		d->gate.late_ms = crowd_join(
		    &d->owner->crowds[p->slot], &g, now_ms, d->random);
	}
	return opens_ms - now_ms + d->gate.late_ms;
}

bool gate_pass_over(struct delivery *d, size_t i)
{
	const struct health_call *c = &d->gate.call;
	struct target *t = &d->targets[i];
	uint64_t now_ms = clock_mono_ms(), again_ms = c->again_ms;

	t->may_wait = true;
	if (c->gate == HEALTH_SPENT)
		again_ms = soon(d, again_ms, now_ms);
	note_chance(d, i, again_ms);
	if (c->gate != HEALTH_OPEN && c->gate != HEALTH_SPENT)
		t->is_some_closed = true;
	if (!t->is_last_resort && outcome_next_provider(d, i))
		return true;
	if (t->was_tried) {
		if (t->again_ms > now_ms + t->floor_ms)
			t->floor_ms = t->again_ms - now_ms;
		outcome_put_off(d, i);
	} else if (!t->is_last_resort && !t->is_some_closed &&
		   find_last_resort(d, i, now_ms)) {
		t->is_last_resort = true;
	} else {
		outcome_pause(d, i, pause_ms(d, t, now_ms));
	}
	return false;
}

void gate_tell(struct delivery *d, const struct config_provider *p)
{
	char why[HEALTH_TEXT_SIZE];
	struct health_call *c = &d->gate.call;

	health_explain(p->account, c, clock_mono_ms(), why);
	d->gate.is_tired = false;
	d->last_class =
	    c->gate == HEALTH_OPEN ? POSTERN_TRANSIENT : POSTERN_THROTTLED;
	outcome_set_reason(d, why);
	log_debug("passed_over", LOG_STR("queue_id", d->id_text),
	    LOG_STR("provider", p->name), LOG_STR("reason", why));
}

/* --- held --- */

void gate_hold(struct delivery *d, const struct config_provider *p)
{
	d->gate.is_tired = false;
	d->gate.slot = p->slot;
	if (d->is_resumed)
		d->owner->resumed_at[p->slot]++;
	d->gate.is_counted = d->is_resumed;
}

static void uncount(struct delivery *d)
{
	if (d->gate.is_counted)
		d->owner->resumed_at[d->gate.slot]--;
	d->gate.is_counted = false;
}

enum gate_answer gate_begin(struct delivery *d)
{
	const struct health_call *c = &d->gate.call;
	uint64_t now_ms = clock_mono_ms();

	if (now_ms < c->begin_ms) {
		loop_timer_start(d->owner->services.loop, &d->gate.timer,
		    c->begin_ms - now_ms);
		return GATE_LATER;
	}
	return health_may_begin(c) ? GATE_OPEN : GATE_SHUT;
}

/* By name, of a call that took the others. */
static size_t count_refused(const struct delivery *d)
{
	size_t n = 0;

	for (size_t k = 0; k < d->batch_count; k++)
		n += (d->rejected_bits[k / 8] & 1u << (k % 8)) != 0;
	return n;
}

void gate_leave(struct delivery *d, const struct postern_outcome *outcome)
{
	uncount(d);
	d->gate.call.refused = count_refused(d);
	health_leave(&d->gate.call, outcome, clock_mono_ms());
	if (outcome->result == POSTERN_THROTTLED ||
	    outcome->result == POSTERN_ACCOUNT)
		inquiries_look(d->owner->inquiries);
}

void gate_drop(struct delivery *d)
{
	uncount(d);
	health_cancel(&d->gate.call, clock_mono_ms());
}

void gate_hurry(struct delivery *d)
{
	if (loop_timer_is_armed(&d->gate.timer))
		loop_timer_start(d->owner->services.loop, &d->gate.timer, 0);
}
