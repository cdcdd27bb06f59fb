/*
 * One round of a message: each recipient that is due is offered to the
 * providers of its route in order, in batches, until it is sent, refused, or
 * no provider is left. Before a request leaves, the store has marked its
 * recipients STARTED; the mark of the next attempt travels with the record of
 * the last.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/jumps.h>
#include <base/log.h>
#include <mail/traits.h>
#include <route/router.h>

enum {
	/* Between tries to record: the store may be full, or held up. */
	RECORD_AGAIN_MS = 1000
};

/* --- what is to be tried in this round --- */

static void hold_orphan(struct delivery *d, size_t i)
{
	const struct store_recipient *r = &d->recipients[i];

	/* Its outcome is unknown there and must not be risked elsewhere. */
	(void)snprintf(d->reason, sizeof(d->reason),
	    "outcome unknown at %s, which is no longer configured",
	    r->provider);
	d->last_class = POSTERN_UNKNOWN;
	outcome_hold(d, i);
}

static void say_not_carried(struct delivery *d, const struct target *t)
{
	struct span named = round_named(d->message);
	unsigned missing = router_missing(d->config, t->route, named, t->needs);
	char what[TRAITS_TEXT_SIZE];

	traits_describe(missing, what);
	if (named.len > 0 && !router_names_any(t->route, named))
		outcome_set_reason(
		    d, "X-Postern-Provider names no provider of its route");
	else if (missing & POSTERN_CARRIES_UTF8)
		outcome_set_reason(
		    d, "no provider of its route carries SMTPUTF8");
	else
		(void)snprintf(d->reason, sizeof(d->reason),
		    "the message %s, which no provider of its route keeps "
		    "intact",
		    what);
}

/* Who comes first; false when nobody can take it now. */
static bool find_first(struct delivery *d, size_t i)
{
	struct target *t = &d->targets[i];

	if (t->route && t->route->providers.count > 0) {
		t->order = round_order(d, t->route);
		if (!t->order) {
			outcome_set_reason(d, "out of memory");
			outcome_wait(d, i, d->config->queue.retry_base_ms);
			return false;
		}
		t->position = round_position(d, i, 0);
		if (t->position != SIZE_MAX)
			return true;
		say_not_carried(d, t);
	} else {
		outcome_set_reason(d, "no route matches");
	}
	d->last_class = POSTERN_ACCOUNT;
	/* A change of the file mends it while it waits. */
	outcome_wait_or_hold(d, i, d->config->queue.retry_cap_ms);
	return false;
}

/* Whose mail it is, what it may cost: a person must say. */
static void hold_ownerless(struct delivery *d, size_t i)
{
	(void)snprintf(d->reason, sizeof(d->reason),
	    "user %.*s is no longer configured", SPAN_FMT(d->user));
	provider_clean_text(d->reason, sizeof(d->reason));
	d->last_class = POSTERN_ACCOUNT;
	if (delivery_is_direct(d))
		outcome_wait(d, i, 0); /* nothing is kept */
	else
		outcome_hold(d, i);
}

static void open_target(struct delivery *d, size_t i)
{
	const struct store_recipient *r = &d->recipients[i];
	struct target *t = &d->targets[i];

	t->route = round_route(d, i);
	if (d->is_event && !t->route) {
		outcome_drop_event(d, i, "no webhook is configured any more");
		return;
	}
	if (!d->is_event && !d->is_report &&
	    !config_find_user(d->config, d->user)) {
		hold_ownerless(d, i);
		return;
	}
	if (r->is_pinned && round_provider_index(d, i) == SIZE_MAX) {
		hold_orphan(d, i);
		return;
	}
	t->needs = traits_needed_for(d->needs, &d->terms, r->address);
	t->is_retry = r->attempts > 0;
	if (r->is_pinned || find_first(d, i))
		t->is_open = true;
}

/*
 * It is to be sent at a certain time of day (RFC 4865), which is yet to come.
 * Once a person has had it sent anew that time is over: its release is then
 * only where its age begins.
 */
static bool is_scheduled(
    const struct delivery *d, const struct store_recipient *r)
{
	return d->terms.release_ms > d->now_ms && r->key_turn == 0;
}

/*
 * What is read back waited by the monotonic clock. If the wall clock was set
 * back meanwhile, its time has come all the same; not so what was reckoned
 * just now (resume.c).
 */
static bool is_due(const struct delivery *d, size_t i)
{
	const struct store_recipient *r = &d->recipients[i];
	bool has_waited =
	    d->is_resumed && !d->targets[i].is_changed && !is_scheduled(d, r);
	int64_t back = has_waited ? jumps_back_ms() : 0;

	return r->state == STORE_PENDING && r->due_ms <= d->now_ms + back;
}

