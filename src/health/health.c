/*
 * Accounts: breaker, pace and budget under one lock, and who queues for a
 * place. A place that becomes free is handed to the first in the queue, so
 * that nobody overtakes; when the breaker opens, all of them are told to look
 * elsewhere.
 */
#include <health/health.h>

#include <health/account.h>

#include <base/clock.h>
#include <base/date.h>
#include <base/hash.h>
#include <base/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	RETRY_AFTER_MAX_MS = 60 * 60 * 1000,
	LOOK_MS = 250,              /* places are taken: when to ask again */
	SENDER_TOLD_MS = 60 * 1000, /* one line about refused senders */
	ASK_SOON_MS = 60 * 1000     /* since the account was asked last */
};

static void lock(struct health_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
}

static void unlock(struct health_account *a)
{
	(void)pthread_mutex_unlock(&a->lock);
}

/* What a call costs of what the account may have. Locked. */
static uint64_t units_of(
    const struct health_account *a, const struct health_call *c)
{
	return a->facts.told.counts_recipients ? c->share.count : 1;
}

/* --- in; all locked --- */

static enum health_gate hold(
    struct health_account *a, struct health_call *c, uint64_t now_ms)
{
	uint64_t patience = c->turn_ms;

	/* Its mail comes back to it by and by, and nobody waits for that. */
	if (a->pace.mode == PACE_RAMP && c->has_choice)
		patience = 0;
	if (!pace_take(
		&a->pace, units_of(a, c), patience, now_ms, &c->again_ms)) {
		breaker_cancel(&a->breaker, &c->pass);
		return HEALTH_PACED;
	}
	budget_note(&a->budget, c->is_retry, now_ms);
	c->begin_ms = c->again_ms;
	c->entered_ms = now_ms;
	c->account = a;
	return HEALTH_GO;
}

/* Everything but a place. */
static enum health_gate admit(
    struct health_account *a, struct health_call *c, uint64_t now_ms)
{
	if (pace_is_paused(&a->pace, now_ms, &c->again_ms))
		return HEALTH_PACED;
	if (c->is_retry && !budget_may_retry(&a->budget, now_ms, &c->again_ms))
		return HEALTH_BUDGET;
	if (!breaker_enter(
		&a->breaker, &c->ask, now_ms, &c->pass, &c->again_ms))
		return HEALTH_OPEN;
	return hold(a, c, now_ms);
}

static enum health_gate queue(
    struct health_account *a, struct health_call *c, uint64_t now_ms)
{
	/* Turns that are yet to come hold the places: no use in waiting. */
	if (pace_next_turn(&a->pace, now_ms, &c->again_ms))
		return HEALTH_PACED;
	c->again_ms = now_ms + LOOK_MS;
	if (!c->wake || a->breaker.state != BREAKER_CLOSED ||
	    !pace_is_moving(&a->pace, a->queued, c->place_ms, now_ms))
		return HEALTH_FULL;
	c->is_queued = true;
	a->queued++;
	list_append(&a->queue, &c->link);
	return HEALTH_QUEUED;
}

/*
 * Its recipients are taken first: who may spend nothing more needs neither a
 * place nor a trial.
 */
static enum health_gate afford(struct health_account *a, struct health_call *c,
    uint64_t now_ms,
    enum health_gate (*ask)(
	struct health_account *a, struct health_call *c, uint64_t now_ms))
{
	int64_t wall_ms = clock_wall_ms();
	enum health_gate gate;

	if (!spend_take(a->spend, c->recipients, wall_ms, &c->share)) {
		if (c->share.is_soon) {
			c->again_ms = now_ms + LOOK_MS;
			return HEALTH_FULL;
		}
		c->again_ms = now_ms + (uint64_t)(c->share.again_ms - wall_ms);
		return HEALTH_SPENT;
	}
	gate = ask(a, c, now_ms);
	if (gate != HEALTH_GO)
		spend_end(a->spend, &c->share, c->share.count);
	return gate;
}

/* Not locked. */
static void tell_spent(
    const struct health_account *a, const struct spend_share *share)
{
	if (share->is_news)
		log_warn("budget_spent", LOG_STR("provider", a->name),
		    LOG_STR("window", spend_window_name(share->window)),
		    LOG_NUM("limit", share->limit));
}

enum health_gate health_enter(
    struct health_account *a, struct health_call *c, uint64_t now_ms)
{
	enum health_gate gate;

	lock(a);
	bool must_queue = a->breaker.state == BREAKER_CLOSED &&
			  (pace_is_full(&a->pace) || a->queued > 0);
	gate = afford(a, c, now_ms, must_queue ? queue : admit);
	c->gate = gate;
	const struct spend_share share = c->share;
	unlock(a);
	/* One that queues may be served by another thread already. */
	tell_spent(a, &share);
	return gate;
}

