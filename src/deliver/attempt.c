/*
 * One call to one provider for one batch: credentials where they must be
 * fetched, build, send, classify. The mark of the batch is durable before
 * this begins. A call that is refused because its credentials are not valid
 * any more was not taken: it is made once more with others.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <string.h>

#include <base/clock.h>
#include <base/log.h>
#include <mail/mime.h>

enum {
	/* A large body may take longer: one second more for each of these. */
	BYTES_PER_EXTRA_SECOND = 512 * 1024,
	/*
	 * Bytes of memory for one of text at most: decoded, as UTF-8, and once
	 * more in the HTML, where a byte may become five.
	 */
	BYTES_PER_TEXT = 7,
	SLICE = 16 /* deliveries that go on in one turn of the loop */
};

static void count_start(const struct delivery *d)
{
	counter_add(&deliver_counter(d, d->attempt.provider)->inflight, 1);
}

static void count_result(const struct delivery *d)
{
	struct counter_provider *c = deliver_counter(d, d->attempt.provider);
	enum postern_class result = d->result.outcome.result;
	uint64_t now = (uint64_t)clock_wall_ms();

	if (result >= POSTERN_ACCEPTED && result <= POSTERN_UNKNOWN)
		counter_add(&c->attempts[result], 1);
	if (result == POSTERN_ACCEPTED || result == POSTERN_REJECTED) {
		counter_set(&c->last_success_ms, now);
		return;
	}
	counter_set(&c->last_error_ms, now);
	counter_set(&c->last_error_class, (uint64_t)result);
}

static void count_end(const struct delivery *d, uint64_t total_ms)
{
	struct counter_provider *c = deliver_counter(d, d->attempt.provider);

	counter_sub(&c->inflight, 1);
	counter_observe_us(&c->latency, total_ms * 1000);
	count_result(d);
}

static void log_attempt(const struct delivery *d, uint64_t total_ms)
{
	const struct postern_outcome *o = &d->result.outcome;

	log_info("attempt", LOG_STR("queue_id", d->id_text),
	    LOG_STR("provider", d->attempt.provider->name),
	    LOG_STR("class", provider_class_name(o->result)),
	    LOG_NUM("status", d->result.status), LOG_NUM("ms", total_ms),
	    LOG_NUM("nrcpt", d->batch_count),
	    LOG_STR("provider_id", o->provider_id),
	    LOG_STR("reason", o->reason));
}

/* --- a turn --- */

/*
 * While a message is taken apart as much memory is set aside for it as it may
 * need when it is all text; then what is known to stay until the answer.
 */
static bool wants_content(const struct delivery *d)
{
	return d->attempt.provider->module->flags & POSTERN_NEEDS_CONTENT;
}

static uint64_t bytes_at_most(const struct delivery *d)
{
	uint64_t size = message_size(d->message);
	uint64_t most = UINT64_C(2) * MIME_TEXT_MAX;
	uint64_t text = size < most ? size : most;

	return size - text + BYTES_PER_TEXT * text;
}

/* One is always taken apart, however large, or it never could be. */
static bool has_room(const struct delivery *d)
{
	uint64_t before = d->owner->content_bytes;

	return before == 0 ||
	       before + bytes_at_most(d) <= d->owner->content_max;
}

static void enter(struct delivery *d)
{
	d->owner->content_bytes -= d->attempt.content_bytes;
	d->attempt.content_bytes = bytes_at_most(d);
	d->owner->content_bytes += d->attempt.content_bytes;
}

/* It is taken apart. */
static void settle(struct delivery *d)
{
	struct attempt *a = &d->attempt;
	struct deliver *owner = d->owner;

	if (a->content_bytes == 0)
		return;
	owner->content_bytes -= a->content_bytes;
	a->content_bytes = provider_call_held(a->call);
	owner->content_bytes += a->content_bytes;
	if (!list_is_empty(&owner->content_queue))
		deliver_end_turn_later(owner);
}

/* False: it waits, behind those that came before. */
static bool take_turn(struct delivery *d)
{
	struct deliver *owner = d->owner;

	if (!wants_content(d) || d->attempt.content_bytes > 0)
		return true;
	if (!list_is_empty(&owner->content_queue) || !has_room(d)) {
		list_append(&owner->content_queue, &d->attempt.turn);
		return false;
	}
	enter(d);
	return true;
}

void attempt_wake(struct deliver *owner)
{
	unsigned count = 0;

	while (!list_is_empty(&owner->content_queue)) {
		struct delivery *d = container_of(
		    owner->content_queue.next, struct delivery, attempt.turn);

		if (!owner->is_draining && !has_room(d))
			return;
		if (count++ == SLICE) {
			deliver_end_turn_later(owner);
			return;
		}
		list_remove(&d->attempt.turn);
		enter(d);
		round_go(d);
	}
}

void attempt_leave(struct delivery *d)
{
	struct deliver *owner = d->owner;

	owner->content_bytes -= d->attempt.content_bytes;
	d->attempt.content_bytes = 0;
	if (!list_is_empty(&owner->content_queue))
		deliver_end_turn_later(owner);
}

static void free_call(struct delivery *d)
{
	provider_call_free(d->attempt.call);
	d->attempt.call = NULL;
	provider_grant_unref(d->attempt.grant);
	d->attempt.grant = NULL;
}

static void drop_call(struct delivery *d)
{
	free_call(d);
	attempt_leave(d);
}

/* --- the call --- */

