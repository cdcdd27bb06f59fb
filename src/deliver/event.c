/*
 * Telling the webhook: what recipients owe at the end of a round becomes
 * events, small messages of their own whose content is JSON, which the same
 * machinery delivers to the provider behind `webhook`. As with reports the
 * ledger says what happened, an event is stored, then its recipients are
 * marked as told; its id follows from them, so that a crash in between makes
 * the same event again, and the store knows it already.
 *
 * That a message was sent or has failed is owed in the store, from the record
 * of that on. That it waits is said once, at the end of the first round that
 * leaves it waiting; a crash puts it off to the next one, if it then waits.
 * An event is never the subject of another, nor is a report.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/log.h>

enum {
	/* After the store could not read or write. */
	EVENT_AGAIN_MS = 60 * 1000
};

static bool is_of_user(const struct postern_list *users, struct span user)
{
	for (size_t i = 0; i < users->count; i++) {
		if (span_ieq(span_of(CONFIG_STRING(*users, i)), user))
			return true;
	}
	return users->count == 0;
}

bool event_is_wanted(const struct delivery *d, enum event_type type)
{
	const struct config_webhook *w = &d->config->webhook;

	return (w->wanted >> type & 1) && config_webhook(d->config) &&
	       !d->is_event && !d->is_report && is_of_user(&w->users, d->user);
}

enum event_type event_type_of(const struct delivery *d)
{
	return event_type_parse(d->recipients[0].address);
}

/* --- what is owed --- */

static bool is_owed(const struct delivery *d, size_t i, enum event_type type)
{
	const struct store_recipient *r = &d->recipients[i];
	bool is_sent = r->state == STORE_SENT || r->state == STORE_SENT_OWED;
	bool is_failed = r->state == STORE_FAILED ||
			 r->state == STORE_FAILED_OWED ||
			 r->state == STORE_BOUNCED;

	switch (type) {
	case EVENT_SENT:
		return r->owes_event && is_sent;
	case EVENT_FAILED:
		return r->owes_event && is_failed;
	case EVENT_DEFERRED:
		break;
	}
	return r->state == STORE_PENDING && d->targets[i].owes_deferred;
}

static bool find_type(const struct delivery *d, enum event_type *out)
{
	static const enum event_type types[] = { EVENT_FAILED, EVENT_SENT,
		EVENT_DEFERRED };

	for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
		*out = types[k];
		for (size_t i = 0; i < d->count; i++) {
			if (is_owed(d, i, types[k]))
				return true;
		}
	}
	return false;
}

/* The first max recipients that owe it are as told. */
static void settle(struct delivery *d, enum event_type type, size_t max)
{
	for (size_t i = 0; i < d->count && max > 0; i++) {
		if (!is_owed(d, i, type))
			continue;
		if (type == EVENT_DEFERRED)
			d->recipients[i].was_deferred = true;
		d->targets[i].owes_deferred = false;
		d->recipients[i].owes_event = false;
		d->targets[i].is_changed = true;
		max--;
	}
}

static void settle_all(struct delivery *d)
{
	settle(d, EVENT_FAILED, d->count);
	settle(d, EVENT_SENT, d->count);
	settle(d, EVENT_DEFERRED, d->count);
}

void event_finish(struct delivery *d)
{
	store_find_finish(&d->event.ledger);
	free(d->event.last);
	d->event.last = NULL;
}

/*
 * It is still owed, and made when the store can. Memory keeps nothing: of mail
 * in direct mode it is lost.
 */
static void postpone(struct delivery *d, int rc)
{
	log_error("event_failed", LOG_STR("queue_id", d->id_text),
	    LOG_STR("reason", strerror(-rc)));
	event_finish(d);
	if (delivery_is_direct(d)) {
		settle_all(d);
		round_close(d);
		return;
	}
	deliver_schedule(d->owner, d->id, clock_wall_ms() + EVENT_AGAIN_MS,
	    d->terms.priority);
	delivery_finish(d);
}

