/* See onloop.h. */
#include <semaphore.h>

#include <base/list.h>
#include <support/onloop.h>
#include <support/unit.h>

struct call {
	struct task task;
	void (*fn)(void *ctx);
	void (*start)(void *ctx, void (*done)(void *), void *done_ctx);
	void *ctx;
	sem_t finished;
};

struct loop *onloop_start(void)
{
	struct loop *l = loop_new(0);

	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(loop_start(l), 0);
	return l;
}

static void on_done(void *ctx)
{
	struct call *c = ctx;

	(void)sem_post(&c->finished);
}

static void run(struct task *t)
{
	struct call *c = container_of(t, struct call, task);

	if (c->start) {
		c->start(c->ctx, on_done, c);
		return;
	}
	c->fn(c->ctx);
	on_done(c);
}

static void post_and_wait(struct loop *l, struct call *c)
{
	(void)sem_init(&c->finished, 0, 0);
	loop_post(l, &c->task);
	while (sem_wait(&c->finished) != 0)
		;
	(void)sem_destroy(&c->finished);
}

void onloop_call(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	struct call c = { .task.run = run, .fn = fn, .ctx = ctx };

	post_and_wait(l, &c);
}

void onloop_await(struct loop *l,
    void (*fn)(void *ctx, void (*done)(void *), void *done_ctx), void *ctx)
{
	struct call c = { .task.run = run, .start = fn, .ctx = ctx };

	post_and_wait(l, &c);
}

void onloop_stop(struct loop *l)
{
	loop_stop(l);
	loop_join(l);
	loop_free(l);
}