/* With credentials other than those that were refused. */
static bool may_repeat(const struct delivery *d)
{
	const struct attempt *a = &d->attempt;

	return d->result.outcome.is_grant_stale && a->grant &&
	       !a->is_repeated &&
	       grants_renew(d->owner->grants, a->provider, a->grant);
}

static void ask_grant(struct delivery *d);

static void repeat(struct delivery *d)
{
	d->attempt.is_repeated = true;
	counter_sub(&deliver_counter(d, d->attempt.provider)->inflight, 1);
	free_call(d);
	if (wants_content(d))
		enter(d); /* it is taken apart again */
	ask_grant(d);
}

static void on_response(
    struct http_call *http, const struct http_response *response)
{
	struct delivery *d = container_of(http, struct delivery, attempt.http);
	const struct config_provider *p = d->attempt.provider;
	struct provider_asked asked =
	    provider_call_asked(d->attempt.call, clock_wall_ms() / 1000);

	asked.is_repeat = d->attempt.is_pinned;
	provider_classify(p->module, p->settings, response, &asked,
	    d->rejected_bits, &d->result);
	if (may_repeat(d)) {
		repeat(d);
		return;
	}
	drop_call(d);
	outcome_apply(d);
	gate_leave(d, &d->result.outcome);
	count_end(d, response->total_ms);
	log_attempt(d, response->total_ms);
	round_next(d);
}

static void send(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	memset(&a->http, 0, sizeof(a->http));
	provider_call_http(a->call, &a->http);
	a->http.on_done = on_response;
	a->http.timeout_ms = a->provider->timeout_ms +
			     a->http.body_size / BYTES_PER_EXTRA_SECOND * 1000;
	int rc = http_submit(d->owner->services.http, &a->http);
	if (rc) {
		drop_call(d);
		gate_drop(d);
		outcome_not_sent(d, rc, strerror(-rc));
		round_next(d);
		return;
	}
	count_start(d);
}

/* What became of the build. */
static void go_on(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	if (a->build_rc == 0) {
		settle(d);
		send(d);
		return;
	}
	drop_call(d);
	gate_drop(d);
	if (a->build_rc == -ENOMEM)
		outcome_postpone(d, "out of memory");
	else if (a->build_rc == -E2BIG)
		outcome_go_singly(d);
	else
		outcome_not_sent(d, a->build_rc, a->build_error.text);
	round_next(d);
}

static void build(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	a->build_rc = provider_call_build(a->call, a->provider->module,
	    a->provider->settings, &a->build_error);
}

/* In the pool; nothing else touches the delivery meanwhile. */
static void on_work(struct blocking_job *job)
{
	build(container_of(job, struct delivery, attempt.job));
}

static void on_built(struct blocking_job *job)
{
	go_on(container_of(job, struct delivery, attempt.job));
}

static int build_in_pool(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	a->job = (struct blocking_job){ .loop = d->owner->services.loop,
		.work = on_work,
		.done = on_built };
	return blocking_submit(d->owner->services.pool, &a->job);
}

static bool needs_utf8(const struct delivery *d)
{
	unsigned needs = 0;

	for (size_t k = 0; k < d->batch_count; k++)
		needs |= d->targets[d->batch[k]].needs;
	return needs & POSTERN_CARRIES_UTF8;
}

static void make_call(struct delivery *d)
{
	struct attempt *a = &d->attempt;
	struct provider_input input = { .message = d->message,
		.id = d->id_text,
		.attempt_key = a->key,
		.now = clock_wall_ms() / 1000,
		.sender = d->sender,
		.recipients = d->batch_addresses,
		.recipient_count = d->batch_count,
		.needs_utf8 = needs_utf8(d),
		.grant = a->grant };

	a->build_error = (struct err){ .code = 0 };
	a->call = provider_call_new(&input);
	if (!a->call) {
		drop_call(d);
		gate_drop(d);
		outcome_postpone(d, "out of memory");
		round_next(d);
	} else if (!provider_call_is_heavy(a->provider->module, &input)) {
		build(d);
		go_on(d);
	} else if (build_in_pool(d) != 0) {
		drop_call(d);
		gate_drop(d);
		outcome_postpone(d, "too much work is waiting");
		round_next(d);
	}
}

/* --- credentials --- */

/* The provider was not asked, but it is not to be had either. */
static void give_up(struct delivery *d)
{
	const struct grant_waiter *w = &d->attempt.waiter;
	struct postern_outcome *o = &d->result.outcome;

	memset(&d->result, 0, sizeof(d->result));
	memset(d->rejected_bits, 0, (d->batch_count + 7) / 8);
	o->result = w->result;
	memcpy(o->reason, w->reason, sizeof(o->reason));
	attempt_leave(d);
	outcome_apply(d);
	gate_leave(d, o);
	count_result(d);
	log_attempt(d, 0);
	round_next(d);
}

static void take_grant(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	a->grant = a->waiter.grant;
	if (a->grant)
		make_call(d);
	else
		give_up(d);
}

static void on_grant(struct grant_waiter *w)
{
	take_grant(container_of(w, struct delivery, attempt.waiter));
}

static void ask_grant(struct delivery *d)
{
	struct attempt *a = &d->attempt;

	a->waiter.done = on_grant;
	if (grants_ask(d->owner->grants, d->config, a->provider, &a->waiter))
		take_grant(d);
}

void attempt_start(struct delivery *d)
{
	if (!take_turn(d))
		return;
	d->attempt.began_ns = clock_mono_ns();
	d->attempt.is_repeated = false;
	if (provider_prepares(d->attempt.provider->module))
		ask_grant(d);
	else
		make_call(d);
}
