/* See charges.h. */
#include <server/charges.h>

#include <loop/loop.h>
#include <policy/quota.h>
#include <store/store.h>

#include <stdlib.h>
#include <string.h>

enum {
	PERIOD_MS = 1000
};

struct charges {
	struct loop *loop;
	struct quota *quota;
	struct store *store;
	struct loop_timer timer;
};

/* One user's, on its way to the store. */
struct parcel {
	struct store_charge charge;
	struct parcel *next;
	char user[];
};

/* Those to be sent, once the quota's lock is free. */
struct batch {
	struct parcel *first;
};

/* A store that takes nothing has said so itself. */
static void on_charged(struct store_request *r)
{
	free(container_of(r, struct parcel, charge.request));
}

static void add(struct span user, int64_t day, uint64_t messages, void *ctx)
{
	struct parcel *p = malloc(sizeof(*p) + user.len);
	struct batch *b = ctx;

	if (!p)
		return; /* they still count until we end */
	memcpy(p->user, user.ptr, user.len);
	p->charge = (struct store_charge){ .user = span_make(p->user, user.len),
		.day = day,
		.messages = messages };
	p->next = b->first;
	b->first = p;
}

static void bring(struct charges *c)
{
	struct batch b = { .first = NULL };

	quota_settle(c->quota, add, &b);
	while (b.first) {
		struct parcel *p = b.first;

		b.first = p->next;
		p->charge.request.loop = c->loop;
		p->charge.request.done = on_charged;
		(void)store_charge(c->store, &p->charge);
	}
}

static void on_period(struct loop_timer *t)
{
	struct charges *c = container_of(t, struct charges, timer);

	bring(c);
	loop_timer_start(c->loop, t, PERIOD_MS);
}

struct charges *charges_start(
    struct loop *l, struct quota *quota, struct store *store)
{
	struct charges *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct charges){ .loop = l, .quota = quota, .store = store };
	loop_timer_init(&c->timer, on_period);
	loop_timer_start(l, &c->timer, PERIOD_MS);
	return c;
}

void charges_stop(struct charges *c)
{
	loop_timer_stop(c->loop, &c->timer);
}

void charges_finish(struct charges *c)
{
	if (c)
		bring(c);
	free(c);
}
