/* Users without a record, whom a daemon knows: here a thread plays it. */
#include <support/unit.h>

#include "fixture.h"

#include <auth/saslauthd.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the daemon --- */

static char folder[] = "/tmp/postern-saslauthd-XXXXXX";
static char path[100];
static int listener;
static pthread_t thread;
static atomic_uint questions;
static char last[600]; /* the fields of the last question, with commas */

static const struct {
	const char *question; /* login,password,service,realm */
	const char *answer;
	size_t len;
} known[] = {
	{ "ldap,secret,smtp,", "\0\2OK", 4 },
	{ "ann,secret,smtp,example.com", "\0\7OK fine", 9 },
	{ "Upper,secret,smtp,", "\0\2OK", 4 },
	{ "nobody,secret,smtp,", "\0\2OK", 4 }, /* but no user of ours */
	{ "far,secret,smtp,", "\0\2OK", 4 },
	{ "odd1,secret,smtp,", "\0\2MY", 4 },
	{ "odd2,secret,smtp,", "\0\0", 2 },
	{ "odd3,secret,smtp,", "\xff\xffOK", 4 },
	{ "odd4,secret,smtp,", "\0\2O", 3 },
	{ "odd5,secret,smtp,", "", 0 },
};

static bool take(int fd, void *out, size_t len)
{
	return recv(fd, out, len, MSG_WAITALL) == (ssize_t)len;
}

static bool read_question(int fd, char out[600])
{
	size_t len = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char head[2];
		size_t n;

		if (!take(fd, head, 2))
			return false;
		n = (size_t)head[0] << 8 | head[1];
		ck_assert_uint_lt(len + n, 599);
		if (n > 0 && !take(fd, out + len, n))
			return false;
		len += n;
		out[len++] = i < 3 ? ',' : '\0';
	}
	return true;
}

static void *serve(void *arg)
{
	size_t n = sizeof(known) / sizeof(known[0]);

	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char question[600];
		size_t i = 0;

		if (fd < 0)
			return arg;
		if (read_question(fd, question)) {
			memcpy(last, question, sizeof(last));
			atomic_fetch_add(&questions, 1);
			while (i < n && strcmp(known[i].question, question))
				i++;
			(void)send(fd, i < n ? known[i].answer : "\0\2NO",
			    i < n ? known[i].len : 4, MSG_NOSIGNAL);
		}
		(void)close(fd);
	}
}

static void start_daemon(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/mux", folder);
	memcpy(at.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	atomic_store(&questions, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void stop_daemon(void)
{
	(void)shutdown(listener, SHUT_RDWR);
	(void)pthread_join(thread, NULL);
	(void)close(listener);
	(void)unlink(path);
	(void)rmdir(folder);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

/* --- a server that asks it --- */

static void open_with(const struct fixture_user *users)
{
	static char more[200];

	start_daemon();
	(void)snprintf(more, sizeof(more), "  saslauthd: %s\n", path);
	fixture.more = more;
	fixture_open_with(users);
}

static void setup(void)
{
	const struct fixture_user users[] = { { "ldap", NULL, NULL },
		{ "ann@example.com", NULL, NULL }, { "Upper", NULL, NULL },
		{ "odd1", NULL, NULL }, { "odd2", NULL, NULL },
		{ "odd3", NULL, NULL }, { "odd4", NULL, NULL },
		{ "odd5", NULL, NULL },
		{ "far", NULL, "allow_from: [192.0.2.0/24]" },
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL } };

	open_with(users);
}

/* Most users have records here. */
static void setup_few(void)
{
	const struct fixture_user users[] = { { "ldap", NULL, NULL },
		{ "alice", fixture.alice_record, NULL },
		{ "bob", fixture.bob_record, NULL }, { NULL, NULL, NULL } };

	open_with(users);
}

static void teardown(void)
{
	fixture_close();
	fixture.more = NULL;
	stop_daemon();
}

#define PLAIN(text) SPAN("\0" text)

START_TEST(the_daemon_decides)
{
	ck_assert_int_eq(fixture_plain(PLAIN("ldap\0secret")), AUTH_OK);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("ann@example.com\0secret")), AUTH_OK);
	ck_assert_str_eq(last, "ann,secret,smtp,example.com");
	/* Asked as the configuration writes it. */
	ck_assert_int_eq(fixture_plain(PLAIN("uPPER\0secret")), AUTH_OK);
	ck_assert_str_eq(last, "Upper,secret,smtp,");
	ck_assert_int_eq(
	    fixture_plain(PLAIN("ldap\0wrong")), AUTH_BAD_CREDENTIALS);
	/* It knows them, we do not, or not there. */
	ck_assert_int_eq(
	    fixture_plain(PLAIN("nobody\0secret")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("far\0secret")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
	/* It is not asked about those with a record. */
	ck_assert_int_eq(fixture_plain(PLAIN("alice\0wonder land")), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&questions), 6);
}
END_TEST

START_TEST(its_yes_is_remembered_and_its_no_is_not)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fixture_plain(PLAIN("ldap\0secret")), AUTH_OK);
		ck_assert_int_eq(
		    fixture_plain(PLAIN("ldap\0wrong")), AUTH_BAD_CREDENTIALS);
	}
	ck_assert_uint_eq(atomic_load(&questions), 4);
}
END_TEST

