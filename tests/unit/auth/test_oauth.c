/* OAUTHBEARER and XOAUTH2: messages, refusals, and where keys come from. */
#include <support/unit.h>

#include "fixture.h"
#include "issuer.h"

#include <base/clock.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1700000000
#define OAUTH                                                                  \
	"  oauth:\n"                                                           \
	"    issuer: https://id.example\n"                                     \
	"    audience: postern\n"                                              \
	"    refresh: 1h\n"
#define MINUTE_MS 60000

/* --- time --- */

static _Atomic uint64_t mono_ms = 1000000;

static uint64_t mono_ns(void)
{
	return atomic_load(&mono_ms) * 1000000;
}

static int64_t wall_ms(void)
{
	return INT64_C(1000) * NOW;
}

static void pass(uint64_t ms)
{
	atomic_fetch_add(&mono_ms, ms);
}

/* --- where keys are --- */

static char jwks[ISSUER_TEXT_SIZE]; /* at the URL; "" when it is down */
static atomic_uint fetches;
static char folder[] = "/tmp/postern-oauth-XXXXXX";
static char file[100];

static int fetch(const struct config *config, const char *url, struct buf *out,
    struct err *e)
{
	ck_assert_str_eq(config->auth.oauth.jwks_url, url);
	atomic_fetch_add(&fetches, 1);
	if (!jwks[0])
		return err_set(e, -EIO, "the issuer is down");
	return buf_add_str(out, jwks);
}

