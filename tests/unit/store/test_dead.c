/* What failed is kept whole for a while, and may be sent after all. */
#include "fault.h"
#include "fixture.h"

#include <base/clock.h>

#include <errno.h>
#include <unistd.h>

enum {
	SIZE = 5000,
	HOUR_MS = 3600 * 1000
};

static struct fix f;

static void start(uint64_t dead_ms, uint64_t dead_bytes)
{
	fix_init(&f, STORE_SQLITE);
	f.settings.dead_ms = dead_ms;
	f.settings.dead_bytes = dead_bytes;
	fix_open(&f, NULL);
}

static void stop(void)
{
	fix_finish(&f);
}

static void reopen(void)
{
	fix_close(&f);
	fix_open(&f, NULL);
}

static struct store_stats stats_now(void)
{
	struct store_stats s;
	store_stats(f.store, &s);
	return s;
}

static void check_figures(uint64_t messages, uint64_t dead)
{
	struct store_stats s = stats_now();
	ck_assert_uint_eq(s.messages, messages);
	ck_assert_uint_eq(s.bytes, messages * SIZE);
	ck_assert_uint_eq(s.dead, dead);
	ck_assert_uint_eq(s.dead_bytes, dead * SIZE);
	ck_assert_uint_eq(fix_pending(&f), messages);
}

static struct id add_failed(unsigned seed)
{
	struct id id = fix_add(&f, seed, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	return id;
}

static int revive(struct id id)
{
	struct store_recipient to = {
		.state = STORE_PENDING, .due_ms = 77, .key_turn = 1
	};
	struct store_update u = { .id = id,
		.indices = &(size_t){ 0 },
		.recipients = &to,
		.recipient_count = 1,
		.revived_ms = 4711 };
	return fix_update(&f, &u);
}

/* The writer gives up a little after each batch. */
static void wait_for_dead(uint64_t n)
{
	uint64_t deadline = clock_mono_ms() + 30000;
	while (stats_now().dead != n) {
		ck_assert_msg(clock_mono_ms() < deadline, "%llu are kept",
		    (unsigned long long)stats_now().dead);
		(void)fix_pending(&f);
		(void)usleep(1000);
	}
}

START_TEST(is_kept_whole_and_not_in_the_queue)
{
	struct store_load l;
	start(HOUR_MS, 1 << 30);
	struct id failed = add_failed(1);
	struct id bounced = fix_add(&f, 2, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, bounced, STORE_FAILED_OWED), 0);
	check_figures(1, 1);
	ck_assert_int_eq(fix_set(&f, bounced, STORE_BOUNCED), 0);
	struct id sent = fix_add(&f, 3, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, sent, STORE_SENT), 0);
	struct id dropped = fix_add(&f, 4, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, dropped, STORE_DROPPED), 0);
	check_figures(0, 2);
	for (int i = 0; i < 2; i++, reopen()) {
		ck_assert_int_eq(fix_verify(&f, failed, 1, SIZE), 0);
		ck_assert_int_eq(fix_verify(&f, bounced, 2, SIZE), 0);
		ck_assert_int_eq(fix_verify(&f, sent, 3, SIZE), -ENOENT);
		ck_assert_int_eq(fix_verify(&f, dropped, 4, SIZE), -ENOENT);
		check_figures(0, 2);
	}
	l = (struct store_load){ .id = failed };
	ck_assert_int_eq(fix_load(&f, &l), 0);
	ck_assert(l.entry->is_dead);
	store_entry_free(l.entry);
	stop();
}
END_TEST