bool health_may_begin(const struct health_call *c)
{
	struct health_account *a = c->account;

	lock(a);
	bool is_valid = breaker_is_valid(&a->breaker, &c->pass);
	unlock(a);
	return is_valid;
}

/* --- the queue --- */

static void leave_queue(struct health_account *a, struct health_call *c)
{
	c->is_queued = false;
	a->queued--;
}

static struct health_call *take_first(struct health_account *a)
{
	struct health_call *c =
	    container_of(a->queue.next, struct health_call, link);

	list_remove(&c->link);
	leave_queue(a, c);
	return c;
}

/* Serve those for whom there is a place, or nothing to wait for. Locked. */
static void serve(struct health_account *a, uint64_t now_ms, struct list *out)
{
	while (
	    !list_is_empty(&a->queue) &&
	    (a->breaker.state != BREAKER_CLOSED || !pace_is_full(&a->pace))) {
		struct health_call *c = take_first(a);

		c->gate = afford(a, c, now_ms, admit);
		list_append(out, &c->link);
	}
}

/* Not locked: a call may be gone as soon as it is woken. */
static void wake_all(const struct health_account *a, struct list *woken)
{
	while (!list_is_empty(woken)) {
		struct health_call *c =
		    container_of(woken->next, struct health_call, link);

		list_remove(&c->link);
		tell_spent(a, &c->share);
		c->wake(c);
	}
}

bool health_unqueue(struct health_account *a, struct health_call *c)
{
	lock(a);
	bool is_queued = c->is_queued;
	if (is_queued) {
		list_remove(&c->link);
		leave_queue(a, c);
	}
	unlock(a);
	return is_queued;
}

/* --- out --- */

/* With a tenth more at most: not all come back at once. Locked. */
static void pause_for(
    struct health_account *a, uint64_t ms, uint64_t now_ms, uint64_t random)
{
	if (ms > RETRY_AFTER_MAX_MS)
		ms = RETRY_AFTER_MAX_MS;
	pace_pause(&a->pace, now_ms + ms + random % (ms / 10 + 1), now_ms);
}

/* What it says of its own count. Locked. */
static void heed_count(struct health_account *a,
    const struct postern_outcome *o, uint64_t now_ms, uint64_t random)
{
	pace_allow(&a->pace, o->allowed, o->allowed_of,
	    now_ms + o->allowed_for_ms, now_ms);
	if (o->allowed == 0)
		pause_for(a, o->allowed_for_ms, now_ms, random);
}

/* Locked. */
static void teach_pace(struct health_account *a, const struct health_call *c,
    const struct postern_outcome *o, uint64_t now_ms)
{
	uint64_t random;

	hash_random(&random, sizeof(random));
	if (o->has_allowance)
		heed_count(a, o, now_ms, random);
	switch (o->result) {
	case POSTERN_ACCEPTED:
	case POSTERN_REJECTED:
		pace_grow(&a->pace);
		break;
	case POSTERN_THROTTLED:
		pace_slow_down(&a->pace, c->entered_ms, now_ms);
		pause_for(a, o->retry_after_ms, now_ms, random);
		break;
	case POSTERN_TRANSIENT:
	case POSTERN_UNKNOWN:
		pace_shrink(&a->pace, c->entered_ms, now_ms);
		pause_for(a, o->retry_after_ms, now_ms, random);
		break;
	case POSTERN_ACCOUNT:
		break;
	}
}

/* What opened it, in words. Locked. */
static void note_cause(
    struct health_account *a, const struct postern_outcome *o)
{
	const struct breaker *b = &a->breaker;

	switch (b->cause) {
	case BREAKER_IN_A_ROW:
		(void)snprintf(a->cause, sizeof(a->cause),
		    "after %" PRId64 " failures in a row",
		    b->settings.failures);
		break;
	case BREAKER_RATIO:
		(void)snprintf(a->cause, sizeof(a->cause),
		    "as %" PRId64 " %% of its calls or more failed",
		    b->settings.ratio);
		break;
	case BREAKER_TRIAL: /* what opened it first is still the cause */
		break;
	case BREAKER_ACCOUNT:
		(void)snprintf(
		    a->cause, sizeof(a->cause), "as the account is refused");
		break;
	}
	(void)snprintf(a->said, sizeof(a->said), "%.*s",
	    (int)sizeof(a->said) - 1, o->reason);
}

/* What a change is told with, once the lock is given back. */
struct news {
	enum breaker_change change;
	enum breaker_cause cause;
	uint64_t ms; /* open for; or was open for */
	bool is_sender_refused;
	char why[ACCOUNT_CAUSE_SIZE];
};

