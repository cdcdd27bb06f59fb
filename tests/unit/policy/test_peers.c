#include <support/unit.h>

#include <pthread.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/log.h>
#include <config/config.h>
#include <policy/peers.h>

enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	DAY_MS = 24 * 60 * MINUTE_MS
};

static uint64_t mono_ms;
static struct peers *peers;
static struct config_smtp limits;
static struct config_auth auth;

static uint64_t fake_mono_ns(void)
{
	return mono_ms * 1000000;
}

static int64_t fake_wall_ms(void)
{
	return (int64_t)mono_ms;
}

static void setup(void)
{
	/* At the start of a stretch of every window. */
	mono_ms = (uint64_t)100 * DAY_MS;
	clock_override(fake_mono_ns, fake_wall_ms);
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	peers = peers_new(1000);
	ck_assert_ptr_nonnull(peers);
	limits = (struct config_smtp){ .sessions_total = 100,
		.sessions_per_ip = 3,
		.connects_per_ip = { .count = 10, .per_ms = MINUTE_MS },
		.ipv6_prefix = 64,
		.stress = true };
	auth = (struct config_auth){ .failure_delay_ms = 2000,
		.failures_per_minute = 10,
		.failures_per_day = 50 };
}

static void teardown(void)
{
	peers_free(peers);
	clock_override(NULL, NULL);
}

static struct netaddr address(const char *text)
{
	struct netaddr a = { .family = NETADDR_NONE };

	ck_assert(netaddr_parse(span_of(text), &a));
	return a;
}

static struct peers_visit enter(const char *from)
{
	struct netaddr a = address(from);

	return peers_enter(peers, &a, &limits, &auth);
}

static struct peer *enter_well(const char *from)
{
	struct peers_visit v = enter(from);

	ck_assert_int_eq(v.verdict, PEERS_ADMITTED);
	ck_assert_ptr_nonnull(v.peer);
	return v.peer;
}

static size_t networks(void)
{
	struct peers_stats stats;

	peers_stats(peers, &stats);
	return stats.networks;
}

/* --- sessions and connections --- */

START_TEST(limits_sessions_of_a_network)
{
	struct peer *first = enter_well("192.0.2.1");

	(void)enter_well("192.0.2.1");
	(void)enter_well("192.0.2.1");
	ck_assert_int_eq(enter("192.0.2.1").verdict, PEERS_TOO_MANY);
	(void)enter_well("192.0.2.2");
	peers_leave(peers, first);
	(void)enter_well("192.0.2.1");
	ck_assert_int_eq(enter("::ffff:192.0.2.1").verdict, PEERS_TOO_MANY);
}
END_TEST

START_TEST(takes_an_ipv6_prefix_for_one_client)
{
	limits.sessions_per_ip = 2;
	(void)enter_well("2001:db8::1");
	(void)enter_well("2001:db8::2");
	ck_assert_int_eq(enter("2001:db8::3").verdict, PEERS_TOO_MANY);
	(void)enter_well("2001:db8:0:1::1");
	limits.ipv6_prefix = 48;
	(void)enter_well("2001:db8:1::1");
	(void)enter_well("2001:db8:1:1::1");
	ck_assert_int_eq(enter("2001:db8:1:2::1").verdict, PEERS_TOO_MANY);
}
END_TEST

START_TEST(limits_sessions_in_all)
{
	struct peer *first = enter_well("192.0.2.1");

	limits.sessions_total = 2;
	(void)enter_well("192.0.2.2");
	struct peers_visit v = enter("192.0.2.3");
	ck_assert_int_eq(v.verdict, PEERS_FULL);
	ck_assert(v.is_news);
	ck_assert(!enter("192.0.2.4").is_news);
	ck_assert_uint_eq(networks(), 2);
	peers_leave(peers, first);
	(void)enter_well("192.0.2.3");
}
END_TEST

START_TEST(never_exceeds_what_the_process_can_hold)
{
	struct peers *small = peers_new(1);
	struct netaddr a = address("192.0.2.1"), b = address("192.0.2.2");

	limits.sessions_total = 0; /* no limit of the operator's */
	ck_assert_int_eq(
	    peers_enter(small, &a, &limits, &auth).verdict, PEERS_ADMITTED);
	ck_assert_int_eq(
	    peers_enter(small, &b, &limits, &auth).verdict, PEERS_FULL);
	peers_free(small);
	peers_free(NULL);
}
END_TEST

