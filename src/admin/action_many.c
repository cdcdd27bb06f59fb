/*
 * See action.h: many messages. Pages of a search, newest first, of each page
 * some messages at a time; after some seconds or messages the answer says
 * where to go on. Who has left stops it after the page under way.
 */
#include <admin/action.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <admin/action_internal.h>
#include <admin/admin_internal.h>
#include <admin/filter.h>
#include <admin/queue.h>
#include <admin/reply.h>
#include <base/list.h>

enum {
	PAGE = 100,
	AT_A_TIME = 8, /* each has its message in memory */
	MAX_MESSAGES = 10000,
	MAX_MS = 5000
};

struct many;

struct slot {
	struct admin_operation operation;
	struct many *owner;
};

/* Owned by itself; admin only while the request is there. */
struct many {
	struct pending pending;
	struct admin *admin;
	uint64_t began_ms;
	struct action action;
	struct filter filter;
	bool is_dry;
	struct store_search search;
	size_t at, running; /* of search.found */
	struct slot slots[AT_A_TIME];
	size_t matched, changed, refused;
};

static void look(struct many *m);

static void many_free(struct many *m)
{
	store_search_finish(&m->search);
	filter_finish(&m->filter);
	free(m);
}

static void answer(struct many *m)
{
	char next[ID_TEXT_SIZE];

	id_format(m->search.next, next);
	reply_json(m->pending.r, 200,
	    json_pack("{s:s, s:b, s:I, s:I, s:I, s:o}", "action",
		action_name(m->action.what), "dry_run", (int)m->is_dry,
		"matched", (json_int_t)m->matched, "changed",
		(json_int_t)m->changed, "refused", (json_int_t)m->refused,
		"next", m->search.is_more ? json_string(next) : json_null()));
	many_free(m);
}

/* A page is done. */
static void go_on(struct many *m)
{
	uint64_t ms;

	if (!m->pending.r) {
		many_free(m);
		return;
	}
	ms = loop_now(m->admin->loop) - m->began_ms;
	if (!m->search.is_more || m->matched >= MAX_MESSAGES || ms >= MAX_MS) {
		answer(m);
		return;
	}
	store_search_finish(&m->search);
	m->search.before = m->search.next;
	look(m);
}

static void start(struct many *m, struct slot *s);

static void on_operated(struct admin_operation *operation)
{
	struct slot *s = container_of(operation, struct slot, operation);
	struct many *m = s->owner;
	int rc = operation->op.result;

	m->running--;
	if (rc == 0 || rc == -EINPROGRESS)
		m->changed++;
	else if (rc != -ENOENT && rc != -EALREADY)
		m->refused++; /* else it has ended, or changed, meanwhile */
	if (m->pending.r && m->at < m->search.count)
		start(m, s);
	else if (m->running == 0)
		go_on(m);
}

static void start(struct many *m, struct slot *s)
{
	const struct admin_services *services = &m->admin->services;
	struct deliver_operation *op = &s->operation.op;

	*op = (struct deliver_operation){
		.id = m->search.found[m->at++]->id,
		.action = m->action.what,
		.is_forced = m->action.is_forced,
	};
	memcpy(op->note, m->action.note, sizeof(op->note));
	s->operation.done = on_operated;
	s->owner = m;
	m->running++;
	services->operate(&s->operation, services->ctx);
}

static void on_found(struct store_request *request)
{
	struct many *m = container_of(request, struct many, search.request);

	if (!m->pending.r) {
		many_free(m);
		return;
	}
	if (request->result) {
		reply_error(m->pending.r, 503, "the store cannot answer now");
		many_free(m);
		return;
	}
	m->matched += m->search.count;
	m->at = 0;
	for (size_t i = 0; !m->is_dry && i < AT_A_TIME && i < m->search.count;
	     i++)
		start(m, &m->slots[i]);
	if (m->running == 0)
		go_on(m);
}

