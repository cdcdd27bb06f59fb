/* The loop's promises: order, lateness, timers, and a clean end. */
#include <support/unit.h>

#include <base/list.h>
#include <loop/loop.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
	POSTS = 1000,
	SENDERS = 4
};

struct counter {
	struct task task;
	struct loop *loop;
	int *order;
	int *next;
	int value;
};

static void record(struct task *t)
{
	struct counter *c = container_of(t, struct counter, task);

	c->order[(*c->next)++] = c->value;
}

START_TEST(runs_tasks_in_order_of_posting)
{
	struct loop *l = loop_new(0);
	struct counter c[16];
	int order[16], next = 0;

	for (int i = 0; i < 16; i++) {
		c[i] = (struct counter){ { NULL, record }, l, order, &next, i };
		loop_post(l, &c[i].task);
	}
	ck_assert_int_eq(next, 0);
	loop_stop(l);
	loop_run(l);
	ck_assert_int_eq(next, 16);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(order[i], i);
	loop_free(l);
}
END_TEST

struct nested {
	struct task task;
	struct loop *loop;
	bool is_inside, was_inside;
	int runs;
};

static void repost(struct task *t)
{
	struct nested *n = container_of(t, struct nested, task);

	n->was_inside = n->was_inside || n->is_inside;
	n->is_inside = true;
	if (++n->runs < 3)
		loop_post(n->loop, &n->task);
	n->is_inside = false;
}

START_TEST(never_runs_a_task_inside_the_post)
{
	struct loop *l = loop_new(0);
	struct nested n = { .task.run = repost, .loop = l };

	loop_post(l, &n.task);
	loop_stop(l);
	loop_run(l);
	ck_assert_int_eq(n.runs, 3);
	ck_assert(!n.was_inside);
	loop_free(l);
}
END_TEST

struct sender {
	pthread_t thread;
	struct loop *loop;
	struct task tasks[POSTS];
};

static _Atomic int arrived;

static void count(struct task *t)
{
	(void)t;
	atomic_fetch_add(&arrived, 1);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < POSTS; i++) {
		s->tasks[i].run = count;
		loop_post(s->loop, &s->tasks[i]);
	}
	return NULL;
}

START_TEST(loses_no_task_of_many_threads)
{
	struct loop *l = loop_new(0);
	struct sender *s = calloc(SENDERS, sizeof(*s));

	arrived = 0;
	ck_assert_int_eq(loop_start(l), 0);
	for (int i = 0; i < SENDERS; i++) {
		s[i].loop = l;
		pthread_create(&s[i].thread, NULL, send_all, &s[i]);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(s[i].thread, NULL);
	loop_stop(l);
	loop_join(l);
	ck_assert_int_eq(arrived, SENDERS * POSTS);
	loop_free(l);
	free(s);
}
END_TEST

struct ticks {
	struct loop *loop;
	struct loop_timer late, early, cancelled, again;
	int order[8], next;
};

static struct ticks ticks;

static void fire_late(struct loop_timer *t)
{
	(void)t;
	ticks.order[ticks.next++] = 2;
	loop_stop(ticks.loop);
}

static void fire_early(struct loop_timer *t)
{
	(void)t;
	ticks.order[ticks.next++] = 1;
	loop_timer_stop(ticks.loop, &ticks.cancelled);
}

static void fire_never(struct loop_timer *t)
{
	(void)t;
	ck_abort_msg("a stopped timer fired");
}

START_TEST(timers_fire_in_order_and_not_after_stop)
{
	struct loop *l = loop_new(0);

	ticks = (struct ticks){ .loop = l };
	loop_timer_init(&ticks.late, fire_late);
	loop_timer_init(&ticks.early, fire_early);
	loop_timer_init(&ticks.cancelled, fire_never);
	loop_timer_start(l, &ticks.late, 30);
	loop_timer_start(l, &ticks.cancelled, 20);
	loop_timer_start(l, &ticks.early, 5);
	ck_assert(loop_timer_is_armed(&ticks.late));
	loop_run(l);
	ck_assert_int_eq(ticks.next, 2);
	ck_assert_int_eq(ticks.order[0], 1);
	ck_assert_int_eq(ticks.order[1], 2);
	ck_assert(!loop_timer_is_armed(&ticks.cancelled));
	loop_free(l);
}
END_TEST

static void fire_again(struct loop_timer *t)
{
	if (++ticks.next < 5)
		loop_timer_start(ticks.loop, t, 0);
	else
		loop_stop(ticks.loop);
}

START_TEST(a_timer_may_rearm_itself_with_zero_delay)
{
	struct loop *l = loop_new(0);

	ticks = (struct ticks){ .loop = l };
	loop_timer_init(&ticks.again, fire_again);
	loop_timer_start(l, &ticks.again, 0);
	loop_run(l);
	ck_assert_int_eq(ticks.next, 5);
	loop_free(l);
}
END_TEST

struct deferral {
	struct task first, second;
	struct task kick;
	struct loop *loop;
	int runs;
};

static void defer_second(struct task *t)
{
	struct deferral *d = container_of(t, struct deferral, first);

	d->runs++;
	loop_defer(d->loop, &d->second);
}

static void end_deferral(struct task *t)
{
	struct deferral *d = container_of(t, struct deferral, second);

	d->runs++;
	loop_stop(d->loop);
}

static void kick(struct task *t)
{
	struct deferral *d = container_of(t, struct deferral, kick);

	loop_defer(d->loop, &d->first);
}

START_TEST(deferred_work_runs_without_another_event)
{
	struct loop *l = loop_new(0);
	struct deferral d = { { NULL, defer_second }, { NULL, end_deferral },
		{ NULL, kick }, l, 0 };

	loop_post(l, &d.kick);
	loop_run(l);
	ck_assert_int_eq(d.runs, 2);
	loop_free(l);
}
END_TEST

START_TEST(a_post_after_the_end_waits_for_the_last_call)
{
	struct loop *l = loop_new(0);
	struct task t = { NULL, count };

	arrived = 0;
	loop_stop(l);
	loop_run(l);
	loop_post(l, &t);
	ck_assert_int_eq(arrived, 0);
	loop_run_late(l);
	ck_assert_int_eq(arrived, 1);
	loop_free(l);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");

	tcase_add_test(tc, runs_tasks_in_order_of_posting);
	tcase_add_test(tc, never_runs_a_task_inside_the_post);
	tcase_add_test(tc, loses_no_task_of_many_threads);
	tcase_add_test(tc, timers_fire_in_order_and_not_after_stop);
	tcase_add_test(tc, a_timer_may_rearm_itself_with_zero_delay);
	tcase_add_test(tc, deferred_work_runs_without_another_event);
	tcase_add_test(tc, a_post_after_the_end_waits_for_the_last_call);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
