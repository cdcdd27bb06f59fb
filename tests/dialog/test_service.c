/*
 * What sessions have in common: limits over workers, draining, aborting, and
 * many of them at once on several loops (the run that ThreadSanitizer sees).
 */
#include "client.h"
#include "fakes.h"
#include "server.h"

#include <base/clock.h>
#include <base/log.h>
#include <policy/peers.h>
#include <smtp/session_internal.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <support/certs.h>
#include <support/onloop.h>
#include <support/unit.h>

static struct certs certs;
static struct settings settings;
static struct server server;
static const struct script nothing;

static void set_up(void)
{
	certs_init(&certs);
	certs_add(&certs, "mx.test", CERTS_ECDSA);
	fakes_init();
	settings_apply(&settings, &nothing, TRANSPORT_PLAIN);
}

static void tear_down(void)
{
	settings_finish(&settings);
	fakes_finish();
	certs_finish(&certs);
}

static void await_sessions(struct server *s, size_t count)
{
	uint64_t deadline = clock_mono_ms() + 20000;

	while (server_sessions(s) != count)
		ck_assert_uint_lt(clock_mono_ms(), deadline);
}

START_TEST(limits_sessions_of_one_address)
{
	struct client a, b;

	settings.config.smtp.sessions_per_ip = 1;
	server_start(&server, &settings, &certs.tls);
	client_open(&a, server.port);
	client_expect(&a, "220 ");
	client_open(&b, server.port);
	client_expect(&b, "421 4.7.0 Too many connections from 127.0.0.1");
	ck_assert(client_sees_close(&b));
	client_close(&b);
	client_close(&a);
	await_sessions(&server, 0);
	client_open(&b, server.port);
	client_expect(&b, "220 ");
	client_close(&b);
	server_stop(&server);
	ck_assert_uint_eq(counter_get(&server.counters.listeners[0]
					   .refused[COUNTER_REFUSED_SESSIONS]),
	    1);
	ck_assert_uint_eq(
	    counter_get(&server.counters.listeners[0].connections), 2);
}
END_TEST

START_TEST(limits_sessions_in_all)
{
	struct client a, b;

	settings.config.smtp.sessions_total = 1;
	server_start(&server, &settings, &certs.tls);
	client_open(&a, server.port);
	client_expect(&a, "220 ");
	client_open(&b, server.port);
	client_expect(&b, "421 4.3.2 Too busy, try again later (");
	ck_assert(client_sees_close(&b));
	client_close(&b);
	client_close(&a);
	server_stop(&server);
}
END_TEST

START_TEST(cannot_say_it_before_a_handshake)
{
	struct client a, b;

	settings.config.smtp.sessions_per_ip = 1;
	settings.listener.tls = CONFIG_TLS_IMPLICIT;
	server_start(&server, &settings, &certs.tls);
	client_open(&a, server.port);
	ck_assert(client_start_tls(&a));
	client_expect(&a, "220 ");
	client_open(&b, server.port);
	ck_assert(client_sees_close(&b));
	client_close(&b);
	client_close(&a);
	server_stop(&server);
}
END_TEST

/* A session that is open when the store breaks hears of it at MAIL. */
START_TEST(turns_clients_away_while_the_store_is_broken)
{
	struct client a, b;

	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	server_start(&server, &settings, &certs.tls);
	client_open(&a, server.port);
	client_expect(&a, "220 ");
	fakes.store_rc = -EIO;
	client_say(&a, "HELO x\r\nMAIL FROM:<a@b.test>\r\n");
	client_expect(&a, "250 mx.test");
	client_expect(&a, "451 4.3.0 Queue file write error (");
	client_open(&b, server.port);
	client_expect(&b, "421 4.3.2 Not accepting mail");
	ck_assert(client_sees_close(&b));
	client_close(&b);
	/* Who never stores anything is served. */
	settings.user.mode = CONFIG_MODE_DIRECT;
	client_open(&b, server.port);
	client_expect(&b, "220 ");
	client_close(&a);
	client_close(&b);
	server_stop(&server);
}
END_TEST

