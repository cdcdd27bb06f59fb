/*
 * See lookup.h. The durable store is asked first, then the volatile one,
 * which knows messages of direct mode while they are under way.
 */
#include <admin/lookup.h>

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include <admin/admin.h>
#include <admin/reply.h>
#include <base/id.h>
#include <base/list.h>
#include <provider/provider.h>
#include <store/store.h>

/* Owned by itself from lookup_start to the reply. */
struct lookup {
	struct store_find find;
	struct store *next; /* to ask when the first does not know, or NULL */
	struct httpd_request *r;
};

const char *lookup_kind(const struct store_entry *e)
{
	if (e->is_event)
		return "event";
	return e->is_report ? "report" : "mail";
}

/* Null where the client said nothing. */
static json_t *said(struct span text)
{
	return text.len > 0 ? reply_string(text) : json_null();
}

/* NOTIFY (RFC 3461), likewise. */
static json_t *notify(unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ ENVELOPE_NOTIFY_NEVER, "never" },
		{ ENVELOPE_NOTIFY_SUCCESS, "success" },
		{ ENVELOPE_NOTIFY_FAILURE, "failure" },
		{ ENVELOPE_NOTIFY_DELAY, "delay" },
	};
	json_t *list = bits ? json_array() : json_null();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (bits & words[i].bit)
			(void)json_array_append_new(
			    list, json_string(words[i].word));
	return list;
}

static json_t *ret(enum envelope_ret value)
{
	switch (value) {
	case ENVELOPE_RET_FULL:
		return json_string("full");
	case ENVELOPE_RET_HDRS:
		return json_string("hdrs");
	case ENVELOPE_RET_UNSAID:
		break;
	}
	return json_null();
}

json_t *lookup_recipient(const struct store_recipient *to)
{
	int64_t next = to->state == STORE_PENDING ? to->due_ms : 0;

	return json_pack("{s:o, s:s, s:I, s:o, s:b, s:o, s:o, s:o}", "address",
	    reply_string(to->address), "state", store_state_name(to->state),
	    "attempts", (json_int_t)to->attempts, "provider",
	    to->provider[0] ? json_string(to->provider) : json_null(),
	    "outcome_unknown", (int)to->is_pinned, "next_attempt",
	    reply_time(next), "notify", notify(to->notify), "orcpt",
	    said(to->orcpt));
}

static json_t *recipients(const struct store_entry *entry)
{
	json_t *list = json_array();

	for (size_t i = 0; i < entry->recipient_count; i++)
		(void)json_array_append_new(
		    list, lookup_recipient(&entry->recipients[i]));
	return list;
}

static json_t *attempt(
    const struct store_entry *entry, const struct store_attempt *a)
{
	struct span address = a->recipient < entry->recipient_count
				  ? entry->recipients[a->recipient].address
				  : SPAN("");

	return json_pack("{s:o, s:o, s:s, s:s, s:i, s:o, s:o, s:I}", "at",
	    reply_time(a->at_ms), "recipient", reply_string(address),
	    "provider", a->provider, "class",
	    a->is_operator ? "operator" : provider_class_name(a->result),
	    "status", a->status, "provider_id", reply_string(a->provider_id),
	    "reason", reply_string(a->reason), "ms",
	    (json_int_t)a->duration_ms);
}

static json_t *attempts(const struct store_find *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->attempt_count; i++)
		(void)json_array_append_new(
		    list, attempt(f->entry, &f->attempts[i]));
	return list;
}

static json_t *message(const struct store_find *f)
{
	const struct store_entry *e = f->entry;
	char id[ID_TEXT_SIZE];

	id_format(f->id, id);
	return json_pack(
	    "{s:i, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:i, s:o, s:o, s:o,"
	    " s:b, s:b, s:o, s:o}",
	    "schema_version", LOOKUP_SCHEMA_VERSION, "id", id, "kind",
	    lookup_kind(e), "user", reply_string(e->user), "sender",
	    reply_string(e->sender), "created", reply_time(e->created_ms),
	    "size", (json_int_t)e->size, "message_id", said(e->message_id),
	    "priority", e->terms.priority, "not_before",
	    reply_time(e->terms.release_ms), "envid", said(e->terms.envid),
	    "ret", ret(e->terms.ret), "smtputf8", e->terms.is_utf8, "dead",
	    e->is_dead, "recipients", recipients(e), "attempts", attempts(f));
}

static void finish(struct lookup *l, int code)
{
	if (code == 0)
		reply_json(l->r, 200, message(&l->find));
	else if (code == -ENOENT)
		reply_error(l->r, 404, "no message has this id");
	else
		reply_error(l->r, 503, "the store cannot answer now");
	store_find_finish(&l->find);
	free(l);
}

static void on_found(struct store_request *request)
{
	struct lookup *l = container_of(request, struct lookup, find.request);
	struct store *next = l->next;
	int code = request->result;

	l->next = NULL;
	if (code == -ENOENT && next) {
		code = store_find(next, &l->find);
		if (code == 0)
			return;
	}
	finish(l, code);
}

void lookup_start(struct loop *l, const struct admin_services *services,
    struct span id, struct httpd_request *r)
{
	struct store *first =
	    services->store ? services->store : services->volatile_store;
	struct id parsed;
	struct lookup *look;

	if (id_parse(id, &parsed) != 0) {
		reply_error(r, 400, "this is not a message id");
		return;
	}
	if (!first) {
		reply_error(r, 404, "no message has this id");
		return;
	}
	look = calloc(1, sizeof(*look));
	if (!look) {
		reply_error(r, 503, "out of memory");
		return;
	}
	look->find.request.loop = l;
	look->find.request.done = on_found;
	look->find.id = parsed;
	look->r = r;
	if (first != services->volatile_store)
		look->next = services->volatile_store;
	int code = store_find(first, &look->find);
	if (code)
		finish(look, code);
}
