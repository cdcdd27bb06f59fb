/*
 * See queue.h. An answer is what one search of the store brought, which may be
 * less than a page, or nothing, when there is much to look through: who asks
 * goes on after `next` until that is null.
 */
#include <admin/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <admin/admin_internal.h>
#include <admin/filter.h>
#include <admin/lookup.h>
#include <admin/reply.h>
#include <base/list.h>

enum {
	PAGE = 100
};

/* Owned by itself until the store has answered. */
struct listing {
	struct pending pending;
	struct store_search search;
	struct filter filter;
};

static json_t *recipients(const struct store_entry *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->recipient_count; i++)
		(void)json_array_append_new(
		    list, lookup_recipient(&e->recipients[i]));
	return list;
}

static bool has_state(const struct store_entry *e, enum store_state state)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].state == state)
			return true;
	return false;
}

/* In the words of postqueue(1), whose names are used where they fit. */
static const char *queue_name(const struct store_entry *e)
{
	if (e->is_dead)
		return "dead";
	if (has_state(e, STORE_STARTED))
		return "active";
	if (has_state(e, STORE_PENDING))
		return "deferred";
	return has_state(e, STORE_HELD) ? "hold" : "done";
}

static json_t *message(const struct store_entry *e)
{
	char id[ID_TEXT_SIZE];

	id_format(e->id, id);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:I}",
	    "queue_name", queue_name(e), "queue_id", id, "kind", lookup_kind(e),
	    "arrival_time", (json_int_t)(e->created_ms / 1000), "message_size",
	    (json_int_t)e->size, "user", reply_string(e->user), "sender",
	    reply_string(e->sender), "message_id", reply_string(e->message_id),
	    "recipients", recipients(e), "recipient_count",
	    (json_int_t)e->recipient_total);
}

static json_t *page(const struct store_search *s)
{
	char next[ID_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < s->count; i++)
		(void)json_array_append_new(list, message(s->found[i]));
	id_format(s->next, next);
	return json_pack("{s:i, s:o, s:o}", "schema_version",
	    LOOKUP_SCHEMA_VERSION, "messages", list, "next",
	    s->is_more ? json_string(next) : json_null());
}

static void finish(struct listing *l, int rc)
{
	struct httpd_request *r = l->pending.r;

	if (r && rc == 0)
		reply_json(r, 200, page(&l->search));
	else if (r)
		reply_error(r, 503, "the store cannot answer now");
	store_search_finish(&l->search);
	filter_finish(&l->filter);
	free(l);
}

static void on_found(struct store_request *request)
{
	finish(container_of(request, struct listing, search.request),
	    request->result);
}

static const char *get_query(void *ctx, const char *word)
{
	return httpd_query(ctx, word);
}

int queue_cursor(const char *text, struct id *out, struct err *e)
{
	memset(out, 0xff, sizeof(*out));
	if (text && *text && id_parse(span_of(text), out) != 0)
		return err_set(e, -EINVAL, "after is not a message id");
	return 0;
}

static int parse(struct listing *l, struct httpd_request *r, struct err *e)
{
	const char *limit = httpd_query(r, "limit");
	unsigned long long n = PAGE;
	int rc = filter_parse(&l->filter, get_query, r, e);

	if (rc == 0)
		rc =
		    queue_cursor(httpd_query(r, "after"), &l->search.before, e);
	if (rc == 0 && limit &&
	    (!span_parse_u64(span_of(limit), STORE_SEARCH_MAX, &n) || n == 0))
		rc = err_set(e, -EINVAL, "limit is a number from 1 to %d",
		    STORE_SEARCH_MAX);
	l->search.limit = (size_t)n;
	return rc;
}

static void list(struct admin *a, struct httpd_request *r, bool is_open)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct err e = { 0 };

	if (!l || !a->services.store) {
		reply_error(r, 503, "the store cannot answer now");
		free(l);
		return;
	}
	if (parse(l, r, &e) != 0) {
		reply_error(r, 400, e.text);
		filter_finish(&l->filter);
		free(l);
		return;
	}
	l->pending.r = r;
	l->filter.wanted.is_open = is_open && !l->filter.wanted.is_dead;
	l->search.filter = &l->filter.wanted;
	l->search.request.loop = a->loop;
	l->search.request.done = on_found;
	httpd_set_data(r, &l->pending);
	int rc = store_search(a->services.store, &l->search);
	if (rc)
		finish(l, rc);
}

void queue_list(struct admin *a, struct httpd_request *r)
{
	list(a, r, true);
}

void queue_list_all(struct admin *a, struct httpd_request *r)
{
	list(a, r, false);
}