/* --- one event --- */

static enum report_action action_of(enum event_type type)
{
	switch (type) {
	case EVENT_SENT:
		return REPORT_RELAYED;
	case EVENT_DEFERRED:
		return REPORT_DELAYED;
	case EVENT_FAILED:
		break;
	}
	return REPORT_FAILED;
}

static const char *result_of(const struct store_attempt *last)
{
	return last->is_operator ? "operator"
				 : provider_class_name(last->result);
}

static void describe(
    const struct delivery *d, size_t i, struct event_recipient *out)
{
	const struct store_recipient *r = &d->recipients[i];
	const struct store_attempt *last = d->event.last[i];
	bool is_judged = last && !last->is_operator;

	*out = (struct event_recipient){ .address = r->address,
		.state = store_state_name(r->state),
		.attempts = r->attempts,
		.provider = span_of(r->provider),
		.enhanced_status = notice_status(
		    d, action_of(d->event.type), is_judged ? last : NULL),
		.next_ms = r->state == STORE_PENDING ? r->due_ms : 0 };
	if (!last)
		return;
	out->provider_id = last->provider_id;
	out->result = result_of(last);
	out->status = last->status;
	out->reason = last->reason;
	out->at_ms = last->at_ms;
}

/* The same for the same news of the same message. */
static int make_id(struct delivery *d, const size_t *indices)
{
	uint8_t digest[HASH_SHA256_SIZE];
	struct hash_sha256 *h = hash_sha256_new();
	const char *name = event_type_name(d->event.type);

	if (!h)
		return -ENOMEM;
	hash_sha256_add(h, name, strlen(name));
	for (size_t k = 0; k < d->event.count; k++) {
		size_t i = indices[k];
		const struct store_recipient *r = &d->recipients[i];
		uint8_t bytes[2];
		size_t len;

		hash_sha256_add(h, &i, sizeof(i));
		hash_sha256_add(h, &r->attempts, sizeof(r->attempts));
		len = delivery_turn(r->key_turn, bytes);
		hash_sha256_add(h, bytes, len > 0 ? len : 1);
	}
	hash_sha256_end(h, digest);
	d->event.entry.id = id_derive(d->id, span_make(digest, sizeof(digest)));
	return 0;
}

static int compose(struct delivery *d)
{
	struct event_maker *m = &d->event;
	struct event_recipient list[EVENT_RECIPIENTS_MAX];
	size_t indices[EVENT_RECIPIENTS_MAX];
	char id[ID_TEXT_SIZE];

	m->count = 0;
	for (size_t i = 0; i < d->count && m->count < EVENT_RECIPIENTS_MAX;
	     i++) {
		if (!is_owed(d, i, m->type))
			continue;
		describe(d, i, &list[m->count]);
		indices[m->count++] = i;
	}
	m->entry = (struct store_entry){ .created_ms = d->now_ms };
	int rc = make_id(d, indices);
	if (rc)
		return rc;
	id_format(m->entry.id, id);
	struct event e = { .type = m->type,
		.id = id,
		.queue_id = d->id_text,
		.message_id = m->ledger.entry->message_id,
		.user = d->user,
		.sender = d->sender,
		.created_ms = d->created_ms,
		.now_ms = d->now_ms,
		.recipient_total = d->count,
		.recipients = list,
		.recipient_count = m->count };
	return event_compose(&e, &m->entry.message);
}

static void make_next(struct delivery *d);

