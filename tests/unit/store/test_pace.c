/* How long the disk takes, as those see it who hold others off for it. */
#include "fixture.h"

#include <base/clock.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
	LONG_MS = 100 * 1000
};

static struct fix f;
static struct store_io io;
/* Held: no sync comes to its end. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint at_gate; /* syncs that began since it was shut */

/* Hours pass in no time. */
static _Atomic uint64_t passed_ns;

static uint64_t fast_ns(void)
{
	return UINT64_C(1) + atomic_load(&passed_ns);
}

static void pass(uint64_t ms)
{
	atomic_fetch_add(&passed_ns, ms * 1000000);
}

static int gated_sync(int fd)
{
	atomic_fetch_add(&at_gate, 1);
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
	atomic_store(&at_gate, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, add, NULL), 0);
	/* Waits at the gate, so its batch is at work. */
	while (atomic_load(&at_gate) == 0)
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
	ck_assert_uint_eq(look().sync_ms, 0);
	pthread_t thread = begin();
	ck_assert_uint_ge(look().unsynced_bytes, 1000);
	pass(LONG_MS);
	ck_assert_uint_eq(look().sync_ms, LONG_MS);
	end(thread);
	ck_assert_uint_eq(look().unsynced_bytes, 0);
	ck_assert_uint_eq(look().sync_ms, 0);
}
END_TEST

/* Else all who were held off would be so again by the first of them. */
START_TEST(what_the_last_one_took_does_not_count)
{
	pthread_t thread = begin();

	pass(LONG_MS);
	end(thread);
	thread = begin();
	ck_assert_uint_eq(look().sync_ms, 0);
	pass(1);
	ck_assert_uint_eq(look().sync_ms, 1);
	end(thread);
}
END_TEST

static void set_up(void)
{
	io = store_io_system;
	io.fdatasync = gated_sync;
	clock_override(fast_ns, NULL);
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, &io);
	(void)fix_add(&f, 2, 1000, NULL); /* the first one makes files */
}

static void tear_down(void)
{
	fix_finish(&f);
	clock_override(NULL, NULL);
}

static Suite *suite(void)
{
	Suite *s = suite_create("store/pace");
	TCase *t = tcase_create("core");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_batch_at_work_counts_as_long_as_it_has_taken);
	tcase_add_test(t, what_the_last_one_took_does_not_count);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
