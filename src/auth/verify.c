/*
 * A job is one hash under way with everybody who waits for it, on whatever
 * loop. It owns copies of all it needs, so that a session can end at any
 * moment. One lock guards the list of jobs and the lists of waits; it is held
 * for a walk over at most VERIFY_WAITING_MAX jobs, never while hashing.
 */
#include <auth/cache.h>
#include <auth/password.h>
#include <auth/verify.h>
#include <auth/view.h>
#include <loop/blocking.h>
#include <loop/loop.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Long enough for a client that retries a wrong password in a loop. */
#define BAD_TTL_MS UINT64_C(60000)

struct verifier {
	struct cache *cache;
	struct blocking *pool;
	_Atomic uint64_t hashes;
	pthread_mutex_t lock;    /* guards the rest, and what hangs on jobs */
	struct blocking *asking; /* a pool too; NULL until it is needed */
	struct list jobs;        /* struct verify_job.link */
};

struct verify_job {
	struct blocking_job blocking;
	struct verifier *verifier;
	struct list link;
	struct list waits; /* struct verify_wait.link */
	struct cache_tag tag;
	struct verify_question q; /* spans point into text */
	char *text;               /* the password, then the others */
};

struct verifier *verifier_new(unsigned threads)
{
	struct verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	(void)pthread_mutex_init(&v->lock, NULL);
	list_init(&v->jobs);
	v->cache = cache_new();
	v->pool = blocking_new(threads, VERIFY_WAITING_MAX);
	if (!v->cache || !v->pool) {
		verifier_free(v);
		return NULL;
	}
	return v;
}

void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	blocking_free(v->pool);
	blocking_free(v->asking);
	cache_free(v->cache);
	(void)pthread_mutex_destroy(&v->lock);
	free(v);
}

uint64_t verify_hashes(const struct verifier *v)
{
	return atomic_load_explicit(&v->hashes, memory_order_relaxed);
}

/* As early as can be; the loop may take its time. */
static void forget_password(struct verify_job *job)
{
	hash_cleanse(job->text, job->q.password.len);
}

static void job_free(struct verify_job *job)
{
	forget_password(job);
	view_unref(job->q.view);
	free(job->text);
	free(job);
}

static void on_done(struct blocking_job *b)
{
	/* The verifier may be gone by now. */
	job_free(container_of(b, struct verify_job, blocking));
}

static enum verify_verdict judge(const struct verify_job *job)
{
	enum verify_verdict verdict;

	if (job->q.ask) {
		verdict = job->q.ask(job->q.view, &job->q);
	} else {
		atomic_fetch_add_explicit(
		    &job->verifier->hashes, 1, memory_order_relaxed);
		int rc = password_verify(job->q.record, job->q.password);
		verdict = rc == 0         ? VERIFY_GOOD
			  : rc == -EACCES ? VERIFY_BAD
					  : VERIFY_FAILED;
	}
	return verdict == VERIFY_GOOD && job->q.is_decoy ? VERIFY_BAD : verdict;
}

static void remember(struct verify_job *job, enum verify_verdict verdict)
{
	struct cache *cache = job->verifier->cache;
	uint64_t ttl = job->q.ttl_ms;

	if (verdict == VERIFY_GOOD)
		cache_put(cache, &job->tag, CACHE_GOOD, ttl);
	else if (verdict == VERIFY_BAD && !job->q.ask)
		cache_put(cache, &job->tag, CACHE_BAD,
		    ttl < BAD_TTL_MS ? ttl : BAD_TTL_MS);
}

/* From here on the job is not to be found: nobody can join it any more. */
static void publish(struct verify_job *job, enum verify_verdict verdict)
{
	struct verifier *v = job->verifier;

	(void)pthread_mutex_lock(&v->lock);
	list_remove(&job->link);
	list_for_each_safe (pos, tmp, &job->waits) {
		struct verify_wait *w =
		    container_of(pos, struct verify_wait, link);
		list_remove(&w->link);
		w->job = NULL;
		w->verdict = verdict;
		/* Posted under the lock: else a cancel could free w first. */
		loop_post(w->loop, &w->task);
	}
	(void)pthread_mutex_unlock(&v->lock);
}

/* Unlist a job that nobody waits for any more. */
static bool is_abandoned(struct verify_job *job)
{
	struct verifier *v = job->verifier;
	bool abandoned;

	(void)pthread_mutex_lock(&v->lock);
	abandoned = list_is_empty(&job->waits);
	if (abandoned)
		list_remove(&job->link);
	(void)pthread_mutex_unlock(&v->lock);
	return abandoned;
}

static void work(struct blocking_job *b)
{
	struct verify_job *job = container_of(b, struct verify_job, blocking);
	enum verify_verdict verdict;

	if (is_abandoned(job)) {
		forget_password(job);
		return;
	}
	verdict = judge(job);
	forget_password(job);
	/* In this order: who no longer finds the job finds the verdict. */
	remember(job, verdict);
	publish(job, verdict);
}

