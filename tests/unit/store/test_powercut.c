/*
 * Simulated power cuts: a store works, the disk is rebuilt as it may look when
 * the power went at some point, and whatever was acknowledged by then must be
 * found, byte for byte, and nothing that was not offered yet.
 *
 * POSTERN_EXHAUSTIVE=1 cuts after every single change, in every mode.
 */
#include "crashdisk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	MESSAGES = 900,
	CUTS = 18,
	PREFIXES = 150, /* of a short life, when not all */
	SHORT_LIFE = 40,
	BATCH = 8, /* messages offered at once */
	SEED = 4711
};

static struct fix f;

/* What the scenario was told, and when: the number of events before. */
static struct {
	struct id id;
	size_t size, offered_at, accepted_at, given_up_at, finished_at;
} told[MESSAGES];
static unsigned told_count;

static bool is_exhaustive(void)
{
	const char *all = getenv("POSTERN_EXHAUSTIVE");
	return all && *all;
}

/* Some have their bodies in files of their own. */
static bool is_spooled(unsigned i)
{
	return i % 30 == 10;
}

static void note_offer(unsigned i)
{
	told[i].size = 64 + i * 37 % 3000;
	told[i].offered_at = crashdisk_events();
	told[i].accepted_at = told[i].given_up_at = told[i].finished_at =
	    SIZE_MAX;
	told_count = i + 1;
}

static void offer_one(unsigned i)
{
	note_offer(i);
	told[i].id = is_spooled(i) ? fix_add_spooled(&f, i, told[i].size, NULL)
				   : fix_add(&f, i, told[i].size, NULL);
	told[i].accepted_at = crashdisk_events();
}

static void finish_one(unsigned i)
{
	told[i].given_up_at = crashdisk_events();
	ck_assert_int_eq(fix_set(&f, told[i].id, STORE_SENT), 0);
	told[i].finished_at = crashdisk_events();
}

/* In one turn of the loop, so that they share batches. */
static void offer_batch(unsigned first)
{
	struct fix_mail mails[BATCH];
	struct store_accept accepts[BATCH];
	for (unsigned k = 0; k < BATCH; k++) {
		note_offer(first + k);
		fix_mail_init(&mails[k], first + k, told[first + k].size);
		told[first + k].id = mails[k].entry.id;
		accepts[k] = (struct store_accept){ .entry = &mails[k].entry };
	}
	fix_accept_all(&f, accepts, BATCH);
	for (unsigned k = 0; k < BATCH; k++) {
		ck_assert_int_eq(accepts[k].request.result, 0);
		told[first + k].accepted_at = crashdisk_events();
		fix_mail_finish(&mails[k]);
	}
}

/* Long enough for the write-ahead log to be carried over and reused. */
static void run_long_life(void)
{
	crashdisk_record();
	fix_open(&f, fault_io());
	for (unsigned i = 0; i < MESSAGES; i++) {
		offer_one(i);
		if (i % 3 == 2)
			finish_one(i - 1);
	}
	crashdisk_stop();
	fix_close(&f);
}

/* One with a stop, that is a checkpoint, and a start in its middle. */
static void run_short_life(void)
{
	crashdisk_record();
	for (unsigned life = 0; life < 2; life++) {
		unsigned first = life * SHORT_LIFE / 2;
		fix_open(&f, fault_io());
		for (unsigned i = 0; i < SHORT_LIFE / 2 - BATCH; i++) {
			offer_one(first + i);
			if (i % 3 == 2)
				finish_one(first + i - 1);
		}
		offer_batch(first + SHORT_LIFE / 2 - BATCH);
		finish_one(first + SHORT_LIFE / 2 - 1);
		fix_close(&f);
	}
	crashdisk_stop();
}

/* Load all messages; the results, and the bytes of those that are there. */
static void load_all(bool wants_message, int out[MESSAGES])
{
	static struct store_load loads[MESSAGES];
	for (unsigned i = 0; i < told_count; i++)
		loads[i] = (struct store_load){ .id = told[i].id,
			.wants_message = wants_message };
	fix_load_all(&f, loads, told_count);
	for (unsigned i = 0; i < told_count; i++) {
		const struct store_entry *e = loads[i].entry;
		out[i] = loads[i].request.result;
		ck_assert((out[i] == 0) == (e != NULL));
		if (e && wants_message)
			fix_check_message(e->message, i, told[i].size);
		store_entry_free(loads[i].entry);
	}
}

/* How many are pending. */
static size_t check_cut(size_t cut)
{
	static int rows[MESSAGES], bodies[MESSAGES];
	size_t pending = 0;
	load_all(false, rows);
	load_all(true, bodies);
	for (unsigned i = 0; i < told_count; i++) {
		bool is_known = rows[i] == 0;
		int body = bodies[i];
		ck_assert_msg(
		    body == 0 || body == -ENOENT, "message %u: %d", i, body);
		if (told[i].accepted_at <= cut)
			ck_assert_msg(is_known, "message %u is lost", i);
		if (told[i].finished_at <= cut)
			ck_assert_int_eq(body, -ENOENT);
		else if (told[i].accepted_at <= cut &&
			 cut < told[i].given_up_at)
			ck_assert_msg(body == 0, "message %u is empty", i);
		if (cut <= told[i].offered_at)
			ck_assert_msg(!is_known, "message %u is invented", i);
		pending += body == 0;
	}
	ck_assert_uint_eq(fix_pending(&f), pending);
	return pending;
}