/* As many as are admitted when all leave at once. */
static unsigned hammer(const char *from, unsigned count)
{
	unsigned admitted = 0;

	while (count-- > 0) {
		struct peers_visit v = enter(from);

		if (v.verdict == PEERS_ADMITTED)
			peers_leave(peers, v.peer);
		else
			ck_assert_int_eq(v.verdict, PEERS_TOO_FAST);
		admitted += v.verdict == PEERS_ADMITTED;
	}
	return admitted;
}

START_TEST(limits_connections_per_minute)
{
	ck_assert_uint_eq(hammer("192.0.2.1", 30), 10);
	ck_assert_uint_eq(hammer("192.0.2.2", 30), 10);
	mono_ms += MINUTE_MS;
	ck_assert_uint_eq(hammer("192.0.2.1", 30), 0);
	mono_ms += MINUTE_MS / 2; /* half of the last ones are too old */
	ck_assert_uint_eq(hammer("192.0.2.1", 30), 5);
	mono_ms += 2 * MINUTE_MS;
	ck_assert_uint_eq(hammer("192.0.2.1", 30), 10);
	limits.connects_per_ip.count = 0;
	ck_assert_uint_eq(hammer("192.0.2.1", 30), 30);
}
END_TEST

START_TEST(tells_of_a_network_once_a_second)
{
	(void)hammer("192.0.2.1", 10);
	ck_assert(enter("192.0.2.1").is_news);
	ck_assert(!enter("192.0.2.1").is_news);
	(void)hammer("192.0.2.2", 10);
	ck_assert(enter("192.0.2.2").is_news);
	mono_ms += SECOND_MS;
	ck_assert(enter("192.0.2.1").is_news);
}
END_TEST

START_TEST(leaves_exempt_networks_alone)
{
	static struct network exempt[2];

	ck_assert(network_parse(SPAN("10.0.0.0/8"), &exempt[0]));
	ck_assert(network_parse(SPAN("unix"), &exempt[1]));
	limits.exempt = (struct postern_list){ exempt, 2 };
	limits.sessions_total = 30;
	for (int i = 0; i < 29; i++) {
		struct peers_visit v = enter("10.1.2.3");

		ck_assert_int_eq(v.verdict, PEERS_ADMITTED);
		ck_assert_ptr_null(v.peer);
		ck_assert_uint_eq(peers_login_failed(peers, v.peer, &auth),
		    auth.failure_delay_ms);
		ck_assert(!peers_is_locked_out(peers, v.peer, &auth));
	}
	struct netaddr local = { .family = NETADDR_UNIX };
	ck_assert_int_eq(
	    peers_enter(peers, &local, &limits, &auth).verdict, PEERS_ADMITTED);
	/* But for the total. */
	ck_assert_int_eq(enter("10.1.2.3").verdict, PEERS_FULL);
	ck_assert_uint_eq(networks(), 0);
	peers_leave(peers, NULL);
	(void)enter_well("192.0.2.1");
}
END_TEST

/* --- memory --- */