static void tell(const struct health_account *a, const struct news *n,
    const struct postern_outcome *o)
{
	bool is_alert = n->cause == BREAKER_ACCOUNT;

	if (n->change == BREAKER_RECOVERED)
		log_info("breaker_close", LOG_STR("provider", a->name),
		    LOG_NUM("down_ms", n->ms));
	if (n->change == BREAKER_OPENED)
		log_event(is_alert ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
		    "breaker_open", LOG_STR("provider", a->name),
		    LOG_STR("why", n->why), LOG_NUM("open_ms", n->ms),
		    LOG_STR("reason", o->reason));
	if (n->is_sender_refused)
		log_error("sender_refused", LOG_STR("provider", a->name),
		    LOG_STR("reason", o->reason));
}

/* Somebody must act, and many messages may say so. Locked. */
static void note_sender(
    struct health_account *a, uint64_t now_ms, struct news *out)
{
	out->is_sender_refused = a->sender_told_ms == 0 ||
				 now_ms >= a->sender_told_ms + SENDER_TOLD_MS;
	if (out->is_sender_refused)
		a->sender_told_ms = now_ms;
}

/* As the breaker sees it: another sender's mail may be welcome. */
static enum postern_class lesson(const struct postern_outcome *o)
{
	return o->is_about_sender ? POSTERN_REJECTED : o->result;
}

/* It has moved. Locked. */
static void note_change(struct health_account *a, bool was_closed,
    const struct postern_outcome *o, uint64_t now_ms, struct news *out)
{
	const struct breaker *b = &a->breaker;

	switch (out->change) {
	case BREAKER_SAME:
		return;
	case BREAKER_OPENED:
		if (was_closed)
			a->down_since_ms = now_ms;
		a->opened++;
		note_cause(a, o);
		out->cause = b->cause;
		out->ms = b->until_ms - now_ms;
		memcpy(out->why, a->cause, sizeof(out->why));
		return;
	case BREAKER_RECOVERED:
		out->ms = now_ms - a->down_since_ms;
		pace_ramp(&a->pace, now_ms);
		return;
	}
}

/* Locked. */
static void move_breaker(struct health_account *a, const struct health_call *c,
    const struct postern_outcome *o, uint64_t now_ms, struct news *out)
{
	bool was_closed = a->breaker.state == BREAKER_CLOSED;
	uint64_t random;

	hash_random(&random, sizeof(random));
	out->change =
	    breaker_leave(&a->breaker, &c->pass, lesson(o), now_ms, random);
	note_change(a, was_closed, o, now_ms, out);
}

/* What it took, or may have taken, is what it will want money for. */
static void settle(struct health_account *a, const struct health_call *c,
    const struct postern_outcome *o)
{
	bool counts =
	    o->result == POSTERN_ACCEPTED || o->result == POSTERN_UNKNOWN;

	spend_end(a->spend, &c->share, counts ? c->refused : c->share.count);
}

/* It may have been given less, or be closed. Locked. */
static void doubt_facts(
    struct health_account *a, const struct postern_outcome *o)
{
	uint64_t soon_ms = a->facts.asked_ms + ASK_SOON_MS;

	if ((o->result == POSTERN_THROTTLED || lesson(o) == POSTERN_ACCOUNT) &&
	    soon_ms < a->facts.ask_ms)
		a->facts.ask_ms = soon_ms;
}

void health_leave(struct health_call *c, const struct postern_outcome *outcome,
    uint64_t now_ms)
{
	struct health_account *a = c->account;
	struct news news = { .change = BREAKER_SAME };
	struct list woken;

	list_init(&woken);
	lock(a);
	settle(a, c, outcome);
	pace_leave(&a->pace, now_ms);
	teach_pace(a, c, outcome, now_ms);
	move_breaker(a, c, outcome, now_ms, &news);
	if (outcome->is_about_sender)
		note_sender(a, now_ms, &news);
	doubt_facts(a, outcome);
	serve(a, now_ms, &woken);
	unlock(a);
	c->account = NULL;
	tell(a, &news, outcome);
	wake_all(a, &woken);
}

void health_cancel(struct health_call *c, uint64_t now_ms)
{
	struct health_account *a = c->account;
	struct list woken;

	if (!a)
		return;
	list_init(&woken);
	lock(a);
	spend_end(a->spend, &c->share, c->share.count);
	pace_give_back(&a->pace, units_of(a, c), now_ms);
	breaker_cancel(&a->breaker, &c->pass);
	serve(a, now_ms, &woken);
	unlock(a);
	c->account = NULL;
	wake_all(a, &woken);
}

/* --- refused without a call --- */

void account_refuse(
    struct health_account *a, const struct postern_outcome *o, uint64_t now_ms)
{
	struct news news = { .change = BREAKER_SAME };
	struct list woken;
	uint64_t random;

	hash_random(&random, sizeof(random));
	list_init(&woken);
	lock(a);
	bool was_closed = a->breaker.state == BREAKER_CLOSED;
	news.change = breaker_refuse(&a->breaker, now_ms, random);
	note_change(a, was_closed, o, now_ms, &news);
	serve(a, now_ms, &woken);
	unlock(a);
	tell(a, &news, o);
	wake_all(a, &woken);
}
