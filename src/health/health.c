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
	LOOK_MS = 250,             /* places are taken: when to ask again */
	PREFETCH = 16,             /* may queue while they are got ready */
	SENDER_TOLD_MS = 60 * 1000 /* one line about refused senders */
};

static void lock(struct health_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
}

static void unlock(struct health_account *a)
{
	(void)pthread_mutex_unlock(&a->lock);
}

/* --- in; all locked --- */

static enum health_gate hold(
    struct health_account *a, struct health_call *c, uint64_t now_ms)
{
	uint64_t patience = c->turn_ms;

	/* Its mail comes back to it by and by, and nobody waits for that. */
	if (a->pace.mode == PACE_RAMP && c->has_choice)
		patience = 0;
	if (!pace_take(&a->pace, patience, now_ms, &c->again_ms)) {
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

/* Locked. */
static void move_breaker(struct health_account *a, const struct health_call *c,
    const struct postern_outcome *o, uint64_t now_ms, struct news *out)
{
	struct breaker *b = &a->breaker;
	bool was_closed = b->state == BREAKER_CLOSED;
	uint64_t random;

	hash_random(&random, sizeof(random));
	out->change = breaker_leave(b, &c->pass, lesson(o), now_ms, random);
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

/* What it took, or may have taken, is what it will want money for. */
static void settle(struct health_account *a, const struct health_call *c,
    const struct postern_outcome *o)
{
	bool counts =
	    o->result == POSTERN_ACCEPTED || o->result == POSTERN_UNKNOWN;

	spend_end(a->spend, &c->share, counts ? c->refused : c->share.count);
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
	pace_give_back(&a->pace, now_ms);
	breaker_cancel(&a->breaker, &c->pass);
	serve(a, now_ms, &woken);
	unlock(a);
	c->account = NULL;
	wake_all(a, &woken);
}

/* --- to look at --- */

uint64_t health_spent_today(struct health_account *a)
{
	struct spend_view v;

	spend_look(a->spend, clock_wall_ms(), &v);
	return v.used[SPEND_DAY];
}

size_t health_room_at(struct health_account *a, uint64_t now_ms)
{
	size_t room = 0, queued;
	struct spend_view spend;
	uint64_t until_ms;

	spend_look(a->spend, clock_wall_ms(), &spend);
	if (spend.is_out)
		return 0;
	lock(a);
	queued = a->queued < PREFETCH ? a->queued : PREFETCH;
	if (a->breaker.state != BREAKER_CLOSED)
		room = breaker_room(&a->breaker, now_ms);
	else
		room = pace_room(&a->pace, PREFETCH - queued, now_ms);
	if (pace_is_paused(&a->pace, now_ms, &until_ms))
		room = 0;
	unlock(a);
	return room;
}

size_t health_room(const struct config *config, uint64_t now_ms)
{
	size_t room = 0;

	for (size_t i = 0; i < config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(config->providers, struct config_provider, i);
		size_t more =
		    p->is_webhook ? 0 : health_room_at(p->account, now_ms);

		room = more < SIZE_MAX - room ? room + more : SIZE_MAX;
	}
	return room;
}

static unsigned seconds_until(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? (unsigned)((at_ms - now_ms + 999) / 1000) : 0;
}

/* Locked. */
static void explain_open(const struct health_account *a, uint64_t at_ms,
    uint64_t now_ms, char out[HEALTH_TEXT_SIZE])
{
	bool says_why = a->breaker.cause == BREAKER_ACCOUNT && a->said[0];

	if (a->breaker.state == BREAKER_HALF)
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: paused %s, being tried again now", a->name, a->cause);
	else
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: paused %s, next try in %u s%s%.*s", a->name, a->cause,
		    seconds_until(at_ms, now_ms), says_why ? " - " : "",
		    says_why ? 100 : 0, a->said);
}

/* "budget of 500 recipients per day is used up until ...". */
static void explain_spent(enum spend_window window, uint64_t limit,
    int64_t again_ms, char out[HEALTH_TEXT_SIZE])
{
	char until[DATE_RFC3339_SIZE];

	date_format_rfc3339_s(again_ms, until);
	(void)snprintf(out, HEALTH_TEXT_SIZE,
	    "budget of %" PRIu64 " recipients per %s is used up until %s",
	    limit, spend_window_name(window), until);
}

void health_explain(struct health_account *a, const struct health_call *c,
    uint64_t now_ms, char out[HEALTH_TEXT_SIZE])
{
	unsigned s = seconds_until(c->again_ms, now_ms);
	char spent[HEALTH_TEXT_SIZE];

	out[0] = '\0';
	lock(a);
	switch (c->gate) {
	case HEALTH_GO:
	case HEALTH_QUEUED:
		break;
	case HEALTH_OPEN:
		explain_open(a, c->again_ms, now_ms, out);
		break;
	case HEALTH_PACED:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: takes no more for now, next try in %u s", a->name, s);
		break;
	case HEALTH_FULL:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: %zu calls are under way, which is all it gets",
		    a->name, a->pace.held);
		break;
	case HEALTH_BUDGET:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: has had many retries, next one in %u s", a->name, s);
		break;
	case HEALTH_SPENT:
		explain_spent(
		    c->share.window, c->share.limit, c->share.again_ms, spent);
		(void)snprintf(out, HEALTH_TEXT_SIZE, "%s: %.*s", a->name,
		    HEALTH_TEXT_SIZE - ACCOUNT_NAME_SIZE - 2, spent);
		break;
	}
	unlock(a);
}

void health_look(
    struct health_account *a, uint64_t now_ms, struct health_view *out)
{
	const struct breaker *b = &a->breaker;
	int64_t wall_ms = clock_wall_ms();
	uint64_t paused;

	lock(a);
	*out = (struct health_view){ .state = b->state,
		.since_ms = b->since_ms,
		.failed_ms = b->failed_ms,
		.early_ms = b->early_ms,
		.opened = a->opened,
		.held = a->pace.held,
		.queued = a->queued,
		.limit = (size_t)a->pace.limit,
		.per_second = pace_rate(&a->pace, now_ms),
		.ceiling = a->pace.ceiling,
		.paused_ms = pace_paused_ms(&a->pace, now_ms) };
	if (pace_is_paused(&a->pace, now_ms, &paused)) {
		out->again_ms = paused;
		(void)snprintf(out->reason, sizeof(out->reason),
		    "asked for a pause, next call in %u s",
		    seconds_until(paused, now_ms));
	}
	spend_look(a->spend, wall_ms, &out->spend);
	if (out->spend.is_out) {
		out->again_ms = out->spent_until_ms =
		    now_ms + (uint64_t)(out->spend.again_ms - wall_ms);
		explain_spent(out->spend.window,
		    out->spend.limits[out->spend.window], out->spend.again_ms,
		    out->reason);
	}
	if (b->state == BREAKER_OPEN) {
		out->again_ms = b->until_ms;
		explain_open(a, b->until_ms, now_ms, out->reason);
	}
	if (b->state == BREAKER_HALF)
		explain_open(a, now_ms, now_ms, out->reason);
	unlock(a);
}