static void visit_briefly(unsigned i)
{
	char text[NETADDR_TEXT_SIZE];

	(void)snprintf(
	    text, sizeof(text), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
	peers_leave(peers, enter_well(text));
}

START_TEST(forgets_who_has_been_gone_for_long)
{
	for (unsigned i = 0; i < 1000; i++)
		visit_briefly(i);
	ck_assert_uint_eq(networks(), 1000);
	mono_ms += 3 * MINUTE_MS;
	for (unsigned i = 0; i < 1000; i++)
		(void)enter("192.0.2.1");
	ck_assert_uint_eq(networks(), 1);
}
END_TEST

START_TEST(holds_no_more_than_its_room)
{
	struct peer *guest = enter_well("192.0.2.9");

	for (unsigned i = 0; i < PEERS_IDLE_MAX + 1000; i++)
		visit_briefly(i);
	ck_assert_uint_eq(networks(), PEERS_IDLE_MAX + 1);
	peers_leave(peers, guest); /* pinned all the while */
	ck_assert_uint_eq(networks(), PEERS_IDLE_MAX);
}
END_TEST

START_TEST(remembers_guessers_behind_any_crowd)
{
	struct peer *guest = enter_well("192.0.2.9");

	for (unsigned i = 0; i < 10; i++)
		(void)peers_login_failed(peers, guest, &auth);
	peers_leave(peers, guest);
	for (unsigned i = 0; i < PEERS_IDLE_MAX + 1000; i++)
		visit_briefly(i);
	ck_assert_int_eq(enter("192.0.2.9").verdict, PEERS_FAILED_LOGINS);
}
END_TEST

/* Else whoever mistyped once takes a guesser's place for ever. */
START_TEST(takes_nobody_for_a_guesser_for_ever)
{
	struct peer *guest = enter_well("192.0.2.9");

	(void)peers_login_failed(peers, guest, &auth);
	mono_ms += (uint64_t)3 * DAY_MS;
	peers_leave(peers, guest);
	for (unsigned i = 0; i < PEERS_IDLE_MAX; i++)
		visit_briefly(i);
	ck_assert_uint_eq(networks(), PEERS_IDLE_MAX);
}
END_TEST

/* --- failed logins --- */

START_TEST(makes_each_failure_wait_longer)
{
	struct peer *guest = enter_well("192.0.2.1");
	struct peer *other = enter_well("192.0.2.2");
	static const uint64_t delays[] = { 2000, 4000, 8000, 15000, 15000 };

	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(
		    peers_login_failed(peers, guest, &auth), delays[i]);
		mono_ms += delays[i];
	}
	ck_assert_uint_eq(peers_login_failed(peers, other, &auth), 2000);
	/* Forgotten 120 s after the last. */
	mono_ms += PEERS_FORGET_PENALTY_MS - 15000 - 1;
	ck_assert_uint_eq(peers_login_failed(peers, guest, &auth), 15000);
	mono_ms += PEERS_FORGET_PENALTY_MS;
	ck_assert_uint_eq(peers_login_failed(peers, guest, &auth), 2000);
}
END_TEST

START_TEST(begins_the_delays_where_the_operator_says)
{
	struct peer *guest = enter_well("192.0.2.1");

	auth.failure_delay_ms = 20000;
	ck_assert_uint_eq(peers_login_failed(peers, guest, &auth), 20000);
	ck_assert_uint_eq(peers_login_failed(peers, guest, &auth), 20000);
	auth.failure_delay_ms = 0;
	ck_assert_uint_eq(peers_login_failed(peers, guest, &auth), 0);
}
END_TEST

START_TEST(locks_a_network_out_for_a_while)
{
	struct peer *guest = enter_well("192.0.2.1");

	for (int i = 0; i < 10; i++) {
		ck_assert(!peers_is_locked_out(peers, guest, &auth));
		(void)peers_login_failed(peers, guest, &auth);
	}
	ck_assert(peers_is_locked_out(peers, guest, &auth));
	ck_assert_int_eq(enter("192.0.2.1").verdict, PEERS_FAILED_LOGINS);
	(void)enter_well("192.0.2.2");
	mono_ms += 2 * MINUTE_MS;
	ck_assert(!peers_is_locked_out(peers, guest, &auth));
	(void)enter_well("192.0.2.1");
}
END_TEST

START_TEST(locks_a_patient_network_out_for_a_day)
{
	struct peer *guest = enter_well("192.0.2.1");

	for (int i = 0; i < 50; i++) {
		ck_assert(!peers_is_locked_out(peers, guest, &auth));
		(void)peers_login_failed(peers, guest, &auth);
		mono_ms += MINUTE_MS;
	}
	ck_assert(peers_is_locked_out(peers, guest, &auth));
	peers_leave(peers, guest);
	mono_ms += DAY_MS / 2;
	ck_assert_int_eq(enter("192.0.2.1").verdict, PEERS_FAILED_LOGINS);
	mono_ms += (uint64_t)2 * DAY_MS;
	(void)enter_well("192.0.2.1");
}
END_TEST