/* When the last answer before it came. */
static size_t told_before(size_t cut)
{
	size_t last = 0;
	for (unsigned i = 0; i < told_count; i++) {
		if (told[i].accepted_at <= cut && told[i].accepted_at > last)
			last = told[i].accepted_at;
		if (told[i].finished_at <= cut && told[i].finished_at > last)
			last = told[i].finished_at;
	}
	return last;
}

static void cut_power(size_t cut, enum crash_mode mode)
{
	crashdisk_rebuild(&f, cut, told_before(cut), mode);
	fix_open(&f, NULL);
	size_t pending = check_cut(cut);
	/* Twice is once, and the store works. */
	if (cut % 4 == 0) {
		fix_close(&f);
		fix_open(&f, NULL);
		ck_assert_uint_eq(check_cut(cut), pending);
	}
	struct id id = fix_add(&f, 5000, 500, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 5000, 500), 0);
	fix_close(&f);
}

START_TEST(nothing_acknowledged_is_lost_when_the_power_goes)
{
	srand(SEED);
	fix_init(&f, STORE_SQLITE);
	run_long_life();
	/* The tables are there before the first message is. */
	size_t first = told[0].accepted_at;
	size_t span = crashdisk_events() - first + 1;
	/* The log was carried into the database while messages came in. */
	ck_assert_uint_gt(crashdisk_syncs(first, "store.db"), 0);
	for (int i = 0; i < CUTS; i++)
		cut_power(first + (size_t)rand() % span,
		    (enum crash_mode)(i % CRASH_MODES));
	fix_finish(&f);
}
END_TEST

static void make_directories(void)
{
	char bodies[128];
	fix_init(&f, STORE_SQLITE);
	ck_assert_int_eq(mkdir(f.path, 0700), 0);
	(void)snprintf(bodies, sizeof(bodies), "%s/bodies", f.path);
	ck_assert_int_eq(mkdir(bodies, 0700), 0);
}

START_TEST(every_prefix_of_a_life_is_one_that_was_lived)
{
	srand(SEED);
	fix_init(&f, STORE_SQLITE);
	run_short_life();
	fix_finish(&f);
	size_t cuts = crashdisk_events() + 1;
	size_t all = cuts * CRASH_MODES;
	size_t step = is_exhaustive() ? 1 : all / PREFIXES + 1;
	size_t at = is_exhaustive() ? 0 : (size_t)rand() % step;
	size_t done = 0;
	for (; at < all; at += step, done++) {
		make_directories();
		cut_power(
		    at / CRASH_MODES, (enum crash_mode)(at % CRASH_MODES));
		fix_finish(&f);
	}
	printf(
	    "%zu changes, %zu states of the disk looked at\n", cuts - 1, done);
	crashdisk_free();
}
END_TEST

/*
 * The sync of the log fails, and so does the checkpoint of the close: what was
 * written of it is in memory, and looks as if it were in the file.
 */
START_TEST(what_follows_a_failed_sync_of_the_log_is_found)
{
	struct err e;
	int rc;
	fix_init(&f, STORE_SQLITE);
	crashdisk_record();
	fix_open(&f, fault_io());
	told_count = 0;
	for (unsigned i = 0; i < 3; i++)
		offer_one(i);
	fault_fail_syncs();
	(void)fix_add(&f, 4711, 500, &rc);
	ck_assert_int_eq(rc, -EIO);
	fix_close(&f);
	fault_reset();
	/* One whose new sync fails does not start. */
	fault_fail_syncs();
	ck_assert_ptr_null(disk_open(&f.settings, fault_io(), &e));
	fault_reset();
	fix_open(&f, fault_io());
	for (unsigned i = 3; i < 6; i++)
		offer_one(i);
	crashdisk_stop();
	fix_close(&f);
	for (int mode = 0; mode < CRASH_MODES; mode++) {
		static int results[MESSAGES];
		crashdisk_rebuild(
		    &f, crashdisk_events(), SIZE_MAX, (enum crash_mode)mode);
		fix_open(&f, NULL);
		load_all(true, results);
		for (unsigned i = 0; i < told_count; i++)
			ck_assert_msg(results[i] == 0, "message %u is lost", i);
		fix_close(&f);
	}
	fix_finish(&f);
	crashdisk_free();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.powercut");
	TCase *tc = tcase_create("powercut");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, nothing_acknowledged_is_lost_when_the_power_goes);
	tcase_add_test(tc, what_follows_a_failed_sync_of_the_log_is_found);
	tcase_add_test(tc, every_prefix_of_a_life_is_one_that_was_lived);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
