/*
 * What becomes of a store whose disk was full, whose process was out of
 * descriptors, or whose files somebody removed.
 */
#include "fault.h"
#include "fixture.h"

#include <base/clock.h>
#include <store/segment.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MIB = 1024 * 1024,
	BIG = SEGMENT_LARGE /* eight fill a segment */
};

static struct fix f;

static void start(void)
{
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
}

static void stop(void)
{
	fault_reset();
	fix_finish(&f);
}

static void await_check(const struct fix *x, int want)
{
	uint64_t deadline = clock_mono_ms() + 60000;
	while (store_check(x->store) != want) {
		ck_assert_uint_lt(clock_mono_ms(), deadline);
		(void)usleep(20000);
	}
}

static int add(unsigned seed, size_t size)
{
	int rc;
	(void)fix_add(&f, seed, size, &rc);
	return rc;
}

/* As when the log cannot grow: the reserve goes, too. */
START_TEST(a_small_disk_accepts_again_when_there_is_space)
{
	start();
	struct id id = fix_add(&f, 1, 1000, NULL);
	fault_set_free(0);
	ck_assert_int_eq(add(2, 1000), -ENOSPC);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	fault_set_free(95 * MIB);
	await_check(&f, 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), 0);
	ck_assert_int_eq(add(3, 1000), 0);
	stop();
}
END_TEST

/* A segment for the next body is made before anybody is told so. */
START_TEST(room_is_there_when_it_is_said_to_be)
{
	start();
	for (unsigned i = 0; i < SEGMENT_SIZE / BIG; i++)
		ck_assert_int_eq(add(1, BIG), 0);
	fault_set_free(SEGMENT_SIZE - 1);
	ck_assert_int_eq(add(2, 1000), -ENOSPC);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	size_t files = fix_files(&f, "bodies");
	fault_set_free(SEGMENT_SIZE + MIB);
	await_check(&f, 0);
	ck_assert_uint_eq(fix_files(&f, "bodies"), files + 1);
	ck_assert_int_eq(add(3, 1000), 0);
	ck_assert_uint_eq(fix_files(&f, "bodies"), files + 1);
	stop();
}
END_TEST

START_TEST(without_descriptors_mail_is_refused_for_now)
{
	struct store_stats stats;
	start();
	fault_fail_opens();
	ck_assert_int_eq(add(1, 1000), -ENOMEM);
	ck_assert_int_eq(add(2, SEGMENT_LARGE + 1), -ENOMEM);
	store_stats(f.store, &stats);
	ck_assert(stats.is_writable);
	ck_assert_int_eq(store_check(f.store), 0);
	fault_reset();
	struct id small = fix_add(&f, 1, 1000, NULL);
	struct id large = fix_add(&f, 2, SEGMENT_LARGE + 1, NULL);
	ck_assert_int_eq(fix_verify(&f, large, 2, SEGMENT_LARGE + 1), 0);
	/* What needs no new file goes on, and a retry is not given up. */
	fault_fail_opens();
	ck_assert_int_eq(add(3, 1000), 0);
	ck_assert_int_eq(fix_verify(&f, small, 1, 1000), -ENOMEM);
	ck_assert_int_eq(fix_set(&f, large, STORE_SENT), 0);
	fault_reset();
	ck_assert_int_eq(fix_verify(&f, small, 1, 1000), 0);
	stop();
}
END_TEST

static void remove_name(const struct fix *x, const char *name)
{
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/%s", x->path, name);
	ck_assert_msg(unlink(path) == 0, "%s", path);
}

static void rename_name(
    const struct fix *x, const char *from, const char *to, bool is_made_again)
{
	char a[160], b[160];
	(void)snprintf(a, sizeof(a), "%s/%s", x->dir, from);
	(void)snprintf(b, sizeof(b), "%s/%s", x->dir, to);
	ck_assert_msg(rename(a, b) == 0, "%s", a);
	if (is_made_again)
		ck_assert_int_eq(mkdir(a, 0700), 0);
}

START_TEST(a_store_whose_files_vanish_says_so)
{
	enum {
		N = 8
	};
	static struct fix fixes[N];
	struct store_stats stats;
	for (int i = 0; i < N; i++) {
		fix_init(&fixes[i], STORE_SQLITE);
		fix_open(&fixes[i], NULL);
		(void)fix_add(&fixes[i], 1, 1000, NULL);
	}
	remove_name(&fixes[0], "store.db");
	remove_name(&fixes[1], "store.db-wal");
	remove_name(&fixes[2], "lock");
	remove_name(&fixes[3], "bodies/00000001.seg");
	rename_name(&fixes[4], "store/bodies", "store/other", true);
	rename_name(&fixes[5], "store", "other", false);
	rename_name(&fixes[6], "store", "other", true);
	/* The last is left alone. */
	for (int i = 0; i < N - 1; i++) {
		int rc;
		await_check(&fixes[i], -EIO);
		(void)fix_add(&fixes[i], 2, 1000, &rc);
		ck_assert_int_eq(rc, -EIO);
		store_stats(fixes[i].store, &stats);
		ck_assert(!stats.is_writable);
	}
	ck_assert_int_eq(store_check(fixes[N - 1].store), 0);
	(void)fix_add(&fixes[N - 1], 2, 1000, NULL);
	for (int i = 0; i < N; i++)
		fix_finish(&fixes[i]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.watch");
	TCase *tc = tcase_create("watch");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_small_disk_accepts_again_when_there_is_space);
	tcase_add_test(tc, room_is_there_when_it_is_said_to_be);
	tcase_add_test(tc, without_descriptors_mail_is_refused_for_now);
	tcase_add_test(tc, a_store_whose_files_vanish_says_so);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
