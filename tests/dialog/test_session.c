/*
 * What a session keeps and what it gives up when its client becomes another
 * one, or the configuration does.
 */
#include "client.h"
#include "fakes.h"
#include "server.h"

#include <base/clock.h>
#include <base/log.h>
#include <net/conn_internal.h>
#include <smtp/session_internal.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

/* New sessions begin with it. */
static void reload(void *config)
{
	server.service.config = config;
}

/* --- behind a proxy that speaks XCLIENT --- */

static void trust_xclient(void)
{
	static struct network everybody;

	ck_assert(network_parse(SPAN("127.0.0.0/8"), &everybody));
	settings.listener.xclient_trusted =
	    (struct postern_list){ &everybody, 1 };
}

static void expect_admitted(struct client *c, const char *xclient)
{
	client_open(c, server.port);
	client_expect(c, "220 ");
	client_say(c, xclient);
	client_expect(c, "220 ");
}

START_TEST(counts_clients_of_a_proxy_and_not_the_proxy)
{
	struct client a, b, c, d;

	settings.config.smtp.sessions_per_ip = 1;
	settings.config.smtp.connects_per_ip =
	    (struct postern_rate){ .count = 1, .per_ms = 3600000 };
	trust_xclient();
	server_start(&server, &settings, &certs.tls);
	expect_admitted(&a, "XCLIENT ADDR=198.51.100.1\r\n");
	expect_admitted(&b, "XCLIENT ADDR=198.51.100.2\r\n");
	expect_admitted(&c, "XCLIENT ADDR=IPV6:2001:db8::1\r\n");
	client_open(&d, server.port);
	client_expect(&d, "220 ");
	client_say(&d, "XCLIENT ADDR=IPV6:2001:db8::2\r\n");
	client_expect(&d, "421 4.7.0 Too many connections from 2001:db8::2 (");
	ck_assert(client_sees_close(&d));
	client_close(&a);
	client_close(&b);
	client_close(&c);
	client_close(&d);
	server_stop(&server);
}
END_TEST

/* A session goes by the snapshot it began with, also when it begins anew. */
START_TEST(stays_at_its_listener_when_a_reload_puts_others_there)
{
	static struct network nobody;
	struct config_listener later[1];
	struct config reloaded;
	struct client c;

	trust_xclient();
	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	client_expect(&c, "220 ");
	ck_assert(network_parse(SPAN("192.0.2.0/24"), &nobody));
	later[0] = settings.listener;
	later[0].allow_from = (struct postern_list){ &nobody, 1 };
	reloaded = settings.config;
	reloaded.listeners = (struct postern_list){ later, 1 };
	onloop_call(server.loop, reload, &reloaded);
	client_say(&c, "XCLIENT ADDR=198.51.100.1\r\n");
	client_expect(&c, "220 ");
	client_close(&c);
	server_stop(&server);
}
END_TEST

struct proof {
	bool is_there, is_secret;
};

static struct smtp_session *only_session(void)
{
	return container_of(
	    server.service.sessions.next, struct smtp_session, link);
}

static void give_proof(void *ctx)
{
	struct smtp_session *s = only_session();

	(void)ctx;
	s->proven = calloc(1, sizeof(*s->proven));
	conn_in(s->conn)->is_secret = false; /* as after a login */
}

static void see_proof(void *ctx)
{
	struct smtp_session *s = only_session();

	*(struct proof *)ctx = (struct proof){ .is_there = s->proven != NULL,
		.is_secret = conn_in(s->conn)->is_secret };
}

START_TEST(takes_no_certificate_of_a_proxy_for_its_client)
{
	struct proof seen;
	struct client c;

	trust_xclient();
	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	client_expect(&c, "220 ");
	onloop_call(server.loop, give_proof, NULL);
	client_say(&c, "XCLIENT ADDR=198.51.100.1\r\n");
	client_expect(&c, "220 ");
	onloop_call(server.loop, see_proof, &seen);
	ck_assert(!seen.is_there);
	ck_assert(seen.is_secret);
	client_close(&c);
	server_stop(&server);
}
END_TEST

/* --- users that a reload shuts out --- */

