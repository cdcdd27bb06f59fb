/* See backlog.h. */
#include <server/backlog.h>

#include <base/clock.h>
#include <base/id.h>
#include <base/log.h>
#include <server/worker.h>
#include <store/store.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* More than one, or those that are half full wait for each other. */
	SLICES_PER_WORKER = 4
};

struct slice {
	struct worker_backlog backlog;
	struct slice *next; /* that nobody uses */
};

struct backlog {
	struct store_walk *walk;
	struct worker **workers;
	unsigned worker_count;
	struct worker_backlog **begun; /* per worker; NULL = none */
	/* All there are: for want of memory no walk ends. */
	struct slice *slices;
	pthread_mutex_t lock;
	struct slice *unused; /* under lock */
	sem_t room;           /* how many are unused */
	uint64_t found;
	atomic_bool is_stopped;
	bool is_running;
	pthread_t thread;
};

static void put_slice(struct backlog *b, struct slice *s)
{
	(void)pthread_mutex_lock(&b->lock);
	s->next = b->unused;
	b->unused = s;
	(void)pthread_mutex_unlock(&b->lock);
	(void)sem_post(&b->room);
}

/* On the worker's thread. */
static void on_taken(struct worker_backlog *backlog)
{
	put_slice(backlog->ctx, container_of(backlog, struct slice, backlog));
}

/* 0 or -ECANCELED. */
static int begin_slice(struct backlog *b, struct worker_backlog **out)
{
	while (sem_wait(&b->room) != 0) /* EINTR */
		;
	if (atomic_load(&b->is_stopped)) {
		(void)sem_post(&b->room); /* for who asks again */
		return -ECANCELED;
	}
	(void)pthread_mutex_lock(&b->lock);
	struct slice *s = b->unused;
	b->unused = s->next;
	(void)pthread_mutex_unlock(&b->lock);
	s->backlog.count = 0;
	s->backlog.is_last = false;
	s->backlog.on_taken = on_taken;
	s->backlog.ctx = b;
	*out = &s->backlog;
	return 0;
}

static void hand_over(struct backlog *b, unsigned i)
{
	struct worker_backlog *slice = b->begun[i];

	b->begun[i] = NULL;
	worker_take_backlog(b->workers[i], slice);
}

static int on_pending(const struct store_pending *p, void *ctx)
{
	struct backlog *b = ctx;
	unsigned i = (unsigned)(id_hash(p->id) % b->worker_count);

	if (!b->begun[i]) {
		int rc = begin_slice(b, &b->begun[i]);

		if (rc)
			return rc;
	}
	struct worker_backlog *slice = b->begun[i];
	slice->pending[slice->count++] = *p;
	b->found++;
	if (slice->count == WORKER_BACKLOG_MAX)
		hand_over(b, i);
	return 0;
}

/* What is left, and that it was all. */
static int end_slices(struct backlog *b)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < b->worker_count; i++) {
		if (!b->begun[i])
			rc = begin_slice(b, &b->begun[i]);
		if (rc == 0) {
			b->begun[i]->is_last = true;
			hand_over(b, i);
		}
	}
	return rc;
}

static void *run(void *backlog)
{
	struct backlog *b = backlog;
	uint64_t began_ms = clock_mono_ms();

	(void)pthread_setname_np(pthread_self(), "backlog");
	int rc = store_walk(b->walk, on_pending, b);
	int ended = end_slices(b);
	if (rc == 0)
		rc = ended;
	if (rc == 0 && b->found > 0)
		log_info("backlog_read", LOG_NUM("messages", b->found),
		    LOG_NUM("ms", clock_mono_ms() - began_ms));
	else if (rc < 0 && rc != -ECANCELED)
		log_error("backlog_failed", LOG_NUM("messages", b->found),
		    LOG_STR("reason", strerror(-rc)),
		    LOG_STR("hint", "what was not read waits for a restart"));
	/* The log of the store can begin anew. */
	store_walk_end(b->walk);
	b->walk = NULL;
	return NULL;
}

static int make_slices(struct backlog *b)
{
	unsigned count = SLICES_PER_WORKER * b->worker_count;

	b->begun = calloc(b->worker_count, sizeof(struct worker_backlog *));
	b->slices = calloc(count, sizeof(*b->slices));
	if (!b->begun || !b->slices)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		put_slice(b, &b->slices[i]);
	return 0;
}

struct backlog *backlog_new(struct store *store, struct worker **workers,
    unsigned worker_count, struct err *e)
{
	struct backlog *b = calloc(1, sizeof(*b));

	if (!b)
		goto no_memory;
	b->workers = workers;
	b->worker_count = worker_count;
	if (sem_init(&b->room, 0, 0) != 0)
		goto no_room;
	if (pthread_mutex_init(&b->lock, NULL) != 0)
		goto no_lock;
	if (make_slices(b) < 0) {
		(void)err_set(e, -ENOMEM, "no memory for the backlog");
		goto fail;
	}
	b->walk = store_walk_begin(store, e);
	if (b->walk)
		return b;
fail:
	backlog_free(b);
	return NULL;
no_lock:
	(void)sem_destroy(&b->room);
no_room:
	free(b);
no_memory:
	(void)err_set(e, -ENOMEM, "no memory for the backlog");
	return NULL;
}

int backlog_start(struct backlog *b)
{
	for (unsigned i = 0; i < b->worker_count; i++)
		worker_expect_backlog(b->workers[i]);
	int rc = -pthread_create(&b->thread, NULL, run, b);
	b->is_running = rc == 0;
	return rc;
}

void backlog_stop(struct backlog *b)
{
	if (!b)
		return;
	atomic_store(&b->is_stopped, true);
	(void)sem_post(&b->room);
	if (b->is_running)
		(void)pthread_join(b->thread, NULL);
	b->is_running = false;
	store_walk_end(b->walk);
	b->walk = NULL;
}

void backlog_free(struct backlog *b)
{
	if (!b)
		return;
	free(b->begun);
	free(b->slices);
	(void)sem_destroy(&b->room);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}
