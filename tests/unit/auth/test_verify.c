/* What hashes cost and when they run; who leaves while they do. */
#include <support/unit.h>

#include "fixture.h"

#include <base/clock.h>
#include <support/onloop.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* --- hashes and the cache --- */

START_TEST(second_login_needs_no_hash)
{
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_int_eq(fixture_plain(SPAN("\0Alice\0wonder land")), AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0alice\0wonder lane")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
}
END_TEST

START_TEST(an_app_that_repeats_a_wrong_password_costs_one_hash)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wrong")),
		    AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
}
END_TEST

START_TEST(an_unknown_user_costs_a_hash_too)
{
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0nobody\0wonder land")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0  \0wonder land")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
}
END_TEST

START_TEST(password_of_the_dummy_opens_no_unknown_account)
{
	/* Whoever's record is hashed for strangers, both passwords fail. */
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0bob@example.com\0builder")), AUTH_OK);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fixture_plain(SPAN("\0nobody\0wonder land")),
		    AUTH_BAD_CREDENTIALS);
		ck_assert_int_eq(fixture_plain(SPAN("\0nobody\0builder")),
		    AUTH_BAD_CREDENTIALS);
	}
}
END_TEST

enum {
	CROWD = 64
};

START_TEST(simultaneous_logins_share_one_hash)
{
	struct client *clients = calloc(CROWD, sizeof(*clients));

	for (int i = 0; i < CROWD; i++)
		clients[i] = fixture_plain_client(SPAN("\0alice\0wonder land"));
	fixture_login_all(clients, CROWD);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(clients[i].answer.result, AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	free(clients);
}
END_TEST

START_TEST(guesses_at_one_name_are_limited)
{
	struct client *clients = calloc(CROWD, sizeof(*clients));
	char messages[CROWD][32];
	int busy = 0;

	for (int i = 0; i < CROWD; i++) {
		int len = snprintf(messages[i], sizeof(messages[i]),
		    "%calice%cguess%d", 0, 0, i);
		clients[i] =
		    fixture_plain_client(span_make(messages[i], (size_t)len));
	}
	fixture_login_all(clients, CROWD);
	for (int i = 0; i < CROWD; i++)
		if (clients[i].answer.result == AUTH_UNAVAILABLE)
			busy++;
		else
			ck_assert_int_eq(
			    clients[i].answer.result, AUTH_BAD_CREDENTIALS);
	ck_assert_int_gt(busy, 0);
	ck_assert_uint_eq(auth_hashes(fixture.auth), (uint64_t)(CROWD - busy));
	/* Who knows the password gets in as soon as they are done. */
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	free(clients);
}
END_TEST

START_TEST(a_full_queue_is_not_the_clients_fault)
{
	enum {
		MANY = 300
	};
	struct client *clients = calloc(MANY, sizeof(*clients));
	char(*messages)[40] = calloc(MANY, sizeof(*messages));
	int busy = 0;

	for (int i = 0; i < MANY; i++) {
		int len = snprintf(messages[i], sizeof(messages[i]),
		    "%cuser%d%cguess", 0, i, 0);
		clients[i] =
		    fixture_plain_client(span_make(messages[i], (size_t)len));
	}
	fixture_login_all(clients, MANY);
	for (int i = 0; i < MANY; i++)
		if (clients[i].answer.result == AUTH_UNAVAILABLE)
			busy++;
	ck_assert_int_gt(busy, 0);
	ck_assert_int_lt(busy, MANY - 60);
	free(messages);
	free(clients);
}
END_TEST

static _Atomic int64_t shift_ms;

static uint64_t shifted_mono(void)
{
	return (uint64_t)(1000000 + shift_ms) * 1000000;
}

static int64_t shifted_wall(void)
{
	return 1700000000000 + shift_ms;
}

START_TEST(verdicts_are_forgotten_in_time)
{
	shift_ms = 0;
	clock_override(shifted_mono, shifted_wall);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0alice\0wrong")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
	shift_ms = 61 * 1000; /* over the minute of wrong ones */
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0alice\0wrong")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 3);
	shift_ms = 601 * 1000; /* the use in between prolonged nothing */
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 4);
	clock_override(NULL, NULL);
}
END_TEST

