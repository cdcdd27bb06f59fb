/*
 * Every file operation of a scenario fails in turn. Whatever happens: what
 * was answered 0 is there afterwards, byte for byte, and nothing is invented.
 */
#include "fault.h"
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
	MESSAGES = 9,
	SPOOLED = 5, /* these two come in files of their own */
	SPOOLED_TOO = 7
};

static const size_t sizes[MESSAGES] = { 100, 5000, 70000, 1000, 9 * 1024 * 1024,
	300000, 300, 20000, 2000 };

static struct fix f;

/* What the scenario was told. */
struct outcome {
	bool was_opened;
	struct id ids[MESSAGES];
	int accepted[MESSAGES];
	int finished;    /* of the update that made message 1 final */
	int rescheduled; /* of message 2 */
};

static void check_results(const struct outcome *o)
{
	static const int fine[] = { 0, -EIO, -ENOSPC };
	for (int i = 0; i < MESSAGES; i++) {
		bool known = false;
		for (int k = 0; k < 3; k++)
			known |= o->accepted[i] == fine[k];
		ck_assert_msg(known, "result %d", o->accepted[i]);
	}
}

static void scenario(struct outcome *o)
{
	struct err e;
	memset(o, 0, sizeof(*o));
	f.store = disk_open(&f.settings, fault_io(), &e);
	if (!f.store) {
		ck_assert_int_lt(e.code, 0);
		ck_assert_uint_gt(strlen(e.text), 0);
		return;
	}
	o->was_opened = true;
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (i == SPOOLED || i == SPOOLED_TOO)
			o->ids[i] =
			    fix_add_spooled(&f, i, sizes[i], &o->accepted[i]);
		else
			o->ids[i] = fix_add(&f, i, sizes[i], &o->accepted[i]);
		if (i == 3) {
			o->finished = fix_set(&f, o->ids[1], STORE_SENT);
			o->rescheduled = fix_set(&f, o->ids[2], STORE_PENDING);
		}
		if (i == 4)
			(void)fix_set(&f, o->ids[4], STORE_SENT);
		if (i == SPOOLED_TOO)
			(void)fix_set(&f, o->ids[SPOOLED_TOO], STORE_SENT);
	}
	(void)fix_verify(&f, o->ids[0], 0, sizes[0]);
	check_results(o);
	fix_close(&f);
}

static enum store_state state_of(struct id id, int *out_rc)
{
	struct store_load l = { .id = id };
	*out_rc = fix_load(&f, &l);
	enum store_state state =
	    *out_rc == 0 ? l.entry->recipients[0].state : STORE_PENDING;
	store_entry_free(l.entry);
	return state;
}

/* With a healthy disk again. */
static void check_afterwards(const struct outcome *o)
{
	int rc;
	fix_open(&f, NULL);
	for (unsigned i = 0; i < MESSAGES; i++) {
		enum store_state state = state_of(o->ids[i], &rc);
		if (o->accepted[i] == 0)
			ck_assert_int_eq(rc, 0);
		if (rc == 0 && state != STORE_SENT)
			ck_assert_int_eq(
			    fix_verify(&f, o->ids[i], i, sizes[i]), 0);
	}
	if (o->accepted[1] == 0 && o->finished == 0)
		ck_assert_int_eq(state_of(o->ids[1], &rc), STORE_SENT);
	struct store_load l = { .id = o->ids[2] };
	if (o->accepted[2] == 0 && o->rescheduled == 0) {
		ck_assert_int_eq(fix_load(&f, &l), 0);
		ck_assert_int_eq(l.entry->recipients[0].due_ms, 5000);
		store_entry_free(l.entry);
	}
	ck_assert_uint_le(fix_pending(&f), MESSAGES);
	/* And it works again. */
	struct id id = fix_add(&f, 77, 777, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 77, 777), 0);
	fix_close(&f);
}

