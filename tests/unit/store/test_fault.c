/*
 * Every file operation of a scenario fails in turn, and below them every call
 * of the system. Whatever happens: what was answered 0 is there afterwards,
 * byte for byte, and nothing is invented.
 *
 * POSTERN_EXHAUSTIVE=1 leaves none out.
 */
#include "fault.h"
#include "fixture.h"
#include "syscalls.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
	MESSAGES = 9,
	SPOOLED = 5, /* these two come in files of their own */
	SPOOLED_TOO = 7,
	SAMPLES = 60 /* of each kind, when not all */
};

static const size_t sizes[MESSAGES] = { 100, 5000, 70000, 1000, 9 * 1024 * 1024,
	300000, 300, 20000, 2000 };

static struct fix f;
static const struct store_io *io; /* of the scenario */

/* What the scenario was told. */
struct outcome {
	bool was_opened;
	char why[sizeof(((struct err *)0)->text)]; /* it was not */
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
	f.settings.dead_ms = 3600 * 1000;
	f.settings.dead_bytes = 1 << 30;
	f.store = disk_open(&f.settings, io, &e);
	if (!f.store) {
		ck_assert_int_lt(e.code, 0);
		ck_assert_uint_gt(strlen(e.text), 0);
		(void)snprintf(o->why, sizeof(o->why), "%s", e.text);
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
			(void)fix_set(&f, o->ids[4], STORE_FAILED);
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
		if (rc < 0 || state == STORE_SENT)
			continue;
		rc = fix_verify(&f, o->ids[i], i, sizes[i]);
		/* What failed is kept only where there is room. */
		if (state != STORE_FAILED || rc != -ENOENT)
			ck_assert_int_eq(rc, 0);
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

/* With the system's operations its calls are counted, else ours. */
static void begin(const struct store_io *wanted)
{
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	syscalls_reset();
	io = wanted;
}

static void end(void)
{
	fault_reset();
	syscalls_reset();
}

/* How many there are to fail. */
static unsigned count_operations(const struct store_io *wanted)
{
	struct outcome o;
	begin(wanted);
	scenario(&o);
	unsigned n =
	    wanted == &store_io_system ? syscalls_count() : fault_count();
	ck_assert(o.was_opened);
	for (int i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(o.accepted[i], 0);
	end();
	fix_finish(&f);
	return n;
}

static unsigned step_for(unsigned n)
{
	const char *all = getenv("POSTERN_EXHAUSTIVE");
	return all && *all ? 1 : n / SAMPLES + 1;
}

static void fail_each(enum fault_kind kind, bool is_lasting)
{
	unsigned n = count_operations(fault_io()), step = step_for(n);
	for (unsigned at = 1; at <= n; at += step) {
		struct outcome o;
		begin(fault_io());
		fault_arm(at, kind, is_lasting);
		scenario(&o);
		end();
		if (o.was_opened)
			check_afterwards(&o);
		fix_finish(&f);
	}
}

/* With errno `error`, or 0: short counts. */
static void fail_each_call(int error)
{
	unsigned n = count_operations(&store_io_system), step = step_for(n);
	for (unsigned at = 1; at <= n; at += step) {
		struct outcome o;
		begin(&store_io_system);
		syscalls_arm(at, error);
		scenario(&o);
		end();
		bool is_harmless = error == 0 || error == EINTR;
		ck_assert_msg(o.was_opened || !is_harmless, "call %u of %u: %s",
		    at, n, o.why);
		for (int i = 0; is_harmless && i < MESSAGES; i++)
			ck_assert_msg(o.accepted[i] == 0,
			    "call %u of %u, message %d: %d", at, n, i,
			    o.accepted[i]);
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

START_TEST(survives_each_call_failing)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		fail_each_call(errors[i]);
}
END_TEST

START_TEST(does_not_notice_an_interrupted_call)
{
	fail_each_call(EINTR);
}
END_TEST

START_TEST(does_not_notice_a_call_that_does_half)
{
	fail_each_call(0);
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

/* Whose client comes back is not sent by the next start as well. */
START_TEST(bodies_that_could_not_be_synced_take_their_rows_along)
{
	int rc;
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
	struct id id = fix_add(&f, 1, 1000, NULL);
	fault_fail_body_syncs();
	struct id refused = fix_add(&f, 2, 1000, &rc);
	ck_assert_int_eq(rc, -EIO);
	fault_reset();
	fix_close(&f);
	fix_open(&f, NULL);
	ck_assert_int_eq(fix_verify(&f, refused, 2, 1000), -ENOENT);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), 0);
	ck_assert_uint_eq(fix_pending(&f), 1);
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

/* A body that is on its way is waited for, also when another one failed. */
START_TEST(a_batch_that_fails_in_part_is_waited_for)
{
	struct fix_mail mails[2];
	struct store_accept accepts[2];
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
	struct id id = fix_add(&f, 1, 1000, NULL);
	fix_mail_init(&mails[0], 2, 1000);
	fix_mail_init(&mails[1], 3, 9 * 1024 * 1024);
	for (int i = 0; i < 2; i++)
		accepts[i] = (struct store_accept){ .entry = &mails[i].entry };
	/* The file for the second. */
	fault_reset();
	fault_arm(1, FAULT_EIO, false);
	fix_accept_all(&f, accepts, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(accepts[i].request.result, -EIO);
		fix_mail_finish(&mails[i]);
	}
	fix_close(&f);
	fix_open(&f, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 1, 1000), 0);
	ck_assert_uint_eq(fix_pending(&f), 1);
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.fault");
	TCase *tc = tcase_create("fault");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, survives_each_operation_failing_with_eio);
	tcase_add_test(tc, survives_a_disk_that_dies_at_each_operation);
	tcase_add_test(tc, survives_each_operation_finding_no_space);
	tcase_add_test(tc, survives_each_operation_being_short);
	tcase_add_test(tc, survives_each_call_failing);
	tcase_add_test(tc, does_not_notice_an_interrupted_call);
	tcase_add_test(tc, does_not_notice_a_call_that_does_half);
	tcase_add_test(tc, a_failed_sync_ends_all_writing);
	tcase_add_test(
	    tc, bodies_that_could_not_be_synced_take_their_rows_along);
	tcase_add_test(tc, a_batch_that_fails_in_part_is_waited_for);
	tcase_add_test(tc, a_full_disk_refuses_accepts_but_takes_updates);
	tcase_add_test(tc, no_space_for_one_batch_does_not_stop_the_next);
	tcase_add_test(tc, updates_get_the_reserve);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
