/*
 * Telling the sender: what recipients owe at the end of a round becomes one
 * report per kind (RFC 3464), a message of its own on the route of dsn. The
 * ledger says what happened; the report is stored, then its recipients are
 * marked as told. Its id follows from them, so that a crash in between makes
 * the same report again, and the store knows it already.
 *
 * None is made where the client heard it itself, for mail without a sender
 * and for reports, so that none answers another (RFC 5321 6.1).
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/hash.h>
#include <base/jumps.h>
#include <base/log.h>
#include <policy/throttle.h>

enum {
	/* After the store could not read or write. */
	NOTICE_AGAIN_MS = 60 * 1000
};

static bool is_possible(const struct delivery *d)
{
	return d->config->dsn.route.providers.count > 0 && d->sender.len > 0 &&
	       !d->is_report && !delivery_is_direct(d);
}

bool notice_is_wanted(
    const struct delivery *d, size_t i, enum envelope_notify what)
{
	unsigned notify = d->recipients[i].notify;

	/* RFC 3461 5.2.6: of failures also when nothing was said. */
	if (notify == 0)
		notify = ENVELOPE_NOTIFY_FAILURE;
	return (notify & (unsigned)what) && is_possible(d);
}

bool notice_of_delay_is_wanted(const struct delivery *d, size_t i)
{
	uint64_t after = d->config->dsn.delay_after_ms;
	int64_t age = jumps_age_ms(delivery_begins_ms(d));

	return after > 0 && age >= (int64_t)after &&
	       !d->recipients[i].is_told &&
	       notice_is_wanted(d, i, ENVELOPE_NOTIFY_DELAY);
}

static bool is_of(const struct delivery *d, size_t i, enum report_action action)
{
	enum store_state state = d->recipients[i].state;

	switch (action) {
	case REPORT_FAILED:
		return state == STORE_FAILED_OWED;
	case REPORT_RELAYED:
		return state == STORE_SENT_OWED;
	case REPORT_DELAYED:
		break;
	}
	return state == STORE_PENDING && d->targets[i].owes_delay;
}

static bool find_action(const struct delivery *d, enum report_action *out)
{
	static const enum report_action actions[] = { REPORT_FAILED,
		REPORT_RELAYED, REPORT_DELAYED };

	for (size_t k = 0; k < sizeof(actions) / sizeof(actions[0]); k++) {
		*out = actions[k];
		for (size_t i = 0; i < d->count; i++) {
			if (is_of(d, i, actions[k]))
				return true;
		}
	}
	return false;
}

/* --- the end of it --- */

static void settle(struct delivery *d, size_t i, bool is_told)
{
	struct store_recipient *r = &d->recipients[i];

	d->targets[i].owes_delay = false;
	d->targets[i].is_changed = true;
	if (r->state == STORE_FAILED_OWED)
		r->state = is_told ? STORE_BOUNCED : STORE_FAILED;
	else if (r->state == STORE_SENT_OWED)
		r->state = STORE_SENT;
	else
		r->is_told = true;
}

/* Nobody owes it any more; round.c records that and comes back for more. */
static void settle_all(struct delivery *d, bool is_told)
{
	for (size_t i = 0; i < d->count; i++) {
		if (is_of(d, i, d->notice.action))
			settle(d, i, is_told);
	}
	round_close(d);
}

/* It is still owed, and made when the store can. */
static void postpone(struct delivery *d, int rc)
{
	log_error("dsn_failed", LOG_STR("queue_id", d->id_text),
	    LOG_STR("reason", strerror(-rc)));
	deliver_schedule(d->owner, d->id, clock_wall_ms() + NOTICE_AGAIN_MS,
	    d->terms.priority);
	delivery_finish(d);
}