static void write_file(const char *text)
{
	char next[120];
	FILE *f;

	(void)snprintf(next, sizeof(next), "%s.new", file);
	f = fopen(next, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(rename(next, file), 0);
}

static void setup_with(const char *more)
{
	const struct fixture_user users[] = { { "Alice", fixture.alice_record,
						  NULL },
		{ "token", NULL, NULL }, { "a,b=c@example.com", NULL, NULL },
		{ "gone", NULL, "disabled: true" },
		{ "far", NULL, "allow_from: [192.0.2.0/24]" },
		{ NULL, NULL, NULL } };

	clock_override(mono_ns, wall_ms);
	fixture.more = more;
	fixture_open_with(users);
	auth_set_fetch(fixture.auth, fetch);
	atomic_store(&fetches, 0);
}

static void setup_url(void)
{
	(void)issuer_jwks(jwks);
	setup_with(OAUTH "    jwks_url: https://id.example/jwks.json\n");
}

static void setup_file(void)
{
	char more[400];
	char text[ISSUER_TEXT_SIZE];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(file, sizeof(file), "%s/jwks.json", folder);
	write_file(issuer_jwks(text));
	(void)snprintf(more, sizeof(more), OAUTH "    jwks_file: %s\n", file);
	setup_with(more);
}

static void teardown(void)
{
	fixture_close();
	fixture.more = NULL;
	clock_override(NULL, NULL);
}

static void teardown_file(void)
{
	teardown();
	(void)unlink(file);
	(void)rmdir(folder);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

static void open_all(void)
{
	fixture_open_library();
	issuer_open();
}

static void close_all(void)
{
	issuer_close();
	fixture_close_library();
}

/* --- clients --- */

static char message[ISSUER_TEXT_SIZE];

static const char *token_of(const char *user)
{
	static char token[ISSUER_TEXT_SIZE];
	char claims[300];

	(void)snprintf(claims, sizeof(claims),
	    "{\"iss\":\"https://id.example\",\"aud\":\"postern\","
	    "\"sub\":\"%s\",\"exp\":%d}",
	    user, NOW + 300);
	return issuer_token(ISSUER_P256, "ES256", claims, token);
}

static struct client oauth_client(const char *token)
{
	struct client c = fixture_client("OAUTHBEARER");

	c.has_initial = true;
	c.initial =
	    span_make(message, (size_t)snprintf(message, sizeof(message),
				   "n,,\x01host=mx\x01port=587\x01"
				   "auth=Bearer %s\x01\x01",
				   token));
	c.responses[0] = SPAN("\x01");
	return c;
}

static enum auth_result login(const char *user)
{
	struct client c = oauth_client(token_of(user));

	return fixture_login(&c);
}

START_TEST(a_token_logs_in)
{
	struct client c = oauth_client(token_of("ALICE"));

	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_str_eq(c.user, "Alice");
	ck_assert_str_eq(c.last_mechanism, "OAUTHBEARER");
	ck_assert_uint_eq(c.steps, 0);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
	/* And when it is not in the command. */
	c = oauth_client(token_of("alice"));
	c.has_initial = false;
	c.responses[0] = c.initial;
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_uint_eq(c.steps, 1);
	ck_assert_str_eq(c.challenge, "");
}
END_TEST

static const struct {
	const char *mechanism, *before, *after;
	const char *user; /* of the token */
	enum auth_result result;
} messages[] = {
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_OK },
	{ "OAUTHBEARER",
	    "y,,\x01"
	    "auth=bearer  ",
	    " \x01x=\x01\x01", "alice", AUTH_OK },
	{ "OAUTHBEARER",
	    "n,a=alice,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_OK },
	{ "OAUTHBEARER",
	    "n,a=a=2Cb=3dc@example.com,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "a,b=c@example.com", AUTH_OK },
	{ "OAUTHBEARER",
	    "n,a=token,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_BAD_CREDENTIALS },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "nobody", AUTH_BAD_CREDENTIALS },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "far", AUTH_BAD_CREDENTIALS },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "gone", AUTH_DISABLED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer x",
	    "\x01\x01", "alice", AUTH_BAD_CREDENTIALS },
	{ "XOAUTH2",
	    "user=alice\x01"
	    "auth=Bearer ",
	    "\x01\x01", "Alice", AUTH_OK },
	{ "XOAUTH2",
	    "user=\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_OK },
	{ "XOAUTH2",
	    "user=token\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_BAD_CREDENTIALS },
	{ "XOAUTH2",
	    "user=gone\x01"
	    "auth=Bearer ",
	    "\x01\x01", "gone", AUTH_DISABLED },
	/* Not such a message. */
	{ "OAUTHBEARER",
	    "p=tls-exporter,,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER", "n,,auth=Bearer ", "\x01\x01", "alice",
	    AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,b=alice,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,a=al=41ice,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,a=alice=2,\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Basic ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "auth=Bearer ",
	    "\x01"
	    "auth=Bearer x\x01\x01",
	    "alice", AUTH_MALFORMED },
	{ "OAUTHBEARER",
	    "n,,\x01"
	    "host\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
	{ "XOAUTH2", "auth=Bearer ", "\x01\x01", "alice", AUTH_MALFORMED },
	{ "XOAUTH2",
	    "user=alice\x01user=token\x01"
	    "auth=Bearer ",
	    "\x01\x01", "alice", AUTH_MALFORMED },
};

START_TEST(reads_messages)
{
	struct client c = fixture_client(messages[_i].mechanism);

	c.has_initial = true;
	c.initial = span_make(
	    message, (size_t)snprintf(message, sizeof(message), "%s%s%s",
			 messages[_i].before, token_of(messages[_i].user),
			 messages[_i].after));
	c.responses[0] = SPAN("\x01");
	ck_assert_msg(fixture_login(&c) == messages[_i].result,
	    "%d instead of %d: %s", c.answer.result, messages[_i].result,
	    c.detail);
	/* A refusal is explained, and acknowledged by the client. */
	ck_assert(
	    c.was_refused == (messages[_i].result == AUTH_BAD_CREDENTIALS));
	ck_assert_uint_eq(c.steps, messages[_i].result == AUTH_BAD_CREDENTIALS);
	if (messages[_i].result == AUTH_BAD_CREDENTIALS)
		ck_assert_str_eq(c.challenge,
		    strcmp(c.mechanism, "XOAUTH2") == 0
			? "{\"status\":\"401\",\"schemes\":\"bearer\","
			  "\"scope\":\"smtp\"}"
			: "{\"status\":\"invalid_token\"}");
}
END_TEST

START_TEST(tells_the_log_what_was_wrong_with_a_token)
{
	struct client c = oauth_client(token_of("nobody"));

	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	ck_assert_str_eq(c.user, "nobody");
	ck_assert_str_eq(c.detail, "unknown user");
	c = oauth_client("x.y.z");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	ck_assert_str_eq(c.user, "");
	ck_assert_str_eq(c.detail, "broken token");
}
END_TEST

START_TEST(refuses_whatever_the_client_says_to_a_refusal)
{
	static const struct span last[] = { { "", 0 }, { "\x01", 1 },
		{ "n,,\x01"
		  "auth=Bearer x\x01\x01",
		    19 } };

	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		struct client c = oauth_client("x");

		c.responses[0] = last[i];
		ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	}
}
END_TEST

START_TEST(tokens_need_tls)
{
	struct client c = oauth_client(token_of("alice"));

	c.channel.tls_bits = 0;
	c.channel.allow_plaintext = true;
	ck_assert_int_eq(fixture_login(&c), AUTH_NEEDS_TLS);
	ck_assert_str_eq(fixture_offers(fixture.config, 0, true),
	    "PLAIN LOGIN SCRAM-SHA-256");
	ck_assert_str_eq(fixture_offers(fixture.config, 128, false),
	    "PLAIN LOGIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2");
}
END_TEST

START_TEST(survives_garbled_messages)
{
	for (unsigned i = 0; i < 400; i++) {
		struct client c = oauth_client(token_of("alice"));

		if (i % 2) {
			c.mechanism = "XOAUTH2";
			c.initial = span_make(
			    message, (size_t)snprintf(message, sizeof(message),
					 "user=alice\x01"
					 "auth=Bearer %s\x01\x01",
					 token_of("alice")));
		}
		message[(i * 7919u) % c.initial.len] ^= (char)(1 + i % 255);
		c.initial.len -= i % 3 == 0 ? i % c.initial.len : 0;
		ck_assert_int_ne(fixture_login(&c), AUTH_UNAVAILABLE);
	}
}
END_TEST

/* --- keys --- */

START_TEST(keys_are_fetched_when_they_are_needed)
{
	ck_assert_uint_eq(atomic_load(&fetches), 0);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_int_eq(login("token"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 1);
	pass(61 * MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 2);
}
END_TEST

START_TEST(hopeless_tokens_fetch_nothing)
{
	struct client c = oauth_client("x.y.z");

	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(atomic_load(&fetches), 0);
}
END_TEST

START_TEST(logins_that_wait_for_keys_share_one_fetch)
{
	struct client clients[20];
	static char texts[20][ISSUER_TEXT_SIZE];

	for (size_t i = 0; i < 20; i++) {
		clients[i] = oauth_client(token_of("alice"));
		memcpy(texts[i], message, sizeof(message));
		clients[i].initial.ptr = texts[i];
	}
	fixture_login_all(clients, 20);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(clients[i].answer.result, AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 1);
}
END_TEST

START_TEST(without_keys_it_is_not_the_clients_fault)
{
	jwks[0] = '\0';
	ck_assert_int_eq(login("alice"), AUTH_UNAVAILABLE);
	/* Not asked again at once. */
	ck_assert_int_eq(login("alice"), AUTH_UNAVAILABLE);
	ck_assert_uint_eq(atomic_load(&fetches), 1);
	(void)issuer_jwks(jwks);
	pass(MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 2);
}
END_TEST

START_TEST(an_issuer_may_be_away_for_a_while)
{
	ck_assert_int_eq(login("alice"), AUTH_OK);
	(void)snprintf(jwks, sizeof(jwks), "<html>maintenance</html>");
	pass(23 * 60 * MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 2);
	/* Nor does every login wait for it that could do without. */
	pass(MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 2);
	pass(5 * MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 3);
	pass(2 * 60 * MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_UNAVAILABLE);
}
END_TEST

START_TEST(a_new_key_is_found_and_an_old_one_forgotten)
{
	char one[ISSUER_TEXT_SIZE];

	(void)issuer_set(issuer_jwk(ISSUER_RSA, NULL, NULL, one), jwks);
	ck_assert_int_eq(login("alice"), AUTH_BAD_CREDENTIALS); /* ES256 */
	ck_assert_uint_eq(atomic_load(&fetches), 1);
	(void)issuer_set(issuer_jwk(ISSUER_P256, NULL, NULL, one), jwks);
	/* Not yet: anybody can ask for keys that are not there. */
	ck_assert_int_eq(login("alice"), AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(atomic_load(&fetches), 1);
	pass(MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 2);
	(void)issuer_set(issuer_jwk(ISSUER_RSA, NULL, NULL, one), jwks);
	pass(61 * MINUTE_MS);
	ck_assert_int_eq(login("alice"), AUTH_BAD_CREDENTIALS);
}
END_TEST

START_TEST(nothing_is_worked_out_twice_while_a_configuration_is_used)
{
	const struct fixture_user users[] = { { "Alice", NULL, NULL },
		{ NULL, NULL, NULL } };
	struct config *configs[4];

	for (size_t i = 0; i < 4; i++)
		configs[i] = fixture_config(users, NULL, NULL);
	for (size_t i = 0; i < 12; i++) {
		struct client c = oauth_client(token_of("alice"));

		c.config = configs[i % 4];
		ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	}
	ck_assert_uint_eq(atomic_load(&fetches), 4);
	for (size_t i = 0; i < 4; i++)
		config_unref(configs[i]);
}
END_TEST

START_TEST(a_changed_file_is_read_again)
{
	char one[ISSUER_TEXT_SIZE], text[ISSUER_TEXT_SIZE];

	ck_assert_int_eq(login("alice"), AUTH_OK);
	write_file(issuer_set(issuer_jwk(ISSUER_RSA, NULL, NULL, one), text));
	pass(2000);
	ck_assert_int_eq(login("alice"), AUTH_BAD_CREDENTIALS);
	write_file(issuer_jwks(text));
	pass(2000);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	/* A broken one, or none, leaves what was there. */
	write_file("{");
	pass(2000);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_int_eq(unlink(file), 0);
	pass(2000);
	ck_assert_int_eq(login("alice"), AUTH_OK);
	ck_assert_uint_eq(atomic_load(&fetches), 0);
}
END_TEST

#define LOOP(t, fn, rows)                                                      \
	tcase_add_loop_test(t, fn, 0, sizeof(rows) / sizeof((rows)[0]))

static TCase *add_case(
    Suite *suite, const char *name, void (*open)(void), void (*close)(void))
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(t, open_all, close_all);
	tcase_add_checked_fixture(t, open, close);
	suite_add_tcase(suite, t);
	return t;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/oauth");
	TCase *t = add_case(suite, "url", setup_url, teardown);

	tcase_add_test(t, a_token_logs_in);
	LOOP(t, reads_messages, messages);
	tcase_add_test(t, tells_the_log_what_was_wrong_with_a_token);
	tcase_add_test(t, refuses_whatever_the_client_says_to_a_refusal);
	tcase_add_test(t, tokens_need_tls);
	tcase_add_test(t, survives_garbled_messages);
	tcase_add_test(t, keys_are_fetched_when_they_are_needed);
	tcase_add_test(t, hopeless_tokens_fetch_nothing);
	tcase_add_test(t, logins_that_wait_for_keys_share_one_fetch);
	tcase_add_test(t, without_keys_it_is_not_the_clients_fault);
	tcase_add_test(t, an_issuer_may_be_away_for_a_while);
	tcase_add_test(t, a_new_key_is_found_and_an_old_one_forgotten);
	tcase_add_test(
	    t, nothing_is_worked_out_twice_while_a_configuration_is_used);
	t = add_case(suite, "file", setup_file, teardown_file);
	tcase_add_test(t, a_changed_file_is_read_again);
	return suite;
}

UNIT_MAIN(make_suite)
