/*
 * The public face: requests go to the engine chosen at open, answers go home
 * grouped, so that one wake-up of a loop serves all its requests of a batch.
 */
#include <store/body.h>
#include <store/store_internal.h>

#include <assert.h>

struct store *store_open(const struct store_settings *settings, struct err *e)
{
	switch (settings->engine) {
	case STORE_SQLITE:
		return disk_open(settings, &store_io_system, e);
	case STORE_MEMORY:
		return memory_open(settings, e);
	}
	return NULL;
}

const char *store_state_name(enum store_state state)
{
	switch (state) {
	case STORE_PENDING:
		return "pending";
	case STORE_STARTED:
		return "started";
	case STORE_SENT:
	case STORE_SENT_OWED:
		return "sent";
	case STORE_FAILED:
	case STORE_FAILED_OWED:
		return "failed";
	case STORE_BOUNCED:
		return "bounced";
	case STORE_HELD:
		return "held";
	case STORE_DROPPED:
		return "dropped";
	}
	return "unknown";
}

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

static void prepare(struct store_request *r, enum store_op op)
{
	assert(r->loop && r->done);
	r->op = (int)op;
	r->result = 0;
	r->next = NULL;
}

int store_accept(struct store *s, struct store_accept *r)
{
	prepare(&r->request, STORE_OP_ACCEPT);
	return s->ops->accept(s, r);
}

int store_update(struct store *s, struct store_update *r)
{
	prepare(&r->request, STORE_OP_UPDATE);
	return s->ops->update(s, r);
}

int store_charge(struct store *s, struct store_charge *r)
{
	prepare(&r->request, STORE_OP_CHARGE);
	return s->ops->charge(s, r);
}

int store_load(struct store *s, struct store_load *r)
{
	prepare(&r->request, STORE_OP_LOAD);
	r->entry = NULL;
	return s->ops->load(s, r);
}

int store_find(struct store *s, struct store_find *r)
{
	prepare(&r->request, STORE_OP_FIND);
	r->entry = NULL;
	r->attempts = NULL;
	r->attempt_count = 0;
	return s->ops->find(s, r);
}

void store_find_finish(struct store_find *r)
{
	store_entry_free(r->entry);
	r->entry = NULL;
	r->attempts = NULL;
	r->attempt_count = 0;
}

int store_search(struct store *s, struct store_search *r)
{
	assert(r->limit > 0 && r->limit <= STORE_SEARCH_MAX);
	prepare(&r->request, STORE_OP_SEARCH);
	r->count = 0;
	r->next = r->before;
	r->is_more = false;
	return s->ops->search(s, r);
}

void store_search_finish(struct store_search *r)
{
	while (r->count > 0)
		store_entry_free(r->found[--r->count]);
}

struct store_walk *store_walk_begin(struct store *s, struct err *e)
{
	return s->ops->walk_begin(s, e);
}

int store_walk(struct store_walk *w,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx)
{
	return w->store->ops->walk(w, each, ctx);
}

void store_walk_end(struct store_walk *w)
{
	if (w)
		w->store->ops->walk_end(w);
}

int store_each_quota(struct store *s,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	return s->ops->each_quota(s, each, ctx);
}

int store_each_spent(struct store *s, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx)
{
	return s->ops->each_spent(s, from_day, each, ctx);
}

struct store_body *store_body_new(
    struct store *s, struct loop *l, bool is_volatile)
{
	return s->ops->body(s, l, is_volatile);
}

void store_set_limits(
    struct store *s, uint64_t history_ms, uint64_t min_free_bytes)
{
	atomic_store(&s->history_ms, history_ms);
	atomic_store(&s->min_free_bytes, min_free_bytes);
}

void store_set_dead(struct store *s, uint64_t dead_ms, uint64_t dead_bytes)
{
	atomic_store(&s->dead_ms, dead_ms);
	atomic_store(&s->dead_bytes, dead_bytes);
}

void store_stats(struct store *s, struct store_stats *out)
{
	s->ops->stats(s, out);
}

void store_held(struct store *s, struct span user, struct store_held *out)
{
	s->ops->held(s, user, out);
}

int store_check(struct store *s)
{
	return s->ops->check(s);
}

/* On the requests' loop: done may free its request. */
static void run_chain(struct task *t)
{
	struct store_request *r = container_of(t, struct store_request, task);
	while (r) {
		struct store_request *next = r->next;
		r->done(r);
		r = next;
	}
}

/* Cut the requests of one loop out of *chain, in order. */
static struct store_request *cut_loop(
    struct store_request **chain, const struct loop *loop)
{
	struct store_request *group = NULL, **end = &group;
	while (*chain) {
		struct store_request *r = *chain;
		if (r->loop != loop) {
			chain = &r->next;
			continue;
		}
		*chain = r->next;
		r->next = NULL;
		*end = r;
		end = &r->next;
	}
	return group;
}

void store_answer(struct store_request *chain)
{
	while (chain) {
		struct loop *loop = chain->loop;
		struct store_request *group = cut_loop(&chain, loop);
		group->task.run = run_chain;
		loop_post(loop, &group->task);
	}
}