static struct span copy_field(char **at, struct span s)
{
	struct span copy = { *at, s.len };

	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

static struct verify_job *job_new(struct verifier *v,
    const struct verify_question *q, const struct cache_tag *tag)
{
	struct verify_job *job = calloc(1, sizeof(*job));
	char *at;

	if (!job)
		return NULL;
	at = job->text =
	    malloc(q->password.len + q->name.len + q->record.len + 1);
	if (!job->text) {
		free(job);
		return NULL;
	}
	job->q = *q;
	/* The password first: text begins with it. */
	job->q.password = copy_field(&at, q->password);
	job->q.name = copy_field(&at, q->name);
	job->q.record = copy_field(&at, q->record);
	if (q->view)
		job->q.view = view_ref(q->view);
	job->verifier = v;
	job->tag = *tag;
	list_init(&job->link);
	list_init(&job->waits);
	return job;
}

/* A running job with this tag, or how many run for this name; under lock. */
static struct verify_job *find_job(struct verifier *v,
    const struct cache_tag *tag, struct span name, unsigned *of_name)
{
	*of_name = 0;
	list_for_each (pos, &v->jobs) {
		struct verify_job *job =
		    container_of(pos, struct verify_job, link);
		if (hash_eq(job->tag.bytes, tag->bytes, sizeof(tag->bytes)))
			return job;
		if (span_eq(job->q.name, name))
			(*of_name)++;
	}
	return NULL;
}

/* Under lock. Most processes never need the second one. NULL for memory. */
static struct blocking *pool_for(
    struct verifier *v, const struct verify_question *q)
{
	if (!q->ask)
		return v->pool;
	if (!v->asking)
		v->asking = blocking_new(VERIFY_ASKING, VERIFY_WAITING_MAX);
	return v->asking;
}

/* Under lock. Returns NULL with *why set. */
static struct verify_job *start_job(struct verifier *v,
    const struct verify_question *q, const struct cache_tag *tag,
    struct loop *loop, enum verify_verdict *why)
{
	struct blocking *pool = pool_for(v, q);
	struct verify_job *job = pool ? job_new(v, q, tag) : NULL;

	*why = VERIFY_FAILED;
	if (!job)
		return NULL;
	job->blocking.loop = loop;
	job->blocking.work = work;
	job->blocking.done = on_done;
	*why = VERIFY_BUSY;
	if (blocking_submit(pool, &job->blocking) < 0) {
		job_free(job);
		return NULL;
	}
	/* The pool may run it already; it waits for the lock we hold. */
	list_append(&v->jobs, &job->link);
	return job;
}

/* A decoy's record is somebody else's: its verdicts are of the name alone. */
static struct cache_tag tag_of(
    struct verifier *v, const struct verify_question *q)
{
	return cache_tag(
	    v->cache, q->name, q->is_decoy ? SPAN("") : q->record, q->password);
}

/* From the cache; PENDING when it does not know. */
static enum verify_verdict recall(
    struct verifier *v, const struct cache_tag *tag)
{
	switch (cache_find(v->cache, tag)) {
	case CACHE_GOOD:
		return VERIFY_GOOD;
	case CACHE_BAD:
		return VERIFY_BAD;
	case CACHE_MISS:
		break;
	}
	return VERIFY_PENDING;
}

/* Find or start the job for a question; under lock. */
static enum verify_verdict join_job(struct verifier *v,
    const struct verify_question *q, const struct cache_tag *tag,
    struct verify_wait *w)
{
	enum verify_verdict verdict;
	unsigned of_name;
	struct verify_job *job = find_job(v, tag, q->name, &of_name);

	if (!job) {
		/* It may have ended since the cache was asked. */
		verdict = recall(v, tag);
		if (verdict != VERIFY_PENDING)
			return verdict;
		if (of_name >= VERIFY_PER_NAME_MAX)
			return VERIFY_BUSY;
		job = start_job(v, q, tag, w->loop, &verdict);
		if (!job)
			return verdict;
	}
	w->job = job;
	list_append(&job->waits, &w->link);
	return VERIFY_PENDING;
}

enum verify_verdict verify_begin(
    struct verifier *v, const struct verify_question *q, struct verify_wait *w)
{
	struct cache_tag tag = tag_of(v, q);
	enum verify_verdict verdict = recall(v, &tag);

	if (verdict != VERIFY_PENDING)
		return verdict;
	(void)pthread_mutex_lock(&v->lock);
	verdict = join_job(v, q, &tag, w);
	(void)pthread_mutex_unlock(&v->lock);
	return verdict;
}

bool verify_cancel(struct verifier *v, struct verify_wait *w)
{
	bool was_listed;

	(void)pthread_mutex_lock(&v->lock);
	was_listed = w->job != NULL;
	if (was_listed)
		list_remove(&w->link);
	w->job = NULL;
	(void)pthread_mutex_unlock(&v->lock);
	return was_listed;
}
