/*
 * The loop: a libuv loop with a task queue in front, timers on a heap behind
 * one uv_timer, and end-of-turn work. Own thread except loop_post, loop_stop
 * and loop_turns.
 */
#include <loop/loop.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include <base/list.h>

struct task_queue {
	struct task *first, **last;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t timer;
	uv_prepare_t before_wait;
	uv_check_t after_wait;
	unsigned open_handles; /* of the four above */

	struct heap timers; /* struct loop_timer, key = due on uv_now */
	uint64_t armed_for; /* key the uv_timer is set to, 0 = not set */
	struct task_queue deferred;
	bool is_stopping; /* own thread */

	pthread_mutex_t lock; /* guards posted and is_closed */
	struct task_queue posted;
	bool is_closed; /* the wake handle may not be used any more */

	pthread_t thread;
	unsigned index;
	_Atomic uint64_t turns;
	struct task stop;
};

static _Thread_local struct loop *current;

static void queue_init(struct task_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_push(struct task_queue *q, struct task *t)
{
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
}

/* Detach all tasks and run them in order; they may queue new ones. */
static void queue_run(struct task_queue *q)
{
	struct task *t = q->first;

	queue_init(q);
	while (t) {
		struct task *next = t->next;

		t->run(t);
		t = next;
	}
}

static void run_posted(struct loop *l)
{
	struct task_queue batch;

	pthread_mutex_lock(&l->lock);
	batch = l->posted;
	if (!batch.first)
		batch.last = &batch.first;
	queue_init(&l->posted);
	pthread_mutex_unlock(&l->lock);
	queue_run(&batch);
}

static void on_wake(uv_async_t *handle)
{
	run_posted(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
	struct loop *l = handle->data;
	uint64_t now = uv_now(&l->uv);
	struct heap_node *n;

	l->armed_for = 0;
	while ((n = heap_peek(&l->timers)) && n->key <= now) {
		struct loop_timer *t = container_of(n, struct loop_timer, node);

		heap_remove(&l->timers, n);
		t->fire(t);
	}
}

static void arm(struct loop *l)
{
	struct heap_node *n = heap_peek(&l->timers);
	uint64_t now = uv_now(&l->uv);

	if (!n) {
		if (l->armed_for)
			uv_timer_stop(&l->timer);
		l->armed_for = 0;
		return;
	}
	if (l->armed_for == n->key)
		return;
	uv_timer_start(&l->timer, on_timer, n->key > now ? n->key - now : 0, 0);
	l->armed_for = n->key;
}

static void run_deferred(struct loop *l)
{
	queue_run(&l->deferred);
	/* What those deferred in turn must not wait for the next event. */
	if (l->deferred.first)
		uv_async_send(&l->wake);
}

static void on_before_wait(uv_prepare_t *handle)
{
	struct loop *l = handle->data;

	atomic_fetch_add_explicit(&l->turns, 1, memory_order_relaxed);
	run_deferred(l);
	arm(l);
}

static void on_after_wait(uv_check_t *handle)
{
	run_deferred(handle->data);
}

static void on_own_closed(uv_handle_t *handle)
{
	struct loop *l = handle->data;

	l->open_handles--;
}

static int open_handles(struct loop *l)
{
	int rc = uv_async_init(&l->uv, &l->wake, on_wake);

	if (rc)
		return rc;
	uv_timer_init(&l->uv, &l->timer);
	uv_prepare_init(&l->uv, &l->before_wait);
	uv_check_init(&l->uv, &l->after_wait);
	l->wake.data = l->timer.data = l;
	l->before_wait.data = l->after_wait.data = l;
	l->open_handles = 4;
	uv_prepare_start(&l->before_wait, on_before_wait);
	uv_check_start(&l->after_wait, on_after_wait);
	uv_unref((uv_handle_t *)&l->timer);
	uv_unref((uv_handle_t *)&l->before_wait);
	uv_unref((uv_handle_t *)&l->after_wait);
	return 0;
}

static void on_stop(struct task *t)
{
	struct loop *l = container_of(t, struct loop, stop);

	l->is_stopping = true;
	/* From here on only handles of others keep the loop running. */
	uv_unref((uv_handle_t *)&l->wake);
}

struct loop *loop_new(unsigned index)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	if (uv_loop_init(&l->uv)) {
		free(l);
		return NULL;
	}
	l->index = index;
	l->stop.run = on_stop;
	queue_init(&l->posted);
	queue_init(&l->deferred);
	heap_init(&l->timers);
	pthread_mutex_init(&l->lock, NULL);
	if (open_handles(l)) {
		(void)uv_loop_close(&l->uv);
		pthread_mutex_destroy(&l->lock);
		free(l);
		return NULL;
	}
	return l;
}

static void close_handles(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->is_closed = true;
	pthread_mutex_unlock(&l->lock);
	uv_close((uv_handle_t *)&l->wake, on_own_closed);
	uv_close((uv_handle_t *)&l->timer, on_own_closed);
	uv_close((uv_handle_t *)&l->before_wait, on_own_closed);
	uv_close((uv_handle_t *)&l->after_wait, on_own_closed);
	while (l->open_handles)
		uv_run(&l->uv, UV_RUN_DEFAULT);
}

#ifndef NDEBUG
static void name_open_handle(uv_handle_t *handle, void *ctx)
{
	(void)ctx;
	fprintf(stderr, "loop: a %s handle was left open\n",
	    uv_handle_type_name(handle->type));
}
#endif

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (!l->is_closed)
		close_handles(l);
	if (uv_loop_close(&l->uv) != 0) {
#ifndef NDEBUG
		uv_walk(&l->uv, name_open_handle, NULL);
		abort();
#endif
	}
	heap_finish(&l->timers);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

unsigned loop_index(const struct loop *l)
{
	return l->index;
}

static bool has_posted(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	bool has = l->posted.first != NULL;
	pthread_mutex_unlock(&l->lock);
	return has;
}

void loop_run(struct loop *l)
{
	current = l;
	uv_update_time(&l->uv);
	do {
		uv_run(&l->uv, UV_RUN_DEFAULT);
		run_posted(l);
	} while (!l->is_stopping || has_posted(l) || uv_loop_alive(&l->uv));
	close_handles(l);
	current = NULL;
}

static void *thread_main(void *arg)
{
	struct loop *l = arg;
	char name[16];

	(void)snprintf(name, sizeof(name), "postern/w%u", l->index % 1000);
	(void)pthread_setname_np(pthread_self(), name);
	loop_run(l);
	return NULL;
}

int loop_start(struct loop *l)
{
	sigset_t all, old;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&l->thread, NULL, thread_main, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

void loop_stop(struct loop *l)
{
	loop_post(l, &l->stop);
}

void loop_join(struct loop *l)
{
	(void)pthread_join(l->thread, NULL);
}

void loop_run_late(struct loop *l)
{
	current = l;
	while (has_posted(l))
		run_posted(l);
	current = NULL;
}

void loop_post(struct loop *l, struct task *t)
{
	pthread_mutex_lock(&l->lock);
	bool was_empty = l->posted.first == NULL;

	queue_push(&l->posted, t);
	/* Sent under the lock: the handle cannot be closed in between. */
	if (was_empty && !l->is_closed)
		uv_async_send(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

struct loop *loop_current(void)
{
	return current;
}

uint64_t loop_now(const struct loop *l)
{
	return uv_now(&l->uv);
}

void loop_defer(struct loop *l, struct task *t)
{
	queue_push(&l->deferred, t);
}

struct uv_loop_s *loop_uv(struct loop *l)
{
	return &l->uv;
}

uint64_t loop_turns(const struct loop *l)
{
	return atomic_load_explicit(&l->turns, memory_order_relaxed);
}

void loop_timer_init(struct loop_timer *t, void (*fire)(struct loop_timer *t))
{
	t->node.index = 0;
	t->node.key = 0;
	t->fire = fire;
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	/* At least 1 ms, so that a timer that re-arms itself cannot spin. */
	uint64_t due = uv_now(&l->uv) + (delay_ms ? delay_ms : 1);

	heap_remove(&l->timers, &t->node);
	if (heap_push(&l->timers, &t->node, due) != 0)
		abort(); /* no memory for one pointer: nothing left to do */
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	heap_remove(&l->timers, &t->node);
}