START_TEST(no_cache_when_its_time_is_zero)
{
	const struct fixture_user users[] = {
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL }
	};
	struct config *other = fixture_config(users, NULL, "0s");

	for (int i = 0; i < 3; i++) {
		struct client c =
		    fixture_plain_client(SPAN("\0alice\0wonder land"));
		c.config = other;
		ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	}
	ck_assert_uint_eq(auth_hashes(fixture.auth), 3);
	config_unref(other);
}
END_TEST

START_TEST(a_changed_password_counts_at_once)
{
	char record[256];
	const struct fixture_user users[] = {
		{ "alice", fixture_scram("new one", record), NULL },
		{ NULL, NULL, NULL }
	};
	struct config *other = fixture_config(users, NULL, NULL);
	struct client old = fixture_plain_client(SPAN("\0alice\0wonder land"));
	struct client new = fixture_plain_client(SPAN("\0alice\0new one"));
	struct client gone =
	    fixture_plain_client(SPAN("\0bob@example.com\0builder"));

	ck_assert_int_eq(fixture_login(&old), AUTH_OK);
	ck_assert_int_eq(fixture_login(&new), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(fixture_login(&gone), AUTH_OK);
	old.config = new.config = gone.config = other;
	ck_assert_int_eq(fixture_login(&old), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(fixture_login(&new), AUTH_OK);
	ck_assert_int_eq(fixture_login(&gone), AUTH_BAD_CREDENTIALS);
	/* Sessions of before still run by the old rules. */
	old.config = fixture.config;
	ck_assert_int_eq(fixture_login(&old), AUTH_OK);
	config_unref(other);
}
END_TEST

START_TEST(many_reloads_leave_nothing_behind)
{
	const struct fixture_user users[] = {
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL }
	};

	for (int i = 0; i < 20; i++) {
		struct config *next = fixture_config(users, NULL, NULL);
		struct client c =
		    fixture_plain_client(SPAN("\0alice\0wonder land"));

		ck_assert_str_eq(fixture_offers(next, 256, false),
		    "PLAIN LOGIN SCRAM-SHA-256");
		c.config = next;
		ck_assert_int_eq(fixture_login(&c), AUTH_OK);
		config_unref(next);
	}
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
}
END_TEST

/* --- going away --- */

static void never_answered(void *ctx)
{
	(void)ctx;
	ck_abort_msg("answered after auth_end");
}

static void begin_and_end(void *ctx)
{
	struct client *c = ctx;

	c->done = never_answered;
	fixture_begin(c);
	auth_end(c->session);
}

static void begin_only(void *ctx)
{
	fixture_begin(ctx);
}

static void end_only(void *ctx)
{
	struct client *c = ctx;

	auth_end(c->session);
}

START_TEST(a_session_ends_before_its_answer)
{
	/* No hash is needed: the answer is already under way. */
	struct client c = fixture_plain_client(SPAN("malformed"));
	struct client u = fixture_client("UNKNOWN");

	onloop_call(fixture.loop, begin_and_end, &c);
	onloop_call(fixture.loop, begin_and_end, &u);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
}
END_TEST

START_TEST(a_session_ends_while_its_hash_runs)
{
	for (int i = 0; i < 20; i++) {
		struct client c =
		    fixture_plain_client(SPAN("\0alice\0wonder land"));
		c.config = fixture_config(
		    (const struct fixture_user[]){
			{ "alice", fixture.alice_record, NULL },
			{ NULL, NULL, NULL } },
		    NULL, "0s");
		onloop_call(fixture.loop, begin_and_end, &c);
		config_unref(c.config);
	}
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
}
END_TEST

static void do_nothing(void *ctx)
{
	(void)ctx;
}

START_TEST(a_session_ends_at_any_moment)
{
	struct config *uncached = fixture_config(
	    (const struct fixture_user[]){
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL } },
	    NULL, "0s");

	/* Somewhere in here the end meets the verdict on its way home. */
	for (int i = 0; i < 60; i++) {
		struct client c =
		    fixture_plain_client(SPAN("\0alice\0wonder land"));

		c.config = uncached;
		c.done = do_nothing;
		onloop_call(fixture.loop, begin_only, &c);
		/* A little later each time. */
		for (int turns = 0; turns < i; turns++)
			onloop_call(fixture.loop, do_nothing, NULL);
		onloop_call(fixture.loop, end_only, &c);
	}
	config_unref(uncached);
}
END_TEST

