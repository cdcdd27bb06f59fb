/* What is sent again: found, and only when it was taken before. */
#include "fixture.h"

#include <base/clock.h>

#include <errno.h>

enum {
	HOUR_MS = 3600 * 1000
};

static struct fix f;

static void start(int engine)
{
	fix_init(&f, (enum store_engine)engine);
	fix_open(&f, NULL);
}

static void stop(void)
{
	fix_finish(&f);
}

static void make(struct fix_mail *m, uint64_t key, bool is_strict)
{
	fix_mail_init(m, 1, 500);
	m->entry.message_id = SPAN("1@example.org");
	m->accept.guard = (struct store_guard){
		.key = key, .window_ms = HOUR_MS, .is_strict = is_strict
	};
}

/* Accept one; *first is what it is a duplicate of, all zero when of none. */
static int offer(
    uint64_t key, bool is_strict, struct id *out, struct store_first *first)
{
	struct fix_mail m;
	make(&m, key, is_strict);
	int rc = fix_accept(&f, &m.accept);
	memset(first, 0, sizeof(*first));
	if (m.accept.is_duplicate)
		*first = m.accept.first;
	*out = m.entry.id;
	fix_mail_finish(&m);
	return rc;
}

static void check_new(uint64_t key, struct id *out)
{
	struct store_first first;
	static const struct id none;
	ck_assert_int_eq(offer(key, true, out, &first), 0);
	ck_assert(id_eq(first.id, none));
}

static void check_twin(uint64_t key, struct id of)
{
	struct store_first first;
	struct id id;
	ck_assert_int_eq(offer(key, true, &id, &first), -EALREADY);
	ck_assert(id_eq(first.id, of));
	ck_assert_int_eq(fix_verify(&f, id, 1, 500), -ENOENT);
}

START_TEST(a_duplicate_is_stored_and_told_of)
{
	struct store_first first;
	struct id a, b, c;
	start(_i);
	check_new(7, &a);
	ck_assert_int_eq(offer(7, false, &b, &first), 0);
	ck_assert(id_eq(first.id, a));
	ck_assert(!first.is_sent);
	/* The third one is one of the first. */
	ck_assert_int_eq(offer(7, false, &c, &first), 0);
	ck_assert(id_eq(first.id, a));
	ck_assert_int_eq(fix_verify(&f, c, 1, 500), 0);
	ck_assert_uint_eq(fix_pending(&f), 3);
	stop();
}
END_TEST

START_TEST(a_duplicate_is_dropped)
{
	struct store_first first;
	struct store_stats stats;
	struct id a, b;
	start(_i);
	check_new(7, &a);
	check_new(8, &b);
	check_twin(7, a);
	store_stats(f.store, &stats);
	ck_assert_uint_eq(stats.messages, 2);
	ck_assert_int_eq(fix_set(&f, a, STORE_SENT), 0);
	ck_assert_int_eq(offer(7, true, &b, &first), -EALREADY);
	ck_assert(first.is_sent);
	ck_assert_str_eq(first.provider, "fake");
	stop();
}
END_TEST

START_TEST(without_a_key_nothing_is_a_duplicate)
{
	struct id id;
	start(_i);
	check_new(0, &id);
	check_new(0, &id);
	stop();
}
END_TEST

START_TEST(what_came_to_nothing_does_not_count)
{
	static const enum store_state states[] = { STORE_FAILED, STORE_BOUNCED,
		STORE_DROPPED };
	struct id id, again;
	start(_i);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		check_new(20 + i, &id);
		ck_assert_int_eq(fix_set(&f, id, states[i]), 0);
		check_new(20 + i, &again);
		check_twin(20 + i, again);
	}
	stop();
}
END_TEST

/* Who hears that one of two has failed, and sends to both again, means it. */
START_TEST(what_half_came_to_nothing_does_not_count)
{
	struct store_recipient both[2];
	struct fix_mail m;
	start(_i);
	make(&m, 9, true);
	both[0] = both[1] = m.recipient;
	m.entry.recipients = both;
	m.entry.recipient_count = 2;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert_int_eq(fix_set(&f, m.entry.id, STORE_FAILED), 0);
	m.entry.id = id_make();
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert(!m.accept.is_duplicate);
	fix_mail_finish(&m);
	stop();
}
END_TEST

START_TEST(another_user_or_message_id_is_another_message)
{
	struct fix_mail m;
	struct id id;
	start(_i);
	check_new(7, &id);
	make(&m, 7, true);
	m.entry.user = SPAN("other");
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert(!m.accept.is_duplicate);
	fix_mail_finish(&m);
	make(&m, 7, true);
	m.entry.user = SPAN("other");
	m.entry.message_id = SPAN("2@example.org");
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	fix_mail_finish(&m);
	stop();
}
END_TEST

START_TEST(a_verdict_is_waited_for_where_it_is_wanted)
{
	struct fix_mail m;
	struct id id;
	start(_i);
	check_new(7, &id);
	make(&m, 7, true);
	m.accept.guard.wants_verdict = true;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	id = m.entry.id;
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	m.entry.id = id_make();
	ck_assert_int_eq(fix_accept(&f, &m.accept), -EALREADY);
	ck_assert(id_eq(m.accept.first.id, id));
	fix_mail_finish(&m);
	stop();
}
END_TEST

START_TEST(an_accept_repeated_is_no_duplicate)
{
	struct fix_mail m;
	start(_i);
	make(&m, 7, true);
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert_int_eq(fix_accept(&f, &m.accept), -EEXIST);
	ck_assert(!m.accept.is_duplicate);
	fix_mail_finish(&m);
	stop();
}
END_TEST

