/* The queue between loops and the store's threads. */
#include <store/queue.h>

#include <errno.h>
#include <time.h>

int store_queue_init(struct store_queue *q)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc)
		return -rc;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&q->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (rc)
		return -rc;
	rc = pthread_mutex_init(&q->lock, NULL);
	if (rc) {
		(void)pthread_cond_destroy(&q->wake);
		return -rc;
	}
	q->head = NULL;
	q->end = &q->head;
	q->is_waiting = false;
	q->is_stopped = false;
	return 0;
}

void store_queue_finish(struct store_queue *q)
{
	(void)pthread_cond_destroy(&q->wake);
	(void)pthread_mutex_destroy(&q->lock);
}

bool store_queue_push(struct store_queue *q, struct store_request *r)
{
	r->next = NULL;
	(void)pthread_mutex_lock(&q->lock);
	bool taken = !q->is_stopped;
	bool wake = taken && q->is_waiting;
	if (taken) {
		*q->end = r;
		q->end = &r->next;
		q->is_waiting = false;
	}
	(void)pthread_mutex_unlock(&q->lock);
	if (wake)
		(void)pthread_cond_signal(&q->wake);
	return taken;
}

static struct timespec deadline_in(uint64_t ms)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* With the lock held. */
static void wait_for_work(struct store_queue *q, uint64_t wait_ms)
{
	struct timespec until = deadline_in(wait_ms);
	int rc = 0;
	while (!q->head && !q->is_stopped && rc != ETIMEDOUT) {
		q->is_waiting = true;
		rc = pthread_cond_timedwait(&q->wake, &q->lock, &until);
	}
	q->is_waiting = false;
}

/* Bodies and rows: a batch of either kind must not take long. */
static uint64_t cost_of(struct store_request *r)
{
	const struct store_update *u;
	switch (r->op) {
	case STORE_OP_ACCEPT:
		return store_entry_cost(
		    container_of(r, struct store_accept, request)->entry);
	case STORE_OP_UPDATE:
		u = container_of(r, struct store_update, request);
		return STORE_ROW_COST * (u->recipient_count + u->attempt_count);
	case STORE_OP_CHARGE:
		return STORE_ROW_COST;
	default:
		return 0;
	}
}

size_t store_queue_take(struct store_queue *q, struct store_request **out,
    size_t max, uint64_t max_bytes, uint64_t wait_ms)
{
	size_t n = 0;
	uint64_t bytes = 0;
	(void)pthread_mutex_lock(&q->lock);
	wait_for_work(q, wait_ms);
	while (q->head && n < max && bytes <= max_bytes) {
		struct store_request *r = q->head;
		bytes += cost_of(r);
		q->head = r->next;
		out[n++] = r;
	}
	if (!q->head)
		q->end = &q->head;
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}

void store_queue_stop(struct store_queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->is_stopped = true;
	(void)pthread_cond_signal(&q->wake);
	(void)pthread_mutex_unlock(&q->lock);
}

bool store_queue_is_done(struct store_queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	bool done = q->is_stopped && !q->head;
	(void)pthread_mutex_unlock(&q->lock);
	return done;
}