void round_begin(struct delivery *d)
{
	hash_random(&d->random, sizeof(d->random));
	d->now_ms = clock_wall_ms();
	d->needs = traits_needed(&d->terms, d->sender, d->message);
	jumps_look();
	for (size_t i = 0; i < d->count; i++)
		if (is_due(d, i))
			open_target(d, i);
}

/* --- the next batch --- */

static bool is_like(
    const struct delivery *d, size_t i, size_t first, size_t provider)
{
	return d->targets[i].is_open &&
	       d->targets[i].route == d->targets[first].route &&
	       d->recipients[i].is_pinned == d->recipients[first].is_pinned &&
	       d->recipients[i].is_single == d->recipients[first].is_single &&
	       round_provider_index(d, i) == provider;
}

static void mark(struct delivery *d, size_t i, const char *provider)
{
	struct store_recipient *r = &d->recipients[i];

	r->state = STORE_STARTED;
	(void)snprintf(r->provider, sizeof(r->provider), "%s", provider);
	d->targets[i].is_changed = true;
	d->batch[d->batch_count] = i;
	d->batch_addresses[d->batch_count] = r->address;
	d->batch_count++;
}

static void make_key(struct delivery *d)
{
	struct attempt *a = &d->attempt;
	struct batch_key key = { .digest = { 0 } };

	for (size_t k = 0; k < d->batch_count; k++)
		batch_key_add(&key, d->batch_addresses[k],
		    d->recipients[d->batch[k]].key_turn);
	batch_key_text(&key, d->id_text, a->provider->name, a->key);
}

size_t round_batch_size(const struct delivery *d, size_t first)
{
	size_t provider = round_provider_index(d, first), n = 0;
	size_t limit = batch_limit(delivery_provider(d, provider));

	if (d->recipients[first].is_single)
		return 1;
	for (size_t i = first; i < d->count && n < limit; i++)
		n += is_like(d, i, first, provider);
	return n;
}

/* Its gate is open, for so many recipients as its budget allows. */
static void make_batch(struct delivery *d, size_t first)
{
	size_t provider = round_provider_index(d, first);
	const struct config_provider *p = delivery_provider(d, provider);
	uint64_t limit = d->gate.call.share.count;

	gate_hold(d, p);
	d->attempt.provider = p;
	d->attempt.is_pinned = d->recipients[first].is_pinned;
	for (size_t i = first; i < d->count && d->batch_count < limit; i++) {
		if (is_like(d, i, first, provider))
			mark(d, i, p->name);
	}
	make_key(d);
}

/* Its gate is shut, and that for all who would go there. */
static void pass_over(struct delivery *d, size_t first)
{
	size_t provider = round_provider_index(d, first);
	const struct config_provider *p = delivery_provider(d, provider);
	size_t moved = SIZE_MAX;

	gate_tell(d, p);
	for (size_t i = first; i < d->count; i++) {
		if (is_like(d, i, first, provider) && gate_pass_over(d, i))
			moved = i;
	}
	if (moved != SIZE_MAX)
		deliver_count_failover(d, p, moved);
}

static size_t first_open(const struct delivery *d)
{
	size_t i = 0;

	while (i < d->count && !d->targets[i].is_open)
		i++;
	return i;
}

enum round_plan round_plan(struct delivery *d, bool may_queue)
{
	size_t i;

	d->batch_count = 0;
	while ((i = first_open(d)) < d->count) {
		switch (gate_ask(d, i, may_queue)) {
		case GATE_OPEN:
			make_batch(d, i);
			return ROUND_BATCH;
		case GATE_LATER:
			return ROUND_LATER;
		case GATE_SHUT:
			pass_over(d, i);
			break;
		}
	}
	return ROUND_NOTHING;
}

/* --- recording --- */

/* Where no more attempts may begin, or nobody would learn of them. */
static bool must_stop(const struct delivery *d)
{
	return d->owner->is_draining ||
	       (delivery_is_direct(d) && !d->submission);
}

static void on_recorded(struct store_request *r);

/* The same once more: nothing has changed it since. */
static void submit_record(struct delivery *d)
{
	struct store_update *u = &d->request.update;

	u->request.loop = d->owner->services.loop;
	u->request.done = on_recorded;
	int rc = store_update(d->store, u);
	if (rc) {
		u->request.result = rc;
		on_recorded(&u->request);
	}
}

static void on_record_again(struct loop_timer *t)
{
	submit_record(container_of(t, struct delivery, record_again));
}