static void look(struct many *m)
{
	m->search.request.loop = m->admin->loop;
	m->search.request.done = on_found;
	m->search.filter = &m->filter.wanted;
	m->search.limit = PAGE;
	int rc = store_search(m->admin->services.store, &m->search);
	if (rc) {
		m->search.request.result = rc;
		on_found(&m->search.request);
	}
}

/* --- what is asked for --- */

/* Those for which there is something to do. */
static unsigned states_for(const struct action *a)
{
	unsigned waiting = 1u << STORE_PENDING, held = 1u << STORE_HELD;

	switch (a->what) {
	case DELIVER_RETRY:
		return a->is_forced ? waiting | held : waiting;
	case DELIVER_HOLD:
		return waiting;
	case DELIVER_RELEASE:
		return held;
	case DELIVER_EXPIRE:
	case DELIVER_DROP:
		return waiting | held;
	case DELIVER_REQUEUE:
		return 1u << STORE_FAILED | 1u << STORE_BOUNCED;
	}
	return 0;
}

static const char *get_member(void *ctx, const char *word)
{
	return json_string_value(json_object_get(ctx, word));
}

static int check_words(json_t *filter, struct err *e)
{
	const char *word;
	json_t *value;

	json_object_foreach(
	    filter, word, value) if (!filter_knows(word) ||
				     !json_is_string(value)) return err_set(e,
	    -EINVAL, "filter: \"%s\" is no word of it with a text", word);
	return 0;
}

static int parse_filter(
    struct many *m, json_t *filter, bool is_all, struct err *e)
{
	int rc = check_words(filter, e);

	if (rc == 0)
		rc = filter_parse(&m->filter, get_member, filter, e);
	if (rc == 0 && filter_is_empty(&m->filter) && !is_all)
		rc = err_set(e, -EINVAL,
		    "an empty filter means every message: say \"all\": true "
		    "for that");
	if (rc == 0 && m->filter.wanted.is_dead &&
	    m->action.what != DELIVER_REQUEUE)
		rc = err_set(e, -EINVAL, "what is dead can only be requeued");
	m->filter.wanted.is_open = m->action.what != DELIVER_REQUEUE;
	m->filter.wanted.is_dead = !m->filter.wanted.is_open;
	if (m->filter.wanted.states == 0)
		m->filter.wanted.states = states_for(&m->action);
	return rc;
}

static int parse_value(
    struct many *m, const struct httpd_request *r, json_t *value, struct err *e)
{
	const char *name = NULL, *reason = NULL, *after = NULL;
	json_t *filter = NULL;
	int all = 0, force = 0, dry = 0, rc;

	if (json_unpack(value, "{s:s, s?o, s?b, s?b, s?b, s?s, s?s !}",
		"action", &name, "filter", &filter, "all", &all, "force",
		&force, "dry_run", &dry, "reason", &reason, "after",
		&after) != 0 ||
	    (filter && !json_is_object(filter)))
		return err_set(e, -EINVAL,
		    "the body is a JSON object of action, filter, all, force, "
		    "dry_run, reason and after");
	m->is_dry = dry;
	m->action.is_forced = force;
	rc = action_parse(&m->action, r, span_of(name), reason, e);
	if (rc == 0)
		rc = parse_filter(m, filter, all, e);
	return rc ? rc : queue_cursor(after, &m->search.before, e);
}

static int parse(struct many *m, struct httpd_request *r, struct err *e)
{
	struct span body = httpd_body(r);
	json_t *value = json_loadb(body.ptr, body.len, 0, NULL);
	int rc = parse_value(m, r, value, e);

	json_decref(value);
	return rc;
}

void action_many(struct admin *a, struct httpd_request *r)
{
	struct many *m = calloc(1, sizeof(*m));
	struct err e = { 0 };

	if (!m || !a->services.store) {
		reply_error(r, 503, "the store cannot answer now");
		free(m);
		return;
	}
	if (parse(m, r, &e) != 0) {
		reply_error(r, 400, e.text);
		many_free(m);
		return;
	}
	m->pending.r = r;
	m->admin = a;
	m->began_ms = loop_now(a->loop);
	httpd_set_data(r, &m->pending);
	look(m);
}
