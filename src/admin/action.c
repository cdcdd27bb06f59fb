/* See action.h: one message. */
#include <admin/action.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <admin/action_internal.h>
#include <admin/admin_internal.h>
#include <admin/reply.h>
#include <base/list.h>

enum {
	REASON_MAX = 160
};

/* By enum deliver_action. */
static const char *const names[] = { "retry", "hold", "release", "expire",
	"drop", "requeue" };

enum {
	NAMES = sizeof(names) / sizeof(names[0])
};

/* Owned by itself until it is done. */
struct one {
	struct pending pending;
	struct admin_operation operation;
};

const char *action_name(enum deliver_action what)
{
	return names[what];
}

int action_parse(struct action *a, const struct httpd_request *r,
    struct span name, const char *reason, struct err *e)
{
	unsigned uid = 0;
	size_t i = 0;
	char who[32] = "operator";

	while (i < NAMES && !span_eq(name, span_of(names[i])))
		i++;
	if (i == NAMES)
		return err_set(e, -ENOENT, "there is no such action");
	a->what = (enum deliver_action)i;
	if (a->is_forced && a->what != DELIVER_RETRY)
		return err_set(e, -EINVAL, "force is for retry only");
	if (reason && span_of(reason).len > REASON_MAX)
		return err_set(
		    e, -EINVAL, "a reason has at most %d bytes", REASON_MAX);
	if (httpd_peer_uid(r, &uid))
		(void)snprintf(who, sizeof(who), "operator (uid %u)", uid);
	(void)snprintf(a->note, sizeof(a->note), "%s: %s%s%s%s", who, names[i],
	    a->is_forced ? ", forced" : "", reason && *reason ? ": " : "",
	    reason ? reason : "");
	return 0;
}

/* --- one message --- */

static void answer_done(
    struct httpd_request *r, const struct one *o, int status)
{
	char id[ID_TEXT_SIZE];

	id_format(o->operation.op.id, id);
	reply_json(r, status,
	    json_pack("{s:s, s:s, s:I, s:b}", "id", id, "action",
		action_name(o->operation.op.action), "changed",
		(json_int_t)o->operation.op.changed, "recorded",
		(int)(status == 200)));
}

static void answer(struct httpd_request *r, const struct one *o)
{
	switch (o->operation.op.result) {
	case 0:
		answer_done(r, o, 200);
		break;
	case -EINPROGRESS:
		answer_done(r, o, 202);
		break;
	case -ENOENT:
		reply_error(r, 404, "no message in the queue has this id");
		break;
	case -EALREADY:
		reply_error(
		    r, 409, "none of its recipients is in a state for that");
		break;
	case -EBUSY:
		reply_error(
		    r, 409, "the message is being delivered now: try again");
		break;
	case -EBADMSG:
		reply_error(
		    r, 409, "the stored message is damaged: hold or drop it");
		break;
	case -ENODATA:
		reply_error(r, 409,
		    "its content is not kept any more (queue.dead): who sent "
		    "it must send it again");
		break;
	case -ECANCELED:
		reply_error(r, 503, "the server is shutting down");
		break;
	default:
		reply_error(r, 503, "the store cannot do that now");
	}
}

static void on_done(struct admin_operation *operation)
{
	struct one *o = container_of(operation, struct one, operation);

	if (o->pending.r)
		answer(o->pending.r, o);
	free(o);
}

/* {"reason": "...", "force": true}, both optional, or nothing. */
static int parse_body(
    struct httpd_request *r, struct span name, struct action *a, struct err *e)
{
	struct span body = httpd_body(r);
	const char *reason = NULL;
	int force = 0, rc;
	json_t *value =
	    body.len ? json_loadb(body.ptr, body.len, 0, NULL) : json_object();

	if (!value || json_unpack(value, "{s?s, s?b !}", "reason", &reason,
			  "force", &force) != 0) {
		json_decref(value);
		return err_set(e, -EINVAL,
		    "the body is a JSON object with reason and force at most");
	}
	a->is_forced = force;
	rc = action_parse(a, r, name, reason, e);
	json_decref(value);
	return rc;
}

static int parse(
    struct httpd_request *r, struct id *id, struct action *a, struct err *e)
{
	struct span path =
	    span_from(span_of(httpd_path(r)), sizeof(ACTION_PATH) - 1);
	ptrdiff_t slash = span_index(path, '/');

	if (slash < 0)
		return err_set(e, -ENOENT, "there is nothing at this path");
	if (id_parse(span_first(path, (size_t)slash), id) != 0)
		return err_set(e, -EINVAL, "this is not a message id");
	return parse_body(r, span_from(path, (size_t)slash + 1), a, e);
}

void action_one(struct admin *a, struct httpd_request *r)
{
	struct action action = { .what = DELIVER_RETRY };
	struct err e = { 0 };
	struct id id;
	int rc = parse(r, &id, &action, &e);
	struct one *o = rc ? NULL : calloc(1, sizeof(*o));

	if (!o) {
		reply_error(r,
		    rc == -ENOENT ? 404
		    : rc          ? 400
				  : 503,
		    rc ? e.text : "out of memory");
		return;
	}
	o->pending.r = r;
	o->operation.op = (struct deliver_operation){
		.id = id, .action = action.what, .is_forced = action.is_forced
	};
	memcpy(o->operation.op.note, action.note, sizeof(action.note));
	o->operation.done = on_done;
	httpd_set_data(r, &o->pending);
	a->services.operate(&o->operation, a->services.ctx);
}
