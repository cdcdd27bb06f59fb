/* See fake_loop.h. */
#include "fake_loop.h"

#include <base/clock.h>
#include <base/list.h>

#include <stdlib.h>

struct loop {
	struct task *first, **last;
	struct heap timers;
	uint64_t now;
};

/* The one loop there is at a time; both clocks are its own. */
static const struct loop *present;

static uint64_t mono_ns(void)
{
	return present->now * 1000 * 1000;
}

static int64_t wall_ms(void)
{
	return 1780000000000 + (int64_t)present->now;
}

struct loop *fake_loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->last = &l->first;
	l->now = 1000 * 1000;
	heap_init(&l->timers);
	present = l;
	clock_override(mono_ns, wall_ms);
	return l;
}

void fake_loop_free(struct loop *l)
{
	clock_override(NULL, NULL);
	heap_finish(&l->timers);
	free(l);
}

void fake_loop_settle(struct loop *l)
{
	while (l->first) {
		struct task *t = l->first;

		l->first = t->next;
		if (!l->first)
			l->last = &l->first;
		t->run(t);
	}
}

bool fake_loop_skip(struct loop *l, uint64_t ms)
{
	struct heap_node *n = heap_peek(&l->timers);

	if (!n || n->key > l->now + ms)
		return false;
	if (n->key > l->now)
		l->now = n->key;
	heap_remove(&l->timers, n);
	struct loop_timer *t = container_of(n, struct loop_timer, node);
	t->fire(t);
	return true;
}

bool fake_loop_is_idle(const struct loop *l)
{
	return !l->first && !heap_peek(&l->timers);
}

/* --- loop/loop.h --- */

void loop_post(struct loop *l, struct task *t)
{
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

void loop_defer(struct loop *l, struct task *t)
{
	loop_post(l, t);
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

void loop_timer_init(struct loop_timer *t, void (*fire)(struct loop_timer *t))
{
	*t = (struct loop_timer){ .fire = fire };
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	heap_remove(&l->timers, &t->node);
	if (heap_push(&l->timers, &t->node, l->now + delay_ms) < 0)
		abort();
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	heap_remove(&l->timers, &t->node);
}