START_TEST(has_no_lock_when_told_so)
{
	struct peer *guest = enter_well("192.0.2.1");

	auth.failures_per_minute = auth.failures_per_day = 0;
	for (int i = 0; i < 200; i++)
		(void)peers_login_failed(peers, guest, &auth);
	ck_assert(!peers_is_locked_out(peers, guest, &auth));
}
END_TEST

/* --- users --- */

START_TEST(limits_sessions_of_a_user)
{
	ck_assert(peers_user_enter(peers, "app", 2));
	ck_assert(peers_user_enter(peers, "app", 2));
	ck_assert(!peers_user_enter(peers, "app", 2));
	ck_assert(peers_user_enter(peers, "other", 2));
	ck_assert(peers_user_enter(peers, "app", 0));
	peers_user_leave(peers, "app");
	ck_assert(!peers_user_enter(peers, "app", 2));
	peers_user_leave(peers, "app");
	ck_assert(peers_user_enter(peers, "app", 2));
	ck_assert(!peers_user_enter(peers, "app", 2));
}
END_TEST

/* --- stress --- */

START_TEST(feels_stress_between_two_marks)
{
	struct peer *in[10];

	limits.sessions_total = 10;
	limits.sessions_per_ip = 100;
	for (int i = 0; i < 8; i++)
		in[i] = enter_well("192.0.2.1");
	ck_assert(!peers_is_stressed(peers));
	in[8] = enter_well("192.0.2.1");
	ck_assert(peers_is_stressed(peers));
	peers_leave(peers, in[8]);
	ck_assert(peers_is_stressed(peers));
	peers_leave(peers, in[7]);
	ck_assert(!peers_is_stressed(peers));
	limits.stress = false;
	limits.connects_per_ip.count = 0;
	in[7] = enter_well("192.0.2.1");
	in[8] = enter_well("192.0.2.1");
	ck_assert(!peers_is_stressed(peers));
}
END_TEST

/* --- several threads --- */

enum {
	THREADS = 4,
	ROUNDS = 3000
};

static void *come_and_go(void *arg)
{
	const char *from = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct peers_visit v = enter(from);

		if (v.verdict != PEERS_ADMITTED)
			continue;
		(void)peers_login_failed(peers, v.peer, &auth);
		(void)peers_is_locked_out(peers, v.peer, &auth);
		if (peers_user_enter(peers, from, 2))
			peers_user_leave(peers, from);
		(void)peers_is_stressed(peers);
		peers_leave(peers, v.peer);
	}
	return NULL;
}

START_TEST(is_shared_by_threads)
{
	static char shared[] = "192.0.2.1", own[] = "192.0.2.2";
	pthread_t threads[THREADS];
	struct peers_stats stats;

	limits.connects_per_ip.count = 0;
	limits.sessions_total = 3;
	auth.failures_per_minute = auth.failures_per_day = 0;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go,
				     i % 2 ? shared : own),
		    0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	peers_stats(peers, &stats);
	ck_assert_uint_eq(stats.sessions, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("peers");
	TCase *tc = tcase_create("peers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, limits_sessions_of_a_network);
	tcase_add_test(tc, takes_an_ipv6_prefix_for_one_client);
	tcase_add_test(tc, limits_sessions_in_all);
	tcase_add_test(tc, never_exceeds_what_the_process_can_hold);
	tcase_add_test(tc, limits_connections_per_minute);
	tcase_add_test(tc, tells_of_a_network_once_a_second);
	tcase_add_test(tc, leaves_exempt_networks_alone);
	tcase_add_test(tc, forgets_who_has_been_gone_for_long);
	tcase_add_test(tc, holds_no_more_than_its_room);
	tcase_add_test(tc, remembers_guessers_behind_any_crowd);
	tcase_add_test(tc, takes_nobody_for_a_guesser_for_ever);
	tcase_add_test(tc, makes_each_failure_wait_longer);
	tcase_add_test(tc, begins_the_delays_where_the_operator_says);
	tcase_add_test(tc, locks_a_network_out_for_a_while);
	tcase_add_test(tc, locks_a_patient_network_out_for_a_day);
	tcase_add_test(tc, has_no_lock_when_told_so);
	tcase_add_test(tc, limits_sessions_of_a_user);
	tcase_add_test(tc, feels_stress_between_two_marks);
	tcase_add_test(tc, is_shared_by_threads);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