START_TEST(ends_sessions_of_users_that_are_shut_out)
{
	struct config reloaded;
	struct config_user user;
	struct client c;

	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	client_say(&c, "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	client_expect(&c, "220 ");
	while (strncmp(client_line(&c), "250-", 4) == 0)
		;
	client_expect(&c, "235 ");
	reloaded = settings.config;
	user = settings.user;
	user.disabled = true;
	reloaded.users = (struct postern_list){ &user, _i ? 0 : 1 };
	onloop_call(server.loop, reload, &reloaded);
	client_say(&c, "MAIL FROM:<a@b.test>\r\n");
	client_expect(&c, "421 4.7.0 User was removed or disabled (");
	ck_assert(client_sees_close(&c));
	client_close(&c);
	server_stop(&server);
}
END_TEST

/* --- slow clients --- */

static bool has_word(const struct client *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* A chunk nobody wanted is no licence to be slow later. */
START_TEST(minds_the_pace_after_a_chunk_that_was_dropped)
{
	uint64_t deadline = clock_mono_ms() + 20000;
	struct client c;

	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
	settings.config.smtp.data_idle_ms = 100;
	settings.config.smtp.min_data_rate = 1000000000;
	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	client_say(&c, "HELO x\r\nBDAT 1\r\nxMAIL FROM:<a@b.test>\r\n"
		       "RCPT TO:<c@d.test>\r\nDATA\r\n");
	client_expect(&c, "220 ");
	client_expect(&c, "250 ");
	client_expect(&c, "503 ");
	client_expect(&c, "250 ");
	client_expect(&c, "250 ");
	client_expect(&c, "354 ");
	while (!has_word(&c)) {
		ck_assert_uint_lt(clock_mono_ms(), deadline);
		client_say(&c, "x");
	}
	client_expect(&c, "421 4.4.2 Timeout (");
	client_close(&c);
	server_stop(&server);
}
END_TEST

struct held {
	bool is_stuck; /* it neither reads nor writes on */
	size_t in, out;
};

static void see_held(void *ctx)
{
	if (list_is_empty(&server.service.sessions))
		return; /* not accepted yet */
	const struct conn *c = only_session()->conn;

	*(struct held *)ctx = (struct held){
		.is_stuck = c->is_high && !c->is_reading,
		.in = c->in.cap,
		.out = c->out.cap + c->wire.cap + c->sending.cap,
	};
}

/* Who sends and never reads fills what the kernel has for it, not us. */
START_TEST(holds_little_for_who_does_not_read)
{
	enum {
		WORD = 8, /* bytes of one */
		ENOUGH = 1000
	};
	uint64_t deadline = clock_mono_ms() + 60000;
	struct held held = { .is_stuck = false };
	size_t sent = 0, heard = 0;
	char words[WORD * ENOUGH];
	struct client c;

	for (size_t i = 0; i < sizeof(words); i += WORD)
		memcpy(words + i, "EHLO x\r\n", WORD);
	settings.config.smtp.junk_commands = 0;
	server_start(&server, &settings, &certs.tls);
	client_open(&c, server.port);
	do {
		size_t at = sent % sizeof(words);
		ssize_t n =
		    send(c.fd, words + at, sizeof(words) - at, MSG_DONTWAIT);

		ck_assert_uint_lt(clock_mono_ms(), deadline);
		if (n > 0)
			sent += (size_t)n;
		else
			onloop_call(server.loop, see_held, &held);
	} while (!held.is_stuck);
	ck_assert_uint_gt(sent, sizeof(words));
	ck_assert_uint_le(held.in, 128 * 1024);
	ck_assert_uint_le(held.out, 256 * 1024);
	client_expect(&c, "220 ");
	/* And goes on where it stood. */
	for (const char *line; heard < ENOUGH && (line = client_line(&c));)
		heard += strncmp(line, "250 ", 4) == 0;
	ck_assert_uint_eq(heard, ENOUGH);
	client_close(&c);
	server_stop(&server);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("session");
	TCase *tc = tcase_create("session");

	(void)signal(SIGPIPE, SIG_IGN);
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, counts_clients_of_a_proxy_and_not_the_proxy);
	tcase_add_test(
	    tc, stays_at_its_listener_when_a_reload_puts_others_there);
	tcase_add_test(tc, takes_no_certificate_of_a_proxy_for_its_client);
	tcase_add_loop_test(tc, ends_sessions_of_users_that_are_shut_out, 0, 2);
	tcase_add_test(tc, minds_the_pace_after_a_chunk_that_was_dropped);
	tcase_add_test(tc, holds_little_for_who_does_not_read);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