static void on_stored(struct store_request *request)
{
	struct delivery *d =
	    container_of(request, struct delivery, request.accept.request);
	struct event_maker *m = &d->event;
	int rc = request->result;
	char id[ID_TEXT_SIZE];

	message_unref(m->entry.message);
	/* Known: made before a crash, and perhaps delivered already. */
	if (rc && rc != -EEXIST) {
		postpone(d, rc);
		return;
	}
	if (rc == 0) {
		id_format(m->entry.id, id);
		counter_add(
		    &d->owner->services.counters
			 ->webhook_events[m->type][COUNTER_EVENT_QUEUED],
		    1);
		log_info("event_queued", LOG_STR("queue_id", d->id_text),
		    LOG_STR("event_id", id),
		    LOG_STR("type", event_type_name(m->type)),
		    LOG_NUM("nrcpt", m->count), LOG_SPAN("user", d->user));
		deliver_schedule(
		    d->owner, m->entry.id, d->now_ms, m->entry.terms.priority);
	}
	settle(d, m->type, m->count);
	make_next(d);
}

/*
 * In the durable store also of mail in direct mode, which is not there: an
 * event has nothing of its content.
 */
static void store_it(struct delivery *d)
{
	struct event_maker *m = &d->event;
	struct store_accept *a = &d->request.accept;

	m->recipient = (struct store_recipient){ .address = span_of(
						     event_type_name(m->type)),
		.due_ms = d->now_ms,
		.orcpt = SPAN(""),
		.notify = ENVELOPE_NOTIFY_NEVER };
	m->entry.user = d->user;
	m->entry.sender = SPAN("");
	m->entry.message_id = m->ledger.entry->message_id;
	m->entry.terms = (struct envelope_terms){ .envid = SPAN(""),
		.priority = STORE_EVENT_PRIORITY };
	m->entry.is_event = true;
	m->entry.recipients = &m->recipient;
	m->entry.recipient_count = 1;
	*a = (struct store_accept){ .entry = &m->entry };
	a->request.loop = d->owner->services.loop;
	a->request.done = on_stored;
	int rc = store_accept(d->owner->services.store, a);
	if (rc) {
		a->request.result = rc;
		on_stored(&a->request);
	}
}

static void make_next(struct delivery *d)
{
	if (!find_type(d, &d->event.type)) {
		event_finish(d);
		round_close(d);
		return;
	}
	int rc = compose(d);
	if (rc)
		postpone(d, rc);
	else
		store_it(d);
}

/* --- the ledger --- */

/* The last row of each recipient; they are in order. 0 or -ENOMEM. */
static int find_last(struct delivery *d)
{
	const struct store_find *f = &d->event.ledger;

	d->event.last = calloc(d->count, sizeof(struct store_attempt *));
	if (!d->event.last)
		return -ENOMEM;
	for (size_t k = 0; k < f->attempt_count; k++)
		d->event.last[f->attempts[k].recipient] = &f->attempts[k];
	return 0;
}

static void on_found(struct store_request *request)
{
	struct delivery *d =
	    container_of(request, struct delivery, event.ledger.request);
	int rc = request->result;

	if (rc == 0)
		rc = find_last(d);
	if (rc)
		postpone(d, rc);
	else
		make_next(d);
}

static void look_up(struct delivery *d)
{
	struct store_find *f = &d->event.ledger;

	*f = (struct store_find){ .id = d->id };
	f->request.loop = d->owner->services.loop;
	f->request.done = on_found;
	int rc = store_find(d->store, f);
	if (rc)
		postpone(d, rc);
}

bool event_begin(struct delivery *d)
{
	/* What is durable is made at the next start. */
	bool is_late = d->owner->is_draining && !delivery_is_direct(d);

	if (is_late || d->is_unrecorded || !find_type(d, &d->event.type))
		return false;
	d->now_ms = clock_wall_ms();
	/* No client waits for a program to be told. */
	if (delivery_is_direct(d))
		accept_review(d, true);
	if (config_webhook(d->config)) {
		look_up(d);
		return true;
	}
	log_warn("event_dropped", LOG_STR("queue_id", d->id_text),
	    LOG_STR("reason", "no webhook is configured any more"),
	    LOG_SPAN("user", d->user));
	settle_all(d);
	round_close(d);
	return true;
}