START_TEST(one_that_leaves_does_not_take_the_hash_of_others)
{
	struct client first =
	    fixture_plain_client(SPAN("\0alice\0wonder land"));
	struct client second =
	    fixture_plain_client(SPAN("\0alice\0wonder land"));

	onloop_call(fixture.loop, begin_and_end, &first);
	ck_assert_int_eq(fixture_login(&second), AUTH_OK);
}
END_TEST

static struct span leave_at_once(struct client *c, struct span challenge)
{
	(void)c;
	(void)challenge;
	return span_make(NULL, 0);
}

START_TEST(a_cancelled_exchange_leaves_no_trace)
{
	static const char *const names[] = { "PLAIN", "LOGIN",
		"SCRAM-SHA-256" };

	for (size_t i = 0; i < 3; i++) {
		struct client c = fixture_client(names[i]);
		c.respond = leave_at_once;
		ck_assert_int_eq(fixture_login(&c), AUTH_CONTINUE);
	}
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0alice\0wrong")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
}
END_TEST

/* --- several loops --- */

struct worker {
	pthread_t thread;
	struct loop *loop;
	struct config *configs[2];
	int ok;
};

static void *log_in_often(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 60; i++) {
		struct client c =
		    fixture_plain_client(i % 3 ? SPAN("\0alice\0wonder land")
					       : SPAN("\0alice\0wrong"));
		struct client s = fixture_scram_client("alice", "wonder land");

		c.loop = s.loop = w->loop;
		c.config = s.config = w->configs[i % 2];
		(void)fixture_offers(c.config, 256, false);
		w->ok += fixture_login(&c) == AUTH_OK;
		w->ok += fixture_login(&s) == AUTH_OK;
	}
	return NULL;
}

START_TEST(loops_share_cache_and_hashes)
{
	enum {
		WORKERS = 3
	};
	struct worker w[WORKERS] = { { .ok = 0 } };
	struct config *other = fixture_config(
	    (const struct fixture_user[]){
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL } },
	    NULL, NULL);

	for (int i = 0; i < WORKERS; i++) {
		w[i].loop = onloop_start();
		w[i].configs[0] = fixture.config;
		w[i].configs[1] = other;
		ck_assert_int_eq(
		    pthread_create(&w[i].thread, NULL, log_in_often, &w[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		(void)pthread_join(w[i].thread, NULL);
		ck_assert_int_eq(w[i].ok, 40 + 60);
	}
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
	auth_free(fixture.auth);
	fixture.auth = NULL;
	for (int i = 0; i < WORKERS; i++)
		onloop_stop(w[i].loop);
	config_unref(other);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(
	    t, fixture_open_library, fixture_close_library);
	tcase_add_checked_fixture(t, fixture_open, fixture_close);
	suite_add_tcase(suite, t);
	return t;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/verify");
	TCase *t;

	t = add_case(suite, "hashes");
	tcase_add_test(t, second_login_needs_no_hash);
	tcase_add_test(t, an_app_that_repeats_a_wrong_password_costs_one_hash);
	tcase_add_test(t, an_unknown_user_costs_a_hash_too);
	tcase_add_test(t, password_of_the_dummy_opens_no_unknown_account);
	tcase_add_test(t, simultaneous_logins_share_one_hash);
	tcase_add_test(t, guesses_at_one_name_are_limited);
	tcase_add_test(t, a_full_queue_is_not_the_clients_fault);
	tcase_add_test(t, verdicts_are_forgotten_in_time);
	tcase_add_test(t, no_cache_when_its_time_is_zero);
	tcase_add_test(t, a_changed_password_counts_at_once);
	tcase_add_test(t, many_reloads_leave_nothing_behind);
	t = add_case(suite, "ends");
	tcase_add_test(t, a_session_ends_before_its_answer);
	tcase_add_test(t, a_session_ends_while_its_hash_runs);
	tcase_add_test(t, a_session_ends_at_any_moment);
	tcase_add_test(t, one_that_leaves_does_not_take_the_hash_of_others);
	tcase_add_test(t, a_cancelled_exchange_leaves_no_trace);
	tcase_add_test(t, loops_share_cache_and_hashes);
	return suite;
}

UNIT_MAIN(make_suite)