START_TEST(is_in_the_queue_again)
{
	struct store_load l;
	start(HOUR_MS, 1 << 30);
	struct id id = add_failed(1);
	reopen();
	ck_assert_int_eq(revive(id), 0);
	check_figures(1, 0);
	reopen();
	check_figures(1, 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
	l = (struct store_load){ .id = id };
	ck_assert_int_eq(fix_load(&f, &l), 0);
	ck_assert(!l.entry->is_dead);
	ck_assert_int_eq(l.entry->terms.release_ms, 4711);
	ck_assert_int_eq(l.entry->recipients[0].due_ms, 77);
	store_entry_free(l.entry);
	/* And once more. */
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	check_figures(0, 1);
	ck_assert_int_eq(revive(id), 0);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	check_figures(0, 0);
	ck_assert_int_eq(revive(id), -ENOENT);
	stop();
}
END_TEST

START_TEST(what_the_client_was_refused_is_not_kept)
{
	struct store_recipient to = { .state = STORE_FAILED };
	start(HOUR_MS, 1 << 30);
	struct store_update u = { .id = fix_add(&f, 1, SIZE, NULL),
		.indices = &(size_t){ 0 },
		.recipients = &to,
		.recipient_count = 1,
		.is_refusal = true };
	ck_assert_int_eq(fix_update(&f, &u), 0);
	check_figures(0, 0);
	ck_assert_int_eq(fix_verify(&f, u.id, 1, SIZE), -ENOENT);
	ck_assert_int_eq(revive(u.id), -ENOENT);
	stop();
}
END_TEST

START_TEST(nothing_is_kept_where_that_is_off)
{
	start(0, 1 << 30);
	struct id id = add_failed(1);
	check_figures(0, 0);
	ck_assert_int_eq(revive(id), -ENOENT);
	stop();
}
END_TEST

START_TEST(the_oldest_go_when_there_are_too_many)
{
	struct id ids[6];
	start(HOUR_MS, 3 * SIZE);
	for (unsigned i = 0; i < 6; i++)
		ids[i] = fix_add(&f, i, SIZE, NULL);
	/* Oldest by when they failed, to a millisecond. */
	for (unsigned i = 6; i-- > 0;) {
		ck_assert_int_eq(fix_set(&f, ids[i], STORE_FAILED), 0);
		int64_t now = clock_wall_ms();
		while (clock_wall_ms() <= now)
			;
	}
	wait_for_dead(3);
	check_figures(0, 3);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(
		    fix_verify(&f, ids[i], i, SIZE), i < 3 ? 0 : -ENOENT);
	stop();
}
END_TEST

START_TEST(who_is_too_old_is_given_up)
{
	struct store_find d;
	start(HOUR_MS, 1 << 30);
	struct id id = add_failed(1);
	store_set_dead(f.store, 1, 1 << 30);
	/* A look at start, and then now and then. */
	f.settings.dead_ms = 1;
	reopen();
	(void)fix_add(&f, 2, SIZE, NULL);
	wait_for_dead(0);
	check_figures(1, 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), -ENOENT);
	/* What became of it is known all the same. */
	d = (struct store_find){ .id = id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	ck_assert(!d.entry->is_dead);
	store_find_finish(&d);
	stop();
}
END_TEST

START_TEST(history_is_not_forgotten_before_its_body)
{
	struct store_find d;
	start(HOUR_MS, 1 << 30);
	struct id id = add_failed(1);
	store_set_limits(f.store, 0, 0);
	/* Each is seen by several walks through history. */
	for (unsigned i = 0; i < 600; i++) {
		struct id other = fix_add(&f, 2, 100, NULL);
		ck_assert_int_eq(fix_set(&f, other, STORE_SENT), 0);
	}
	d = (struct store_find){ .id = id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	store_find_finish(&d);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
	stop();
}
END_TEST

START_TEST(one_in_a_file_of_its_own_is_kept_too)
{
	enum {
		LARGE = 3 * 1024 * 1024
	};
	start(HOUR_MS, 1 << 30);
	struct id id = fix_add_spooled(&f, 1, LARGE, NULL);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	reopen();
	ck_assert_int_eq(fix_verify(&f, id, 1, LARGE), 0);
	ck_assert_int_eq(revive(id), 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, LARGE), 0);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	store_set_dead(f.store, HOUR_MS, 1);
	wait_for_dead(0);
	ck_assert_int_eq(fix_verify(&f, id, 1, LARGE), -ENOENT);
	stop();
}
END_TEST

START_TEST(they_go_before_the_disk_is_full)
{
	fix_init(&f, STORE_SQLITE);
	f.settings.dead_ms = HOUR_MS;
	f.settings.dead_bytes = 1 << 30;
	fault_reset();
	fix_open(&f, fault_io());
	for (unsigned i = 0; i < 5; i++)
		(void)add_failed(i);
	check_figures(0, 5);
	store_set_limits(f.store, HOUR_MS, 1000);
	fault_set_free(100 * 1024 * 1024);
	wait_for_dead(0);
	/* There is room for mail, and none to keep what fails. */
	struct id id = fix_add(&f, 7, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	check_figures(0, 0);
	fix_finish(&f);
}
END_TEST

/* It is nobody's mail, and would push out what is. */
START_TEST(an_event_that_failed_is_not_kept)
{
	struct fix_mail m;
	struct store_held held;
	start(HOUR_MS, 1 << 30);
	fix_mail_init(&m, 1, SIZE);
	m.entry.is_event = true;
	m.entry.terms.priority = STORE_EVENT_PRIORITY;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	for (int i = 0; i < 2; i++, reopen()) {
		check_figures(1, 0);
		store_held(f.store, m.entry.user, &held);
		ck_assert_uint_eq(held.messages, 0);
	}
	ck_assert_int_eq(fix_set(&f, m.entry.id, STORE_FAILED), 0);
	check_figures(0, 0);
	ck_assert_int_eq(fix_verify(&f, m.entry.id, 1, SIZE), -ENOENT);
	fix_mail_finish(&m);
	stop();
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { is_kept_whole_and_not_in_the_queue,
		is_in_the_queue_again, what_the_client_was_refused_is_not_kept,
		nothing_is_kept_where_that_is_off,
		the_oldest_go_when_there_are_too_many,
		who_is_too_old_is_given_up,
		history_is_not_forgotten_before_its_body,
		one_in_a_file_of_its_own_is_kept_too,
		they_go_before_the_disk_is_full,
		an_event_that_failed_is_not_kept };
	Suite *s = suite_create("store.dead");
	TCase *tc = tcase_create("dead");
	tcase_set_timeout(tc, 120);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