/* Whether the store may take later what it did not take now with rc. */
static bool may_record_later(const struct delivery *d, int rc)
{
	return rc != -ENOENT && rc != -ECANCELED && !delivery_is_direct(d) &&
	       !d->owner->is_draining;
}

/* As what changed stands now. */
static void fill_values(struct delivery *d)
{
	for (size_t k = 0; k < d->request.update.recipient_count; k++)
		d->values[k] = d->recipients[d->changed[k]];
}

/*
 * What happened is known only here and to the log, and must not be forgotten:
 * recipients that the store has as STARTED would count as unknown when they
 * are read again, and one that was sent might be sent twice. So the message
 * stays at work until it is recorded. No attempt begins without its mark.
 */
static void record_later(struct delivery *d, int rc)
{
	if (!d->is_unrecorded)
		log_error("record_failed", LOG_STR("queue_id", d->id_text),
		    LOG_STR("reason", strerror(-rc)));
	d->is_unrecorded = true;
	operate_recorded(d, may_record_later(d, rc) ? -EINPROGRESS : rc);
	/* The client cannot wait for it, so its sender is told instead. */
	if (accept_owe_again(d))
		fill_values(d);
	if (may_record_later(d, rc)) {
		loop_timer_start(
		    d->owner->services.loop, &d->record_again, RECORD_AGAIN_MS);
		return;
	}
	for (size_t i = 0; i < d->count; i++)
		d->targets[i].is_open = false;
	delivery_finish(d);
}

static void on_recorded(struct store_request *r)
{
	struct delivery *d =
	    container_of(r, struct delivery, request.update.request);

	if (r->result == -EALREADY) {
		accept_keep(d);
		fill_values(d);
		d->request.update.is_refusal = false;
		submit_record(d);
		return;
	}
	if (r->result != 0) {
		record_later(d, r->result);
		return;
	}
	d->is_unrecorded = false;
	d->row_count = 0;
	operate_recorded(d, 0);
	round_go(d);
}

void round_hurry(struct delivery *d)
{
	if (loop_timer_is_armed(&d->record_again))
		loop_timer_start(d->owner->services.loop, &d->record_again, 0);
	gate_hurry(d);
}

static void record(struct delivery *d)
{
	struct store_update *u = &d->request.update;
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (!d->targets[i].is_changed)
			continue;
		d->targets[i].is_changed = false;
		d->changed[count] = i;
		d->values[count] = d->recipients[i];
		count++;
	}
	*u = (struct store_update){ .id = d->id,
		.attempts = d->rows,
		.attempt_count = d->row_count,
		.indices = d->changed,
		.recipients = d->values,
		.recipient_count = count,
		/* What nobody can have is not kept for a person either. */
		.is_refusal = d->is_refusing || d->is_withdrawn || d->is_event,
		.revived_ms = d->revived_ms };
	loop_timer_init(&d->record_again, on_record_again);
	submit_record(d);
}

static bool is_anything_changed(const struct delivery *d)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->targets[i].is_changed)
			return true;
	}
	return d->row_count > 0;
}

void round_close(struct delivery *d)
{
	/* Who was told to come back hears it then. */
	if (!d->submission && !d->is_withdrawn)
		(void)accept_owe_again(d);
	if (is_anything_changed(d))
		record(d);
	else if (!notice_begin(d) && !event_begin(d))
		delivery_finish(d);
}

void round_next(struct delivery *d)
{
	d->batch_count = 0;
	if (must_stop(d))
		outcome_park(d);
	(void)round_plan(d, false);
	accept_review(d, false);
	accept_prepare(d);
	if (is_anything_changed(d))
		record(d);
	else
		round_go(d);
}

void round_seek(struct delivery *d)
{
	if (must_stop(d)) {
		gate_drop(d);
		outcome_park(d);
	}
	if (round_plan(d, true) == ROUND_LATER)
		return;
	accept_review(d, false);
	accept_prepare(d);
	round_close(d);
}

static void begin(struct delivery *d)
{
	switch (gate_begin(d)) {
	case GATE_OPEN:
		attempt_start(d);
		break;
	case GATE_LATER:
		break;
	case GATE_SHUT:
		gate_drop(d);
		attempt_leave(d);
		outcome_unmark(d);
		round_next(d);
		break;
	}
}

void round_go(struct delivery *d)
{
	if (must_stop(d)) {
		/* The mark may be there, but the request will not leave. */
		d->batch_count = 0;
		outcome_park(d);
	}
	if (d->batch_count > 0) {
		begin(d);
		return;
	}
	gate_drop(d);
	if (first_open(d) < d->count)
		round_seek(d);
	else
		round_close(d);
}
