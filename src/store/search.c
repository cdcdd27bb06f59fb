/*
 * See search.h. A search walks down the ids, newest first; for each message
 * one statement says whether it is meant. It ends at the bound of its page or
 * of its time, wherever that is, so that its snapshot never keeps the log from
 * being checkpointed for long; the caller goes on from there.
 */
#include <store/search.h>

#include <store/disk.h>
#include <store/entry.h>
#include <store/schema.h>

#include <base/clock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SLICE_MS = 250,
	WAIT_MS = 60 * 1000,
	PATH_SIZE = 4096
};

/* ?2 user, ?3 sender, ?4 states, ?5 recipient, ?6 provider, ?7 provider id,
 * ?8 Message-ID. */
#define IS_MEANT                                                               \
	" (?2 = '' OR user = ?2 COLLATE NOCASE)"                               \
	" AND (?3 = '' OR sender = ?3 COLLATE NOCASE)"                         \
	" AND (?4 = 0 AND ?5 = '' AND ?6 = '' OR EXISTS"                       \
	" (SELECT 1 FROM recipient AS r WHERE r.message = id"                  \
	" AND (?4 = 0 OR (?4 >> state) & 1)"                                   \
	" AND (?5 = '' OR address = ?5 COLLATE NOCASE)"                        \
	" AND (?6 = '' OR provider = ?6)))"                                    \
	" AND (?7 = '' OR EXISTS (SELECT 1 FROM attempt AS a"                  \
	" WHERE a.message = id AND provider_id = ?7))"                         \
	" AND (?8 = '' OR message_id = ?8)"

enum search_statement {
	Q_ALL = 0,
	Q_OPEN,
	Q_DEAD,
	Q_COUNT
};

static const char *const statements[Q_COUNT] = {
	[Q_ALL] = "SELECT id," IS_MEANT " FROM message WHERE id < ?1"
		  " AND " SCHEMA_IS_ID("id") " ORDER BY id DESC",
	[Q_OPEN] =
	    "SELECT id," IS_MEANT " FROM body CROSS JOIN message"
	    " ON id = body.message WHERE body.message < ?1"
	    " AND " SCHEMA_IS_ID("body.message") " ORDER BY body.message DESC",
	[Q_DEAD] =
	    "SELECT id," IS_MEANT " FROM dead CROSS JOIN message"
	    " ON id = dead.message WHERE dead.message < ?1"
	    " AND " SCHEMA_IS_ID("dead.message") " ORDER BY dead.message DESC",
};

struct search {
	struct disk *disk;
	struct store_queue queue;
	pthread_mutex_t lock; /* the next two */
	pthread_t thread;
	bool is_running;
	/* The thread's: */
	struct reads *reads; /* NULL until the first search */
	sqlite3_stmt *q[Q_COUNT];
};

static int open_connection(struct search *s)
{
	char path[PATH_SIZE];
	struct err e = { 0 };
	sqlite3 *db = NULL;

	if (s->reads)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/store.db", s->disk->path);
	int rc = sqlite_connect(path, s->disk->io->vfs, &db, &e);
	if (rc < 0)
		return rc;
	rc = schema_prepare_reader(db, &e);
	if (rc == 0)
		rc = sqlite_prepare(db, statements, s->q, Q_COUNT, &e);
	if (rc == 0)
		rc = reads_open(db, &s->reads, &e);
	if (rc < 0) {
		sqlite_finalize(s->q, Q_COUNT);
		memset(s->q, 0, sizeof(s->q));
		(void)sqlite3_close(db);
	}
	return rc;
}

static void bind(sqlite3_stmt *q, const struct store_search *r)
{
	const struct store_filter *f = r->filter;

	sqlite_bind_id(q, 1, &r->before);
	sqlite_bind_span(q, 2, f->user);
	sqlite_bind_span(q, 3, f->sender);
	sqlite_bind_int(q, 4, f->states);
	sqlite_bind_span(q, 5, f->recipient);
	sqlite_bind_span(q, 6, f->provider);
	sqlite_bind_span(q, 7, f->provider_id);
	sqlite_bind_span(q, 8, f->message_id);
}

static int take(struct search *s, struct store_search *r)
{
	struct store_entry *e = NULL;
	int rc =
	    reads_entry_part(s->reads, &r->next, STORE_SEARCH_RECIPIENTS, &e);

	/* Forgotten since the walk began, which sees what was then. */
	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		r->found[r->count++] = e;
	return rc;
}

/* 1: there may be more; 0: that was all; or a negative errno. */
static int walk(struct search *s, struct store_search *r, sqlite3_stmt *q)
{
	uint64_t until = clock_mono_ms() + SLICE_MS;
	int rc;

	while ((rc = sqlite_next(q)) > 0) {
		bool is_meant = sqlite3_column_int(q, 1);

		rc = sqlite_column_id(q, 0, &r->next);
		if (rc == 0 && is_meant)
			rc = take(s, r);
		if (rc < 0)
			break;
		if (r->count == r->limit || clock_mono_ms() >= until) {
			rc = 1;
			break;
		}
	}
	(void)sqlite3_reset(q);
	return rc;
}

static int serve(struct search *s, struct store_search *r)
{
	if (atomic_load(&s->disk->is_closing))
		return -ECANCELED;
	int rc = open_connection(s);
	if (rc < 0)
		return rc;
	sqlite3_stmt *q = s->q[r->filter->is_dead   ? Q_DEAD
			       : r->filter->is_open ? Q_OPEN
						    : Q_ALL];
	bind(q, r);
	rc = walk(s, r, q);
	if (rc < 0)
		store_search_finish(r);
	else
		r->is_more = rc > 0;
	return rc < 0 ? rc : 0;
}

static void *run(void *search)
{
	struct search *s = search;

	(void)pthread_setname_np(pthread_self(), "store-search");
	while (!store_queue_is_done(&s->queue)) {
		struct store_request *r;

		if (!store_queue_take(&s->queue, &r, 1, 0, WAIT_MS))
			continue;
		r->next = NULL;
		r->result =
		    serve(s, container_of(r, struct store_search, request));
		store_answer(r);
	}
	return NULL;
}

struct search *search_new(struct disk *d)
{
	struct search *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->disk = d;
	if (store_queue_init(&s->queue) < 0) {
		free(s);
		return NULL;
	}
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		store_queue_finish(&s->queue);
		free(s);
		return NULL;
	}
	return s;
}

void search_close(struct search *s)
{
	if (!s)
		return;
	store_queue_stop(&s->queue);
	if (s->is_running)
		(void)pthread_join(s->thread, NULL);
	if (s->reads)
		sqlite_finalize(s->q, Q_COUNT);
	reads_close(s->reads);
	store_queue_finish(&s->queue);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int search_push(struct search *s, struct store_search *r)
{
	int rc = 0;

	(void)pthread_mutex_lock(&s->lock);
	if (!s->is_running)
		rc = -pthread_create(&s->thread, NULL, run, s);
	if (rc == 0)
		s->is_running = true;
	(void)pthread_mutex_unlock(&s->lock);
	if (rc == 0 && !store_queue_push(&s->queue, &r->request))
		rc = -ECANCELED;
	return rc;
}
