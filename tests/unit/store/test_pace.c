/* How long the disk takes, as those see it who hold others off for it. */
#include "fixture.h"

#include <base/clock.h>

#include <pthread.h>

enum {
	LONG_MS = 20
};

static struct fix f;
static struct store_io io;
/* Held: no sync comes to its end. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int gated_sync(int fd)
{
	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
	return store_io_system.fdatasync(fd);
}

static struct store_stats look(void)
{
	struct store_stats stats;

	store_stats(f.store, &stats);
	return stats;
}

static void *add(void *ctx)
{
	(void)fix_add(&f, 1, 1000, ctx);
	return NULL;
}

/* A message whose sync waits at the gate. */
static pthread_t begin(void)
{
	pthread_t thread;

	(void)pthread_mutex_lock(&gate);
	ck_assert_int_eq(pthread_create(&thread, NULL, add, NULL), 0);
	while (look().unsynced_bytes == 0)
		;
	return thread;
}

static void end(pthread_t thread)
{
	(void)pthread_mutex_unlock(&gate);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(a_batch_at_work_counts_as_long_as_it_has_taken)
{
	uint64_t deadline = clock_mono_ms() + 20000;

	ck_assert_uint_eq(look().sync_ms, 0);
	pthread_t thread = begin();
	ck_assert_uint_ge(look().unsynced_bytes, 1000);
	while (look().sync_ms < LONG_MS)
		ck_assert_uint_lt(clock_mono_ms(), deadline);
	end(thread);
}
END_TEST

START_TEST(what_nobody_waits_for_counts_no_more)
{
	pthread_t thread = begin();

	while (look().sync_ms < LONG_MS)
		;
	end(thread);
	ck_assert_uint_eq(look().unsynced_bytes, 0);
	ck_assert_uint_eq(look().sync_ms, 0);
	/* The next one may take as long, until it is known to be shorter. */
	thread = begin();
	ck_assert_uint_ge(look().sync_ms, LONG_MS);
	end(thread);
}
END_TEST

static void set_up(void)
{
	io = store_io_system;
	io.fdatasync = gated_sync;
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, &io);
	(void)fix_add(&f, 2, 1000, NULL); /* the first one makes files */
}

static void tear_down(void)
{
	fix_finish(&f);
}

static Suite *suite(void)
{
	Suite *s = suite_create("store/pace");
	TCase *t = tcase_create("core");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_batch_at_work_counts_as_long_as_it_has_taken);
	tcase_add_test(t, what_nobody_waits_for_counts_no_more);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