static void on_stored(struct store_request *request)
{
	struct delivery *d =
	    container_of(request, struct delivery, request.accept.request);
	struct notice *n = &d->notice;
	int rc = request->result;
	char id[ID_TEXT_SIZE];

	message_unref(n->entry.message);
	/* Known: made before a crash, and perhaps delivered already. */
	if (rc && rc != -EEXIST) {
		postpone(d, rc);
		return;
	}
	id_format(n->entry.id, id);
	if (rc == 0) {
		counter_add(
		    &d->owner->services.counters->dsn_sent[n->action], 1);
		log_info("dsn_sent", LOG_STR("queue_id", d->id_text),
		    LOG_STR("report_id", id),
		    LOG_STR("action", report_action_name(n->action)),
		    LOG_NUM("nrcpt", n->count), LOG_SPAN("user", d->user));
		deliver_schedule(
		    d->owner, n->entry.id, d->now_ms, n->entry.terms.priority);
	}
	settle_all(d, true);
}

/* --- the report --- */

const char *notice_status(const struct delivery *d, enum report_action action,
    const struct store_attempt *last)
{
	static const char *const refused[] = {
		[POSTERN_REFUSED_MESSAGE] = "5.6.0",
		[POSTERN_REFUSED_SIZE] = "5.3.4",
		[POSTERN_REFUSED_RECIPIENT] = "5.1.1",
		[POSTERN_REFUSED_SUPPRESSED] = "5.7.1",
	};
	int64_t age = jumps_age_ms(delivery_begins_ms(d));

	if (action == REPORT_RELAYED)
		return "2.0.0";
	if (last && last->result == POSTERN_REJECTED)
		return refused[last->refusal];
	if (last && last->result == POSTERN_UNKNOWN &&
	    age < (int64_t)d->config->queue.max_age_ms)
		return action == REPORT_DELAYED ? "4.4.0" : "5.4.0";
	return "4.4.7";
}

static void describe(const struct delivery *d, size_t i,
    const struct store_attempt *last, struct report_recipient *out)
{
	const struct store_recipient *r = &d->recipients[i];

	*out = (struct report_recipient){ .address = r->address,
		.orcpt = r->orcpt,
		.status = notice_status(d, d->notice.action, last) };
	if (!last)
		return;
	out->provider = span_of(last->provider);
	out->http_status = last->status;
	out->reason = last->reason;
	out->last_attempt_ms = last->at_ms;
}

/* With the last attempt for each; the ledger is in order. 0 or -ENOMEM. */
static int describe_all(struct delivery *d, const struct store_find *f,
    struct report_recipient **out)
{
	size_t count = 0;
	const struct store_attempt **last =
	    calloc(d->count, sizeof(struct store_attempt *));
	struct report_recipient *list = calloc(d->count, sizeof(*list));

	if (!last || !list) {
		free(last);
		free(list);
		return -ENOMEM;
	}
	for (size_t k = 0; k < f->attempt_count; k++) {
		if (f->attempts[k].is_operator)
			continue; /* who gave it up is not the sender's */
		last[f->attempts[k].recipient] = &f->attempts[k];
	}
	for (size_t i = 0; i < d->count; i++) {
		if (is_of(d, i, d->notice.action))
			describe(d, i, last[i], &list[count++]);
	}
	free(last);
	d->notice.count = count;
	*out = list;
	return 0;
}

static int compose(struct delivery *d, const struct store_find *f)
{
	struct notice *n = &d->notice;
	struct report_recipient *list;
	char id[ID_TEXT_SIZE];
	int rc = describe_all(d, f, &list);

	if (rc)
		return rc;
	id_format(n->entry.id, id);
	struct report report = { .action = n->action,
		.hostname = d->config->hostname,
		.from = d->config->dsn.from,
		.id = id,
		.subject_id = d->id_text,
		.to = d->sender,
		.terms = &d->terms,
		.now_ms = d->now_ms,
		.arrival_ms = d->created_ms,
		.until_ms = delivery_begins_ms(d) +
			    (int64_t)d->config->queue.max_age_ms,
		.original = d->message,
		.recipients = list,
		.recipient_count = n->count };
	rc = report_compose(&report, &n->entry.message);
	free(list);
	return rc;
}