/* From 127.0.0.1, whatever else happens elsewhere. */
START_TEST(limits_connects_of_one_address)
{
	struct client a;

	settings.config.smtp.connects_per_ip =
	    (struct postern_rate){ .count = 2, .per_ms = 3600000 };
	server_start(&server, &settings, &certs.tls);
	for (int i = 0; i < 3; i++) {
		client_open(&a, server.port);
		client_expect(&a, i < 2 ? "220 "
					: "421 4.7.0 Too many connections from "
					  "127.0.0.1");
		client_close(&a);
	}
	server_stop(&server);
	ck_assert_uint_eq(
	    counter_get(
		&server.counters.listeners[0].refused[COUNTER_REFUSED_RATE]),
	    1);
}
END_TEST

START_TEST(turns_away_networks_that_failed_to_log_in)
{
	struct client a, b;

	settings.config.auth.failures_per_minute = 2;
	server_start(&server, &settings, &certs.tls);
	client_open(&a, server.port);
	client_open(&b, server.port);
	client_expect(&a, "220 ");
	client_expect(&b, "220 ");
	client_say(&a, "EHLO x\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\n"
		       "AUTH PLAIN AGFsaWNlAHdyb25n\r\n");
	while (strncmp(client_line(&a), "535 5.7.8", 9) != 0)
		;
	client_expect(&a, "535 5.7.8");
	client_expect(&a, "421 4.7.0 Too many failed authentications (");
	ck_assert(client_sees_close(&a));
	/* One inside: the right password is not even looked at. */
	client_say(&b, "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	while (strncmp(client_line(&b), "250-", 4) == 0)
		;
	client_expect(&b, "421 4.7.0 Too many failed authentications (");
	ck_assert(client_sees_close(&b));
	client_close(&b);
	/* And one at the door. */
	client_open(&b, server.port);
	client_expect(&b, "421 4.7.0 Too many failed authentications");
	ck_assert(client_sees_close(&b));
	client_close(&a);
	client_close(&b);
	server_stop(&server);
	ck_assert_uint_eq(
	    counter_get(
		&server.counters.listeners[0].refused[COUNTER_REFUSED_LOGINS]),
	    1);
	ck_assert_uint_eq(
	    counter_get(&server.counters.logins[COUNTER_MECHANISM_PLAIN]
					       [COUNTER_LOGIN_BAD]),
	    2);
	ck_assert_uint_eq(counter_sum(server.counters.logins[0],
			      COUNTER_MECHANISMS * COUNTER_LOGINS),
	    3);
}
END_TEST

/* The loop stands still until the client has spoken. */
struct standstill {
	struct task task;
	pthread_mutex_t lock;
};

static void stand_still(struct task *t)
{
	struct standstill *s = container_of(t, struct standstill, task);

	(void)pthread_mutex_lock(&s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

START_TEST(refuses_who_talks_before_it_is_greeted)
{
	struct standstill standstill = { .task.run = stand_still,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	struct client c;

	settings.config.smtp.pregreet =
	    _i ? CONFIG_PREGREET_REJECT : CONFIG_PREGREET_LOG;
	server_start(&server, &settings, &certs.tls);
	(void)pthread_mutex_lock(&standstill.lock);
	loop_post(server.loop, &standstill.task);
	client_open(&c, server.port);
	client_say(&c, "HELO x\r\n");
	(void)pthread_mutex_unlock(&standstill.lock);
	if (_i) {
		client_expect(&c, "554 5.5.0 SMTP protocol synchronization (");
		ck_assert(client_sees_close(&c));
	} else {
		client_expect(&c, "220 mx.test");
		client_expect(&c, "250 mx.test");
	}
	client_close(&c);
	server_stop(&server);
	ck_assert_uint_eq(
	    counter_get(&server.counters.violations[SMTP_PREGREET]), 1);
}
END_TEST

START_TEST(limits_sessions_of_one_user)
{
	struct client c[3];

	settings.config.smtp.sessions_per_user = 1;
	server_start(&server, &settings, &certs.tls);
	for (int i = 0; i < 3; i++) {
		client_open(&c[i], server.port);
		client_say(
		    &c[i], "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
		client_expect(&c[i], "220 ");
		while (strncmp(client_line(&c[i]), "250-", 4) == 0)
			;
		if (i != 1) {
			client_expect(&c[i], "235 2.7.0");
			continue;
		}
		client_expect(&c[i],
		    "421 4.7.0 Too many sessions of this user, at "
		    "most 1 at the same time (");
		ck_assert(client_sees_close(&c[i]));
		client_close(&c[0]);
		client_close(&c[1]);
		await_sessions(&server, 0);
	}
	client_close(&c[2]);
	server_stop(&server);
}
END_TEST

START_TEST(gives_idle_clients_less_time_under_stress)
{
	struct client c[9];

	settings.config.smtp.sessions_total = 10;
	settings.config.smtp.stress = true;
	settings.config.smtp.hard_errors = 3;
	server_start(&server, &settings, &certs.tls);
	for (int i = 0; i < 8; i++) {
		client_open(&c[i], server.port);
		client_expect(&c[i], "220 ");
	}
	client_say(&c[0], "FOO\r\n");
	client_expect(&c[0], "500 5.5.1");
	ck_assert(!peers_is_stressed(server.service.peers));
	client_open(&c[8], server.port);
	client_expect(&c[8], "220 ");
	ck_assert(peers_is_stressed(server.service.peers));
	/* What everyone must do is no junk, and no error goes through. */
	client_say(&c[1], "EHLO x\r\nRSET\r\nRSET\r\n");
	while (strncmp(client_line(&c[1]), "250-", 4) == 0)
		;
	client_expect(&c[1], "250 2.0.0");
	client_expect(&c[1], "250 2.0.0");
	client_expect(&c[1], "421 4.7.0 Too many errors");
	client_say(&c[0], "FOO\r\n");
	client_expect(&c[0], "500 5.5.1");
	client_expect(&c[0], "421 4.7.0 Too many errors");
	await_sessions(&server, 7);
	client_close(&c[8]);
	await_sessions(&server, 6);
	ck_assert(!peers_is_stressed(server.service.peers));
	for (int i = 0; i < 8; i++)
		client_close(&c[i]);
	server_stop(&server);
}
END_TEST

static void count_empty(void *ctx)
{
	++*(int *)ctx;
}

START_TEST(drains_who_is_idle_now_and_others_later)
{
	struct client idle, busy, late;
	int empty = 0;

	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	server_start(&server, &settings, &certs.tls);
	server.service.on_empty = count_empty;
	server.service.ctx = &empty;
	client_open(&idle, server.port);
	client_expect(&idle, "220 ");
	client_open(&busy, server.port);
	client_expect(&busy, "220 ");
	client_say(&busy,
	    "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
	    "DATA\r\nFrom: a@b.test\r\n");
	client_expect(&busy, "250 mx.test");
	client_expect(&busy, "250 2.1.0");
	client_expect(&busy, "250 2.1.5");
	client_expect(&busy, "354");

	server_drain(&server);
	client_expect(&idle, "421 4.3.2 Shutting down");
	ck_assert(client_sees_close(&idle));
	client_open(&late, server.port);
	client_expect(&late, "421 4.3.2 Shutting down");
	ck_assert(client_sees_close(&late));
	/* A message being received is received. */
	client_say(&busy, "\r\nhi\r\n.\r\n");
	client_expect(&busy, "250 2.0.0 Ok: queued as");
	client_expect(&busy, "421 4.3.2 Shutting down");
	ck_assert(client_sees_close(&busy));
	client_close(&idle);
	client_close(&late);
	client_close(&busy);
	await_sessions(&server, 0);
	server_stop(&server);
	ck_assert_int_eq(empty, 1);
	ck_assert_uint_eq(fakes.submitted, 1);
}
END_TEST

START_TEST(drains_inside_a_transaction_at_the_next_command)
{
	struct client c;

	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	client_expect(&c, "220 ");
	client_say(&c, "HELO x\r\nMAIL FROM:<a@b.test>\r\n");
	client_expect(&c, "250 mx.test");
	client_expect(&c, "250 2.1.0");
	server_drain(&server);
	client_say(&c, "RCPT TO:<c@d.test>\r\n");
	client_expect(&c, "421 4.3.2 Shutting down (");
	ck_assert(client_sees_close(&c));
	client_close(&c);
	server_stop(&server);
	ck_assert_uint_eq(fakes.given_back, 1);
}
END_TEST

/* --- waiting --- */

struct sight {
	bool is_eof;
	enum smtp_wait wait;
};

/* What is seen of the one session there is. */
static void see(void *ctx)
{
	const struct list *sessions = &server.service.sessions;
	const struct smtp_session *s =
	    container_of(sessions->next, struct smtp_session, link);

	*(struct sight *)ctx =
	    (struct sight){ .is_eof = s->is_eof, .wait = s->wait };
}

static void await_sight(const struct sight *wanted)
{
	uint64_t deadline = clock_mono_ms() + 20000;
	struct sight seen;

	do {
		ck_assert_uint_lt(clock_mono_ms(), deadline);
		ck_assert_uint_eq(server_sessions(&server), 1);
		onloop_call(server.loop, see, &seen);
	} while (seen.is_eof != wanted->is_eof || seen.wait != wanted->wait);
}

static void open_for_alice(int tls)
{
	settings.listener.tls = tls;
	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	fakes.is_deaf = true;
	server_start(&server, &settings, &certs.tls);
}

static void answer(void *ctx)
{
	(void)ctx;
	fakes_answer();
}

START_TEST(answers_who_only_stopped_sending)
{
	static const struct sight waits_without_input = { .is_eof = true,
		.wait = SMTP_WAIT_DELIVER };
	struct client c;

	open_for_alice(_i ? CONFIG_TLS_IMPLICIT : CONFIG_TLS_NONE);
	client_open(&c, server.port);
	if (_i)
		ck_assert(client_start_tls(&c));
	client_say(&c,
	    "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
	    "DATA\r\nFrom: a@b.test\r\n\r\nhi\r\n.\r\n");
	client_eof(&c);
	client_expect(&c, "220 ");
	client_expect(&c, "250 mx.test");
	client_expect(&c, "250 2.1.0");
	client_expect(&c, "250 2.1.5");
	client_expect(&c, "354");
	await_sight(&waits_without_input);
	onloop_call(server.loop, answer, NULL);
	client_expect(&c, "250 2.0.0 Ok: queued as");
	ck_assert(client_sees_close(&c));
	client_close(&c);
	await_sessions(&server, 0);
	server_stop(&server);
	ck_assert_uint_eq(counter_get(&server.counters.accepted), 1);
	ck_assert_uint_eq(
	    counter_get(&server.counters.listeners[0].rejected), 0);
}
END_TEST

/* A full disk or a quota is no reason to be asked as fast as the wire goes. */
START_TEST(slows_who_is_refused_over_and_over)
{
	static const struct sight is_slowed = { .wait = SMTP_WAIT_DELAY };
	struct client c;

	settings.config.smtp.soft_errors = 2;
	settings.config.smtp.error_delay_ms = 1000000;
	fakes.store_rc = -ENOSPC;
	open_for_alice(CONFIG_TLS_NONE);
	client_open(&c, server.port);
	client_say(&c,
	    "HELO x\r\nMAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\n"
	    "MAIL FROM:<a@b.test>\r\nNOOP\r\n");
	client_expect(&c, "220 ");
	client_expect(&c, "250 mx.test");
	client_expect(&c, "452 4.3.1");
	client_expect(&c, "452 4.3.1");
	client_expect(&c, "452 4.3.1");
	await_sight(&is_slowed);
	client_close(&c);
	server_stop(&server);
}
END_TEST

START_TEST(aborts_sessions_in_every_state)
{
	static const char *const words[] = { "", "EHLO x\r\n",
		"EHLO x\r\nAUTH PLAIN\r\n", "EHLO x\r\nAUTH SLOW\r\n",
		"HELO x\r\nMAIL FROM:<a@b.test>\r\n",
		"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
		"DATA\r\nFrom:",
		"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
		"DATA\r\nFrom: a@b.test\r\n.\r\n",
		"HELO x\r\nFOO\r\nFOO\r\n" };
	enum {
		COUNT = sizeof(words) / sizeof(words[0])
	};
	struct client c[COUNT];

	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	settings.config.smtp.soft_errors = 1;
	settings.config.smtp.error_delay_ms = 1000000;
	fakes.is_deaf = true;
	server_start(&server, &settings, &certs.tls);
	for (size_t i = 0; i < COUNT; i++) {
		client_open(&c[i], server.port);
		client_expect(&c[i], "220 ");
		client_say(&c[i], words[i]);
	}
	client_say(&c[0], "NOOP\r\n");
	client_expect(&c[0], "250 ");
	server_stop(&server);
	for (size_t i = 0; i < COUNT; i++)
		client_close(&c[i]);
	ck_assert_uint_eq(fakes.config_refs, 0);
	/* The one in delivery goes on. */
	ck_assert_uint_eq(counter_get(&server.counters.accepted), 1);
	ck_assert_uint_eq(fakes.taken, fakes.given_back + 1);
}
END_TEST

/* --- several workers --- */

enum {
	WORKERS = 3,
	CLIENTS = 6,
	ROUNDS = 30
};

static struct server workers[WORKERS];

static void *client_thread(void *arg)
{
	const struct server *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct client c;

		client_open(&c, s->port);
		(void)client_start_tls(&c);
		(void)client_line(&c);
		client_say(&c, "HELO x\r\nNOOP\r\nQUIT\r\n");
		while (client_line(&c))
			;
		client_close(&c);
	}
	return NULL;
}

/* Workers with limits, counters and TLS keys in common. */
START_TEST(shares_limits_between_loops)
{
	struct peers *shared, *own[WORKERS];
	pthread_t threads[CLIENTS];
	uint64_t connections = 0, sessions = 0;

	settings.listener.tls = CONFIG_TLS_IMPLICIT;
	for (int i = 0; i < WORKERS; i++)
		server_start(&workers[i], &settings, &certs.tls);
	shared = workers[0].service.peers;
	for (int i = 1; i < WORKERS; i++) {
		own[i] = workers[i].service.peers;
		workers[i].service.peers = shared;
	}
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
				     client_thread, &workers[i % WORKERS]),
		    0);
	for (int i = 0; i < CLIENTS; i++)
		(void)pthread_join(threads[i], NULL);
	for (int i = 0; i < WORKERS; i++)
		await_sessions(&workers[i], 0);
	for (int i = WORKERS - 1; i >= 0; i--) {
		if (i > 0) {
			peers_free(own[i]);
			workers[i].service.peers = NULL;
		}
		server_stop(&workers[i]);
		connections +=
		    counter_get(&workers[i].counters.listeners[0].connections);
		sessions += counter_get(&workers[i]
					     .counters.listeners[0]
					     .tls_sessions[COUNTER_TLS_1_3]);
	}
	ck_assert_uint_eq(connections, CLIENTS * ROUNDS);
	ck_assert_uint_eq(sessions, CLIENTS * ROUNDS);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("service");
	TCase *tc = tcase_create("sessions");

	(void)signal(SIGPIPE, SIG_IGN);
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, limits_sessions_of_one_address);
	tcase_add_test(tc, limits_sessions_in_all);
	tcase_add_test(tc, cannot_say_it_before_a_handshake);
	tcase_add_test(tc, turns_clients_away_while_the_store_is_broken);
	tcase_add_test(tc, limits_connects_of_one_address);
	tcase_add_test(tc, turns_away_networks_that_failed_to_log_in);
	tcase_add_loop_test(tc, refuses_who_talks_before_it_is_greeted, 0, 2);
	tcase_add_test(tc, limits_sessions_of_one_user);
	tcase_add_test(tc, gives_idle_clients_less_time_under_stress);
	tcase_add_test(tc, drains_who_is_idle_now_and_others_later);
	tcase_add_test(tc, drains_inside_a_transaction_at_the_next_command);
	tcase_add_loop_test(tc, answers_who_only_stopped_sending, 0, 2);
	tcase_add_test(tc, slows_who_is_refused_over_and_over);
	tcase_add_test(tc, aborts_sessions_in_every_state);
	tcase_add_test(tc, shares_limits_between_loops);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
