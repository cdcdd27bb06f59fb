/*
 * A message read back from the store: because its time has come, or because
 * the process that had it is gone.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <string.h>

#include <base/clock.h>
#include <base/log.h>

enum {
	/* After a failed read. */
	READ_RETRY_MS = 60 * 1000
};

static void load(struct delivery *d, bool wants_message);

/* A read that brought nothing: forget the message, or try it later. */
static void give_up(struct delivery *d, int rc)
{
	struct deliver *owner = d->owner;
	bool is_over = rc == -ENOENT || rc == -ECANCELED;
	struct id id = d->id;
	int64_t at_ms = clock_wall_ms() + READ_RETRY_MS;
	int priority = d->terms.priority;

	if (!is_over)
		log_error("load_failed", LOG_STR("queue_id", d->id_text),
		    LOG_STR("reason", strerror(-rc)));
	if (d->has_again && d->again_ms < at_ms) {
		at_ms = d->again_ms;
		is_over = false;
	}
	delivery_free(d);
	if (!is_over)
		deliver_wait(owner, id, at_ms, priority);
}

/* The body is not what was stored: a person must look. */
static void hold_all(struct delivery *d)
{
	outcome_set_reason(d, "the stored message is damaged");
	d->last_class = POSTERN_REJECTED;
	log_error("message_damaged", LOG_STR("queue_id", d->id_text),
	    LOG_SPAN("user", d->user));
	for (size_t i = 0; i < d->count; i++) {
		enum store_state state = d->recipients[i].state;

		if (state != STORE_PENDING && state != STORE_STARTED)
			continue;
		if (d->is_event)
			outcome_drop_event(d, i, d->reason);
		else
			outcome_hold(d, i);
	}
}

/* Marked, and nobody here knows how it ended: a crash, or a lost record. */
static void settle_interrupted(struct delivery *d)
{
	size_t count = 0;
	const char *provider = "";

	d->now_ms = clock_wall_ms();
	for (size_t i = 0; i < d->count; i++) {
		struct store_recipient *r = &d->recipients[i];

		if (r->state != STORE_STARTED)
			continue;
		d->targets[i].route = round_route(d, i);
		provider = r->provider;
		outcome_interrupted(d, i);
		count++;
	}
	if (count == 0)
		return;
	if (!d->is_event)
		counter_add(&d->owner->services.counters->unknown, 1);
	log_warn("interrupted", LOG_STR("queue_id", d->id_text),
	    LOG_STR("provider", provider), LOG_NUM("nrcpt", count),
	    LOG_STR("reason", d->reason));
}

int resume_take(struct delivery *d, struct store_entry *e)
{
	d->loaded = e;
	d->user = e->user;
	d->sender = e->sender;
	d->terms = e->terms;
	d->is_report = e->is_report;
	d->is_event = e->is_event;
	d->created_ms = e->created_ms;
	d->recipients = e->recipients;
	d->message = e->message;
	if (d->message)
		*delivery_bytes(d) += message_size(d->message);
	return delivery_reserve(d, e->recipient_count);
}

static void on_loaded(struct store_request *r)
{
	struct delivery *d =
	    container_of(r, struct delivery, request.load.request);
	bool had_message = d->request.load.wants_message;
	int rc = r->result;

	resume_loaded(d);
	deliver_end_turn_later(d->owner); /* there is room to load more */
	if (rc == -EBADMSG && had_message) {
		load(d, false); /* its rows, to say so */
		return;
	}
	if (rc == 0)
		rc = resume_take(d, d->request.load.entry);
	if (rc) {
		give_up(d, rc);
		return;
	}
	if (!had_message) {
		hold_all(d);
	} else {
		settle_interrupted(d);
		round_begin(d);
	}
	round_next(d);
}

static void load(struct delivery *d, bool wants_message)
{
	struct store_load *l = &d->request.load;

	*l = (struct store_load){ .id = d->id, .wants_message = wants_message };
	l->request.loop = d->owner->services.loop;
	l->request.done = on_loaded;
	int rc = store_load(d->store, l);
	if (rc)
		give_up(d, rc);
	else
		resume_loading(d);
}

void resume_loading(struct delivery *d)
{
	d->line->loading++;
}

void resume_loaded(struct delivery *d)
{
	d->line->loading--;
}

struct delivery *resume_new(
    struct deliver *owner, struct id id, struct deliver_line *line)
{
	struct delivery *d = delivery_new(owner, id, owner->config);

	if (!d)
		return NULL;
	d->is_resumed = true;
	d->line = line;
	line->taken++;
	d->mode = CONFIG_MODE_QUEUED;
	d->store = owner->services.store;
	d->is_durable = true;
	return d;
}

void resume_start(struct deliver *owner, struct id id, int priority)
{
	struct delivery *d = NULL;

	if (deliver_is_active(owner, id)) {
		/* In a person's hands: look at it again afterwards. */
		deliver_schedule(owner, id, clock_wall_ms(), priority);
		return;
	}
	d = resume_new(owner, id,
	    priority == STORE_EVENT_PRIORITY ? &owner->events : &owner->mail);
	if (!d) {
		deliver_wait(
		    owner, id, clock_wall_ms() + READ_RETRY_MS, priority);
		return;
	}
	d->terms.priority = priority;
	load(d, true);
}