static unsigned count_operations(void)
{
	struct outcome o;
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	scenario(&o);
	ck_assert(o.was_opened);
	for (int i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(o.accepted[i], 0);
	unsigned n = fault_count();
	fix_finish(&f);
	return n;
}

static void fail_each(enum fault_kind kind, bool is_lasting)
{
	unsigned n = count_operations();
	for (unsigned at = 1; at <= n; at++) {
		struct outcome o;
		fix_init(&f, STORE_SQLITE);
		fault_reset();
		fault_arm(at, kind, is_lasting);
		scenario(&o);
		fault_reset();
		if (o.was_opened)
			check_afterwards(&o);
		fix_finish(&f);
	}
}

START_TEST(survives_each_operation_failing_with_eio)
{
	fail_each(FAULT_EIO, false);
}
END_TEST

START_TEST(survives_a_disk_that_dies_at_each_operation)
{
	fail_each(FAULT_EIO, true);
}
END_TEST

START_TEST(survives_each_operation_finding_no_space)
{
	fail_each(FAULT_ENOSPC, false);
}
END_TEST

START_TEST(survives_each_operation_being_short)
{
	fail_each(FAULT_SHORT, false);
}
END_TEST

START_TEST(a_failed_sync_ends_all_writing)
{
	struct store_stats stats;
	int rc;
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
	struct id id = fix_add(&f, 1, 1000, NULL);
	fault_fail_syncs();
	(void)fix_add(&f, 2, 1000, &rc);
	ck_assert_int_eq(rc, -EIO);
	/* The next sync would succeed, and would be a lie. */
	fault_reset();
	(void)fix_add(&f, 3, 1000, &rc);
	ck_assert_int_eq(rc, -EIO);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), -EIO);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), -EIO);
	ck_assert_int_eq(store_check(f.store), -EIO);
	store_stats(f.store, &stats);
	ck_assert(!stats.is_writable);
	ck_assert_uint_gt(stats.errors, 0);
	/* For people it still answers. */
	struct store_find d = { .id = id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	store_find_finish(&d);
	fix_close(&f);
	fix_open(&f, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(a_full_disk_refuses_accepts_but_takes_updates)
{
	int rc;
	fix_init(&f, STORE_SQLITE);
	f.settings.min_free_bytes = UINT64_MAX / 2;
	fix_open(&f, NULL);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	(void)fix_add(&f, 1, 1000, &rc);
	ck_assert_int_eq(rc, -ENOSPC);
	fix_close(&f);

	f.settings.min_free_bytes = 0;
	fix_open(&f, NULL);
	ck_assert_int_eq(store_check(f.store), 0);
	struct id id = fix_add(&f, 1, 1000, NULL);
	fix_close(&f);

	f.settings.min_free_bytes = UINT64_MAX / 2;
	fix_open(&f, NULL);
	(void)fix_add(&f, 2, 1000, &rc);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(no_space_for_one_batch_does_not_stop_the_next)
{
	int rc;
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
	struct id id = fix_add(&f, 1, 1000, NULL);
	fault_reset();
	/* The write of the body. */
	fault_arm(1, FAULT_ENOSPC, false);
	(void)fix_add(&f, 2, 1000, &rc);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	struct id third = fix_add(&f, 3, 1000, NULL);
	ck_assert_int_eq(store_check(f.store), 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), 0);
	ck_assert_int_eq(fix_verify(&f, third, 3, 1000), 0);
	fix_finish(&f);
}
END_TEST

START_TEST(updates_get_the_reserve)
{
	char path[160];
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
	struct id id = fix_add(&f, 1, 1000, NULL);
	(void)snprintf(path, sizeof(path), "%s/reserve", f.path);
	ck_assert_int_eq(access(path, F_OK), 0);
	/* The first write to the log. */
	fault_reset();
	fault_arm(1, FAULT_ENOSPC, false);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	/* It is made again before anything is accepted. */
	(void)fix_add(&f, 2, 1000, NULL);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(store_check(f.store), 0);
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.fault");
	TCase *tc = tcase_create("fault");
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, survives_each_operation_failing_with_eio);
	tcase_add_test(tc, survives_a_disk_that_dies_at_each_operation);
	tcase_add_test(tc, survives_each_operation_finding_no_space);
	tcase_add_test(tc, survives_each_operation_being_short);
	tcase_add_test(tc, a_failed_sync_ends_all_writing);
	tcase_add_test(tc, a_full_disk_refuses_accepts_but_takes_updates);
	tcase_add_test(tc, no_space_for_one_batch_does_not_stop_the_next);
	tcase_add_test(tc, updates_get_the_reserve);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