/* In one batch, so that the first one is not committed yet. */
START_TEST(of_a_crowd_one_is_stored)
{
	enum {
		CROWD = 20
	};
	struct fix_mail m[CROWD];
	struct store_accept all[CROWD];
	struct id first = { { 0 } };
	size_t stored = 0;
	start(_i);
	for (size_t i = 0; i < CROWD; i++) {
		make(&m[i], 7, true);
		all[i] = m[i].accept;
		all[i].quota_messages = 1;
	}
	fix_accept_all(&f, all, CROWD);
	for (size_t i = 0; i < CROWD; i++) {
		if (all[i].request.result == 0) {
			first = m[i].entry.id;
			stored++;
		}
	}
	ck_assert_uint_eq(stored, 1);
	for (size_t i = 0; i < CROWD; i++) {
		if (all[i].request.result != 0)
			ck_assert(id_eq(all[i].first.id, first));
		fix_mail_finish(&m[i]);
	}
	ck_assert_uint_eq(fix_pending(&f), 1);
	stop();
}
END_TEST

static int refuse(struct id id)
{
	struct store_recipient to = { .state = STORE_FAILED };
	struct store_update u = { .id = id,
		.indices = &(size_t){ 0 },
		.recipients = &to,
		.recipient_count = 1,
		.is_refusal = true };
	return fix_update(&f, &u);
}

START_TEST(what_was_vouched_for_is_not_refused)
{
	struct id a, b;
	start(_i);
	check_new(7, &a);
	check_new(8, &b);
	check_twin(7, a);
	ck_assert_int_eq(refuse(a), -EALREADY);
	ck_assert_int_eq(fix_verify(&f, a, 1, 500), 0);
	ck_assert_int_eq(refuse(b), 0);
	ck_assert_int_eq(fix_verify(&f, b, 1, 500), -ENOENT);
	stop();
}
END_TEST

/* --- the durable engine --- */

START_TEST(it_is_known_after_a_restart)
{
	struct id sent, open, failed, again;
	start(STORE_SQLITE);
	check_new(1, &sent);
	ck_assert_int_eq(fix_set(&f, sent, STORE_SENT), 0);
	check_new(2, &open);
	check_new(3, &failed);
	ck_assert_int_eq(fix_set(&f, failed, STORE_FAILED), 0);
	check_new(3, &again);
	fix_close(&f);
	fix_open(&f, NULL);
	check_twin(1, sent);
	check_twin(2, open);
	check_twin(3, again);
	/* Nor is what was said forgotten. */
	fix_close(&f);
	fix_open(&f, NULL);
	ck_assert_int_eq(refuse(open), -EALREADY);
	stop();
}
END_TEST

static int offer_at(int64_t at_ms, uint64_t window_ms, struct id *out)
{
	struct fix_mail m;
	make(&m, 7, true);
	for (int i = 5; i >= 0; i--, at_ms >>= 8)
		m.entry.id.bytes[i] = (uint8_t)(at_ms & 0xff);
	m.accept.guard.window_ms = window_ms;
	int rc = fix_accept(&f, &m.accept);
	*out = m.entry.id;
	fix_mail_finish(&m);
	return rc;
}

START_TEST(the_window_ends_and_may_grow)
{
	int64_t now = clock_wall_ms();
	struct id old, id;
	start(STORE_SQLITE);
	ck_assert_int_eq(offer_at(now - HOUR_MS - 5000, HOUR_MS, &old), 0);
	fix_close(&f);
	fix_open(&f, NULL);
	/* Not even read at the start. */
	ck_assert_int_eq(offer_at(now, 60 * 1000, &id), 0);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	/* Read again. */
	ck_assert_int_eq(offer_at(now, 2 * HOUR_MS, &id), -EALREADY);
	ck_assert_int_eq(offer_at(now, HOUR_MS, &id), 0);
	stop();
}
END_TEST

/* What is nearly as old as the window is not forgotten with what is older. */
START_TEST(what_is_remembered_is_renewed)
{
	static const uint64_t keys[] = { 1, 2, 3 };
	static const int64_t ages_ms[] = { 90 * 1000, 45 * 1000, 0 };
	int64_t now = clock_wall_ms();
	struct fix_mail m;
	struct id ids[3];
	start(STORE_SQLITE);
	make(&m, 1, true);
	m.accept.guard.window_ms = 60 * 1000;
	for (size_t i = 0; i < 6; i++) {
		int64_t at_ms = now - ages_ms[i % 3];
		m.entry.id = id_make();
		for (int k = 5; k >= 0; k--, at_ms >>= 8)
			m.entry.id.bytes[k] = (uint8_t)(at_ms & 0xff);
		m.accept.guard.key = keys[i % 3];
		ck_assert_int_eq(fix_accept(&f, &m.accept),
		    i == 4 || i == 5 ? -EALREADY : 0);
		if (i < 3)
			ids[i] = m.entry.id;
		else if (i > 3)
			ck_assert(id_eq(m.accept.first.id, ids[i % 3]));
	}
	fix_mail_finish(&m);
	stop();
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { a_duplicate_is_stored_and_told_of,
		a_duplicate_is_dropped, without_a_key_nothing_is_a_duplicate,
		what_came_to_nothing_does_not_count,
		what_half_came_to_nothing_does_not_count,
		another_user_or_message_id_is_another_message,
		a_verdict_is_waited_for_where_it_is_wanted,
		an_accept_repeated_is_no_duplicate, of_a_crowd_one_is_stored,
		what_was_vouched_for_is_not_refused };
	Suite *s = suite_create("store.guard");
	TCase *tc = tcase_create("both engines");
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(
		    tc, tests[i], STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_test(tc, it_is_known_after_a_restart);
	tcase_add_test(tc, the_window_ends_and_may_grow);
	tcase_add_test(tc, what_is_remembered_is_renewed);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