/*
 * The same for the same recipients of the same message, and another when a
 * person has had it sent anew.
 */
static int make_id(struct delivery *d)
{
	uint8_t digest[HASH_SHA256_SIZE];
	struct hash_sha256 *h = hash_sha256_new();

	if (!h)
		return -ENOMEM;
	hash_sha256_add(h, &d->notice.action, sizeof(d->notice.action));
	for (size_t i = 0; i < d->count; i++) {
		uint16_t turn = d->recipients[i].key_turn;
		uint8_t bytes[2];

		if (!is_of(d, i, d->notice.action))
			continue;
		hash_sha256_add(h, &i, sizeof(i));
		hash_sha256_add(h, bytes, delivery_turn(turn, bytes));
	}
	hash_sha256_end(h, digest);
	d->notice.entry.id =
	    id_derive(d->id, span_make(digest, sizeof(digest)));
	return 0;
}

static void store_it(struct delivery *d)
{
	struct notice *n = &d->notice;
	struct store_accept *a = &d->request.accept;

	n->recipient = (struct store_recipient){ .address = d->sender,
		.due_ms = d->now_ms,
		.orcpt = SPAN(""),
		.notify = ENVELOPE_NOTIFY_NEVER };
	n->entry.created_ms = d->now_ms;
	n->entry.user = d->user;
	n->entry.sender = SPAN("");
	n->entry.message_id = accept_message_id(n->entry.message);
	n->entry.terms = (struct envelope_terms){ .is_utf8 = d->terms.is_utf8,
		.body = ENVELOPE_BODY_8BITMIME,
		.envid = SPAN("") };
	n->entry.is_report = true;
	n->entry.traits = message_traits(n->entry.message);
	n->entry.recipients = &n->recipient;
	n->entry.recipient_count = 1;
	*a = (struct store_accept){ .entry = &n->entry };
	a->request.loop = d->owner->services.loop;
	a->request.done = on_stored;
	int rc = store_accept(d->store, a);
	if (rc) {
		a->request.result = rc;
		on_stored(&a->request);
	}
}

static void on_found(struct store_request *request)
{
	struct delivery *d =
	    container_of(request, struct delivery, request.find.request);
	struct store_find *f = &d->request.find;
	int rc = request->result;

	if (rc == 0)
		rc = make_id(d);
	if (rc == 0)
		rc = compose(d, f);
	store_find_finish(f);
	if (rc == -EBADMSG || rc == -EMSGSIZE)
		settle_all(d, false);
	else if (rc)
		postpone(d, rc);
	else
		store_it(d);
}

static void look_up(struct delivery *d)
{
	struct store_find *f = &d->request.find;

	*f = (struct store_find){ .id = d->id };
	f->request.loop = d->owner->services.loop;
	f->request.done = on_found;
	int rc = store_find(d->store, f);
	if (rc)
		postpone(d, rc);
}

static bool is_held_back(const struct delivery *d)
{
	return !throttle_take(d->owner->services.reports, d->sender,
	    &d->config->dsn.rate, clock_mono_ms());
}

bool notice_begin(struct delivery *d)
{
	const char *why = NULL;

	if (d->owner->is_draining || d->is_unrecorded ||
	    !find_action(d, &d->notice.action))
		return false;
	d->notice.entry = (struct store_entry){ .recipient_count = 0 };
	d->now_ms = clock_wall_ms();
	if (!d->message)
		why = "the message is damaged";
	else if (!is_possible(d))
		why = "reports are no longer configured";
	else if (is_held_back(d))
		why = "the sender had too many reports";
	if (!why) {
		look_up(d);
		return true;
	}
	log_warn("dsn_dropped", LOG_STR("queue_id", d->id_text),
	    LOG_STR("action", report_action_name(d->notice.action)),
	    LOG_STR("reason", why), LOG_SPAN("user", d->user));
	settle_all(d, false);
	return true;
}
