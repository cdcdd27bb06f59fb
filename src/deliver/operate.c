/*
 * See operate.h. An operation is a delivery without an attempt: it is in the
 * active set meanwhile, so that nobody else works on the message.
 */
#include <deliver/operate.h>

#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/log.h>

static const char *action_name(enum deliver_action action)
{
	switch (action) {
	case DELIVER_RETRY:
		return "retry";
	case DELIVER_HOLD:
		return "hold";
	case DELIVER_RELEASE:
		return "release";
	case DELIVER_EXPIRE:
		return "expire";
	case DELIVER_DROP:
		return "drop";
	case DELIVER_REQUEUE:
		return "requeue";
	}
	return "";
}

static void answer(struct deliver_operation *op, int rc)
{
	op->result = rc;
	op->done(op);
}

void operate_recorded(struct delivery *d, int rc)
{
	struct deliver_operation *op = d->operation;

	if (!op)
		return;
	d->operation = NULL;
	if (rc == 0 || rc == -EINPROGRESS)
		log_info("operator", LOG_STR("queue_id", d->id_text),
		    LOG_STR("action", action_name(op->action)),
		    LOG_NUM("nrcpt", op->changed), LOG_STR("reason", op->note),
		    LOG_SPAN("user", d->user));
	answer(op, rc);
}

/* Nothing of it happens. */
static void refuse(struct delivery *d, int rc)
{
	struct deliver *owner = d->owner;
	struct deliver_operation *op = d->operation;
	struct id id = d->id;
	int64_t again_ms = d->has_again ? d->again_ms : INT64_MAX;
	int priority = d->terms.priority;

	d->operation = NULL;
	delivery_free(d);
	if (again_ms != INT64_MAX)
		deliver_wait(owner, id, again_ms, priority);
	answer(op, rc);
}

/* --- what becomes of a recipient --- */

static bool is_meant(
    const struct deliver_operation *op, const struct store_recipient *r)
{
	bool waits = r->state == STORE_PENDING,
	     is_held = r->state == STORE_HELD;

	switch (op->action) {
	case DELIVER_RETRY:
		return waits || (is_held && op->is_forced);
	case DELIVER_HOLD:
		return waits;
	case DELIVER_RELEASE:
		return is_held;
	case DELIVER_EXPIRE:
	case DELIVER_DROP:
		return waits || is_held;
	case DELIVER_REQUEUE:
		return r->state == STORE_FAILED || r->state == STORE_BOUNCED;
	}
	return false;
}

static void apply_to(struct delivery *d, size_t i)
{
	const struct deliver_operation *op = d->operation;

	switch (op->action) {
	case DELIVER_RETRY:
		outcome_release(d, i, op->is_forced);
		break;
	case DELIVER_RELEASE:
		outcome_release(d, i, false);
		break;
	case DELIVER_HOLD:
		outcome_hold(d, i);
		break;
	case DELIVER_EXPIRE:
		outcome_expire(d, i);
		break;
	case DELIVER_DROP:
		outcome_drop(d, i);
		break;
	case DELIVER_REQUEUE:
		outcome_revive(d, i);
		break;
	}
	outcome_note_operator(d, i);
}

/*
 * How it ended is to be settled first. So is who must hear that it failed: sent
 * anew it would owe the next news instead. That takes moments, or a minute
 * where the store is in trouble.
 */
static bool is_unsettled(
    const struct deliver_operation *op, const struct store_recipient *r)
{
	if (op->action == DELIVER_REQUEUE &&
	    (r->state == STORE_FAILED_OWED ||
		(r->owes_event && is_meant(op, r))))
		return true;
	return r->state == STORE_STARTED;
}

static int apply(struct delivery *d)
{
	struct deliver_operation *op = d->operation;

	for (size_t i = 0; i < d->count; i++)
		if (is_unsettled(op, &d->recipients[i]))
			return -EBUSY;
	outcome_set_reason(d, op->note);
	d->last_class = POSTERN_REJECTED;
	d->now_ms = clock_wall_ms();
	op->changed = 0;
	for (size_t i = 0; i < d->count; i++) {
		if (!is_meant(op, &d->recipients[i]))
			continue;
		apply_to(d, i);
		op->changed++;
	}
	if (op->changed > 0 && op->action == DELIVER_REQUEUE)
		d->revived_ms = d->now_ms;
	return op->changed > 0 ? 0 : -EALREADY;
}

/* Only its rows are there: why nothing of it can be sent. */
static int judge_rows(const struct delivery *d)
{
	if (d->operation->action != DELIVER_REQUEUE)
		return -ENOENT;
	for (size_t i = 0; i < d->count; i++)
		if (is_meant(d->operation, &d->recipients[i]))
			return -ENODATA;
	return -EALREADY;
}

/* --- reading it --- */

static void load(struct delivery *d, bool wants_message);

/* Without its content it can neither be sent nor reported. */
static bool needs_message(enum deliver_action action)
{
	return action != DELIVER_DROP && action != DELIVER_HOLD;
}

/* The rows say more where the content cannot be had. */
static bool may_do_without(enum deliver_action action, int rc)
{
	return (rc == -EBADMSG && !needs_message(action)) ||
	       (rc == -ENOENT && action == DELIVER_REQUEUE);
}

static void on_loaded(struct store_request *r)
{
	struct delivery *d =
	    container_of(r, struct delivery, request.load.request);
	bool has_asked_all = d->request.load.wants_message;
	int rc = r->result;

	resume_loaded(d);
	deliver_end_turn_later(d->owner);
	if (has_asked_all && may_do_without(d->operation->action, rc)) {
		load(d, false);
		return;
	}
	if (rc == 0)
		rc = resume_take(d, d->request.load.entry);
	if (rc == 0 && !has_asked_all && needs_message(d->operation->action))
		rc = judge_rows(d);
	else if (rc == 0)
		rc = apply(d);
	if (rc)
		refuse(d, rc);
	else
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
		refuse(d, rc);
	else
		resume_loading(d);
}

void deliver_operate(struct deliver *owner, struct deliver_operation *op)
{
	struct delivery *d = NULL;

	op->changed = 0;
	if (owner->is_draining) {
		answer(op, -ECANCELED);
		return;
	}
	if (deliver_is_active(owner, op->id)) {
		answer(op, -EBUSY);
		return;
	}
	d = resume_new(owner, op->id, &owner->mail);
	if (!d) {
		answer(op, -ENOMEM);
		return;
	}
	d->operation = op;
	load(d, true);
}
