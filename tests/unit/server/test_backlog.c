/* What the last run left, on its way to workers that are not real ones. */
#include <server/backlog.h>

#include <server/worker.h>
#include <store/store.h>
#include <support/unit.h>

#include <semaphore.h>
#include <stdlib.h>

enum {
	MESSAGES = 5000,
	WORKERS = 3,
	SLICES_MAX = 4 * WORKERS /* what may be on its way */
};

/* A worker's side: what it was given. */
struct worker {
	unsigned index;
	size_t count;
	bool is_expecting, has_last;
};

static struct worker all[WORKERS];
static struct worker *workers[WORKERS];
static struct worker_backlog *kept[SLICES_MAX + 1];
static size_t kept_count;
static bool is_keeping;
static sem_t changed;
static struct store *store;
static struct loop *loop;

void worker_expect_backlog(struct worker *w)
{
	w->is_expecting = true;
}

/* On the thread of the backlog, which is the only one here. */
void worker_take_backlog(struct worker *w, struct worker_backlog *b)
{
	ck_assert(w->is_expecting && !w->has_last);
	ck_assert_uint_le(b->count, WORKER_BACKLOG_MAX);
	for (size_t i = 0; i < b->count; i++)
		ck_assert_uint_eq(
		    id_hash(b->pending[i].id) % WORKERS, w->index);
	w->count += b->count;
	w->has_last = b->is_last;
	if (is_keeping) {
		ck_assert_uint_lt(kept_count, SLICES_MAX);
		kept[kept_count++] = b;
	} else {
		b->on_taken(b);
	}
	if (is_keeping || w->has_last)
		(void)sem_post(&changed);
}

static void on_accepted(struct store_request *r)
{
	ck_assert_int_eq(r->result, 0);
	free(container_of(r, struct store_accept, request));
	(void)sem_post(&changed);
}

static void add_message(struct message *m)
{
	struct store_accept *a = calloc(1, sizeof(*a));
	struct store_recipient to = { .address = SPAN("a@b.test") };
	struct store_entry entry = { .id = id_make(),
		.user = SPAN("u"),
		.sender = SPAN("s@b.test"),
		.recipients = &to,
		.recipient_count = 1,
		.message = m };

	a->request =
	    (struct store_request){ .loop = loop, .done = on_accepted };
	a->entry = &entry;
	ck_assert_int_eq(store_accept(store, a), 0);
	(void)sem_wait(&changed);
}

static void fill(void)
{
	struct buf header, body;

	buf_init(&header, 64);
	buf_init(&body, 64);
	ck_assert_int_eq(buf_add_str(&header, "Subject: x\r\n\r\n"), 0);
	ck_assert_int_eq(buf_add_str(&body, "x\r\n"), 0);
	struct message *m = message_new(&header, &body, 0);
	for (unsigned i = 0; i < MESSAGES; i++)
		add_message(m);
	message_unref(m);
}

static void setup(void)
{
	const struct store_settings settings = { .engine = STORE_MEMORY };
	struct err e;

	(void)sem_init(&changed, 0, 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		all[i] = (struct worker){ .index = i };
		workers[i] = &all[i];
	}
	kept_count = 0;
	is_keeping = false;
	loop = loop_new(0);
	ck_assert_int_eq(loop_start(loop), 0);
	store = store_open(&settings, &e);
	ck_assert_ptr_nonnull(store);
	fill();
}

static void teardown(void)
{
	loop_stop(loop);
	loop_join(loop);
	store_close(store);
	loop_free(loop);
	(void)sem_destroy(&changed);
}

static struct backlog *begin(void)
{
	struct err e;
	struct backlog *b = backlog_new(store, workers, WORKERS, &e);

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(backlog_start(b), 0);
	return b;
}

START_TEST(each_message_comes_to_its_worker_once)
{
	struct backlog *b = begin();
	size_t sum = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		(void)sem_wait(&changed);
	backlog_stop(b);
	backlog_free(b);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_uint_gt(all[i].count, 0);
		sum += all[i].count;
	}
	ck_assert_uint_eq(sum, MESSAGES);
}
END_TEST

START_TEST(who_takes_nothing_is_not_given_more_and_a_stop_ends_it)
{
	is_keeping = true;
	struct backlog *b = begin();

	/* Some may be begun for others when there is no more room. */
	for (unsigned i = 0; i < SLICES_MAX - WORKERS + 1; i++)
		(void)sem_wait(&changed);
	backlog_stop(b);
	for (size_t i = 0; i < kept_count; i++)
		kept[i]->on_taken(kept[i]);
	backlog_free(b);
	ck_assert_uint_le(kept_count, SLICES_MAX);
}
END_TEST

START_TEST(an_empty_queue_is_said_to_be_empty)
{
	struct store *full = store;
	const struct store_settings settings = { .engine = STORE_MEMORY };
	struct err e;

	store = store_open(&settings, &e);
	ck_assert_ptr_nonnull(store);
	struct backlog *b = begin();
	for (unsigned i = 0; i < WORKERS; i++)
		(void)sem_wait(&changed);
	backlog_stop(b);
	backlog_free(b);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert(all[i].has_last && all[i].count == 0);
	store_close(store);
	store = full;
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("server/backlog");
	TCase *t = tcase_create("backlog");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_message_comes_to_its_worker_once);
	tcase_add_test(
	    t, who_takes_nothing_is_not_given_more_and_a_stop_ends_it);
	tcase_add_test(t, an_empty_queue_is_said_to_be_empty);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
