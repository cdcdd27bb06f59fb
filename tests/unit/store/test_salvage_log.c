/*
 * What may be missing from the log of a damaged spool: nothing that was over is
 * open in the new one, and what may be over is held.
 */
#include "spoil.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	LOG_HEADER = 32,
	FRAME = 24 + PAGE,
	MESSAGES = 60
};

static off_t frames(void)
{
	return (spoil_size_of("store.db-wal") - LOG_HEADER) / FRAME;
}

static enum store_state state_of(struct id id, bool *is_pinned)
{
	struct store_load l = { .id = id };
	ck_assert_int_eq(fix_load(&spoil.f, &l), 0);
	enum store_state state = l.entry->recipients[0].state;
	*is_pinned = l.entry->recipients[0].is_pinned;
	store_entry_free(l.entry);
	return state;
}

/* Of those that were found. */
static void check_nothing_is_sent_again(void)
{
	bool is_pinned;
	ck_assert_ptr_nonnull(spoil.report.doubt);
	ck_assert(!salvage_is_complete(&spoil.report));
	for (unsigned i = 0; i < spoil.count; i++) {
		struct store_find find = { .id = spoil.told[i].id };
		if (fix_find(&spoil.f, &find) == -ENOENT)
			continue;
		store_find_finish(&find);
		enum store_state state = state_of(find.id, &is_pinned);
		ck_assert_msg(state == STORE_HELD || state == STORE_SENT ||
				  state == STORE_FAILED,
		    "message %u is %d", i, (int)state);
	}
}

/* What the log says and the database does not. */
static void fill_log(void)
{
	spoil_fill(MESSAGES);
	fix_close(&spoil.f);
	fix_open(&spoil.f, NULL);
	for (unsigned i = 0; i < MESSAGES; i += 6) {
		spoil_set(spoil.told[i].id, STORE_SENT);
		spoil.told[i].state = STORE_SENT;
	}
	spoil_end_killed();
}

/* None; or shorter than what each start writes. */
static const off_t sizes[] = { -1, 0, 1, 32, 4000, LOG_HEADER + FRAME - 1 };

START_TEST(without_its_log_nothing_is_sent_again)
{
	char path[200];
	bool is_pinned;
	fill_log();
	spoil_name(path, "store.db-wal");
	if (sizes[_i] < 0)
		ck_assert_int_eq(unlink(path), 0);
	else
		ck_assert_int_eq(truncate(path, sizes[_i]), 0);
	spoil_salvage();
	check_nothing_is_sent_again();
	for (unsigned i = 0; i < MESSAGES; i++) {
		enum store_state was = spoil.told[i].state;
		(void)state_of(spoil.told[i].id, &is_pinned);
		ck_assert_int_eq(is_pinned, was == STORE_STARTED);
	}
	fix_finish(&spoil.f);
}
END_TEST

/* It is no end that nothing tells of. */
START_TEST(without_its_lock_it_was_not_closed)
{
	char path[200];
	fill_log();
	spoil_name(path, "store.db-wal");
	ck_assert_int_eq(unlink(path), 0);
	spoil_name(path, "lock");
	ck_assert_int_eq(_i ? truncate(path, 0) : unlink(path), 0);
	spoil_salvage();
	check_nothing_is_sent_again();
	fix_finish(&spoil.f);
}
END_TEST

/* A third of the way through its log. */
static void make_hole(void)
{
	off_t at = LOG_HEADER + frames() / 3 * FRAME + 24 + 1000;
	spoil_overwrite("store.db-wal", at, "????????????????", 16);
}

/* As programs did that began no new log then: at the hole, with its salts. */
START_TEST(what_lies_behind_a_hole_is_not_newer)
{
	spoil_fill(4 * MESSAGES);
	spoil_end_killed();
	make_hole();
	spoil_sql("PRAGMA wal_autocheckpoint = 0;"
		  "UPDATE recipient SET state = 1 WHERE state < 2;"
		  "UPDATE recipient SET state = 2 WHERE state < 2",
	    true);
	spoil_salvage();
	check_nothing_is_sent_again();
	fix_finish(&spoil.f);
}
END_TEST

/* Where one is torn, too. */
START_TEST(a_start_goes_on_in_a_log_without_a_hole)
{
	char path[200];
	unsigned found = 0;
	spoil_fill(MESSAGES);
	spoil_end_killed();
	if (_i)
		make_hole();
	spoil_name(path, "store.db-wal");
	off_t size = spoil_size_of("store.db-wal");
	if (!_i)
		ck_assert_int_eq(truncate(path, size - 1000), 0);
	ck_assert_int_eq(rename(spoil.damaged, spoil.f.path), 0);
	fix_open(&spoil.f, NULL);
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct store_find find = { .id = spoil.told[i].id };
		if (fix_find(&spoil.f, &find) == -ENOENT)
			continue;
		store_find_finish(&find);
		spoil_set(find.id, STORE_SENT);
		found++;
	}
	ck_assert_uint_gt(found, 0);
	spoil_end_killed();
	spoil_salvage();
	ck_assert_ptr_null(spoil.report.doubt);
	ck_assert_uint_eq(spoil.report.messages, found);
	ck_assert_uint_eq(spoil.report.held, 0);
	ck_assert_uint_eq(fix_pending(&spoil.f), 0);
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(damage_at_the_very_end_is_seen)
{
	spoil_fill(12);
	spoil_end_killed();
	spoil_sql("PRAGMA wal_autocheckpoint = 0;"
		  "UPDATE recipient SET state = 2 WHERE state < 2;"
		  "UPDATE unsure SET messages = x'00'",
	    true);
	/* In a sum of the last but one. */
	spoil_overwrite(
	    "store.db-wal", LOG_HEADER + (frames() - 2) * FRAME + 17, "??", 2);
	spoil_salvage();
	check_nothing_is_sent_again();
	fix_finish(&spoil.f);
}
END_TEST

/* Of its header, the middle, the last frame. */
START_TEST(a_bad_sector_of_the_log_is_not_all_of_it)
{
	struct err e = { 0 };
	fill_log();
	off_t size = spoil_size_of("store.db-wal");
	const off_t at[] = { 0, size / 2, size - 1 };
	spoil_sector("store.db-wal", at[_i], 0);
	struct store_settings settings = spoil.f.settings;
	settings.path = spoil.damaged;
	ck_assert_ptr_null(store_open(&settings, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "postern salvage"));
	spoil_salvage();
	check_nothing_is_sent_again();
	ck_assert_uint_eq(spoil.report.messages, MESSAGES);
	fix_finish(&spoil.f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.salvage_log");
	TCase *tc = tcase_create("salvage_log");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, without_its_log_nothing_is_sent_again, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_loop_test(tc, without_its_lock_it_was_not_closed, 0, 2);
	tcase_add_test(tc, what_lies_behind_a_hole_is_not_newer);
	tcase_add_loop_test(tc, a_start_goes_on_in_a_log_without_a_hole, 0, 2);
	tcase_add_test(tc, damage_at_the_very_end_is_seen);
	tcase_add_loop_test(tc, a_bad_sector_of_the_log_is_not_all_of_it, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