START_TEST(strange_answers_are_not_the_clients_fault)
{
	char text[40];
	int len = snprintf(text, sizeof(text), "%codd%d%csecret", 0, _i, 0);
	struct client c = fixture_plain_client(span_make(text, (size_t)len));

	ck_assert_int_eq(fixture_login(&c), AUTH_UNAVAILABLE);
	ck_assert_str_eq(c.detail, "saslauthd does not answer");
}
END_TEST

START_TEST(a_daemon_that_is_down_is_not_the_clients_fault)
{
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("ldap\0secret")), AUTH_UNAVAILABLE);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("nobody\0secret")), AUTH_UNAVAILABLE);
	ck_assert_int_eq(fixture_plain(PLAIN("alice\0wonder land")), AUTH_OK);
	ck_assert_int_eq(saslauthd_ask(path, SPAN("a"), SPAN("b")), -ENOENT);
}
END_TEST

START_TEST(asks_nothing_longer_than_a_question)
{
	static const char long_one[2100];

	for (size_t len = 2036; len <= sizeof(long_one); len++) {
		struct span text = span_make(long_one, len);

		ck_assert_int_eq(
		    saslauthd_ask(path, SPAN("a"), text), -EMSGSIZE);
		ck_assert_int_eq(
		    saslauthd_ask(path, text, SPAN("a")), -EMSGSIZE);
	}
}
END_TEST

START_TEST(strangers_are_asked_about_where_most_users_are)
{
	ck_assert_int_eq(
	    fixture_plain(PLAIN("nobody\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("ldap\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("far\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(atomic_load(&questions), 3);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
}
END_TEST

START_TEST(strangers_are_hashed_where_most_users_are)
{
	ck_assert_int_eq(
	    fixture_plain(PLAIN("nobody\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("alice\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(atomic_load(&questions), 0);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
	ck_assert_int_eq(
	    fixture_plain(PLAIN("ldap\0guess")), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(atomic_load(&questions), 1);
}
END_TEST

/* A daemon wants the password, and SCRAM never shows it. */
START_TEST(scram_is_not_offered)
{
	ck_assert_str_eq(
	    fixture_offers(fixture.config, 128, false), "PLAIN LOGIN");
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(
	    t, fixture_open_library, fixture_close_library);
	tcase_add_checked_fixture(t, open, teardown);
	suite_add_tcase(suite, t);
	return t;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/saslauthd");
	TCase *t = add_case(suite, "most", setup);

	tcase_add_test(t, the_daemon_decides);
	tcase_add_test(t, its_yes_is_remembered_and_its_no_is_not);
	tcase_add_loop_test(t, strange_answers_are_not_the_clients_fault, 1, 6);
	tcase_add_test(t, a_daemon_that_is_down_is_not_the_clients_fault);
	tcase_add_test(t, asks_nothing_longer_than_a_question);
	tcase_add_test(t, strangers_are_asked_about_where_most_users_are);
	tcase_add_test(t, scram_is_not_offered);
	t = add_case(suite, "few", setup_few);
	tcase_add_test(t, strangers_are_hashed_where_most_users_are);
	return suite;
}

UNIT_MAIN(make_suite)
