/*
 * The blocking pool: a queue, a lock, and threads. See blocking.h.
 */
#include <loop/blocking.h>
#include <loop/loop.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include <base/list.h>

struct blocking {
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t work;
	struct task *first, **last;
	size_t waiting, max_waiting;
	bool is_closing;

	unsigned thread_count;
	pthread_t threads[];
};

static struct blocking_job *job_of(struct task *t)
{
	return container_of(t, struct blocking_job, task);
}

static void come_home(struct task *t)
{
	struct blocking_job *job = job_of(t);

	job->done(job);
}

/* The next job, or NULL when the pool closes and none is left. */
static struct blocking_job *take(struct blocking *b)
{
	struct task *t;

	pthread_mutex_lock(&b->lock);
	while (!b->first && !b->is_closing)
		pthread_cond_wait(&b->work, &b->lock);
	t = b->first;
	if (t) {
		b->first = t->next;
		if (!b->first)
			b->last = &b->first;
		b->waiting--;
	}
	pthread_mutex_unlock(&b->lock);
	return t ? job_of(t) : NULL;
}

static void *thread_main(void *arg)
{
	struct blocking *b = arg;
	struct blocking_job *job;

	(void)pthread_setname_np(pthread_self(), "postern/pool");
	while ((job = take(b))) {
		struct loop *home = job->loop;

		job->work(job);
		if (!home)
			continue;
		job->task.run = come_home;
		loop_post(home, &job->task);
	}
	return NULL;
}

struct blocking *blocking_new(unsigned threads, size_t max_waiting)
{
	struct blocking *b =
	    calloc(1, sizeof(*b) + threads * sizeof(b->threads[0]));
	sigset_t all, old;

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	b->last = &b->first;
	b->max_waiting = max_waiting;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (b->thread_count < threads &&
	       pthread_create(
		   &b->threads[b->thread_count], NULL, thread_main, b) == 0)
		b->thread_count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (b->thread_count < threads) {
		blocking_free(b);
		return NULL;
	}
	return b;
}

void blocking_free(struct blocking *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->is_closing = true;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	for (unsigned i = 0; i < b->thread_count; i++)
		(void)pthread_join(b->threads[i], NULL);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int blocking_submit(struct blocking *b, struct blocking_job *job)
{
	int rc = 0;

	pthread_mutex_lock(&b->lock);
	if (b->waiting >= b->max_waiting || b->is_closing) {
		rc = -EBUSY;
	} else {
		job->task.next = NULL;
		*b->last = &job->task;
		b->last = &job->task.next;
		b->waiting++;
		pthread_cond_signal(&b->work);
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}

size_t blocking_waiting(struct blocking *b)
{
	pthread_mutex_lock(&b->lock);
	size_t n = b->waiting;
	pthread_mutex_unlock(&b->lock);
	return n;
}
