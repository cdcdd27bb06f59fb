/* Logins from the outside: what a session asks and what it is told. */
#include <support/unit.h>

#include "fixture.h"

#include <base/clock.h>
#include <base/hash.h>
#include <support/onloop.h>

#include <pthread.h>
#include <stdatomic.h>

/* yescrypt, "correct horse" */
#define YESCRYPT                                                               \
	"$y$j9T$vDq/mbJ.SMmjdaNLS.hpO0$"                                       \
	"VKyoikQq0MSkzF51KGAvbLTaZQKyAsNiOFE8STO3K6D"

static void setup_mixed(void)
{
	const struct fixture_user users[] = { { "alice", fixture.alice_record,
						  NULL },
		{ "carol", YESCRYPT, NULL }, { NULL, NULL, NULL } };

	fixture_open_with(users);
}

/* --- PLAIN --- */

static char long_password[1100], long_name[400];

static const struct {
	struct span message;
	enum auth_result result;
} plain_cases[] = {
#define ROW(text, result)                                                      \
	{                                                                      \
		{ text, sizeof(text) - 1 }, result                             \
	}
	ROW("\0alice\0wonder land", AUTH_OK),
	ROW("\0ALICE\0wonder land", AUTH_OK),
	ROW("alice\0alice\0wonder land", AUTH_OK),
	ROW("Alice\0aLICE\0wonder land", AUTH_OK),
	ROW("\0bob@example.com\0builder", AUTH_OK),
	ROW("\0alice\0wonder lane", AUTH_BAD_CREDENTIALS),
	ROW("\0alice\0Wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0alice\0wonder lan", AUTH_BAD_CREDENTIALS),
	ROW("\0alice\0wonder land ", AUTH_BAD_CREDENTIALS),
	ROW("\0bob@example.com\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0nobody\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0bob\0builder", AUTH_BAD_CREDENTIALS),
	/* Acting as somebody else. */
	ROW("bob@example.com\0alice\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("alice\0bob@example.com\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("nobody\0alice\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("alice \0alice\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\x7f\0alice\0wonder land", AUTH_BAD_CREDENTIALS),
	/* Names the built-in canonicaliser would bend or choke on. */
	ROW("\0alice \0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0 alice\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0  \0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0alice\n\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0alic\xe9\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0\xc0\xa1lice\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0\xed\xa0\x80\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0\x7f\0wonder land", AUTH_BAD_CREDENTIALS),
	/* Nothing where something must be. */
	ROW("", AUTH_BAD_CREDENTIALS),
	ROW("\0alice\0", AUTH_BAD_CREDENTIALS),
	ROW("\0\0wonder land", AUTH_BAD_CREDENTIALS),
	ROW("\0\0", AUTH_BAD_CREDENTIALS),
	/* Not a PLAIN message. */
	ROW("alice", AUTH_MALFORMED),
	ROW("\0", AUTH_MALFORMED),
	ROW("\0alice", AUTH_MALFORMED),
	ROW("alice\0wonder land", AUTH_MALFORMED),
	ROW("\0alice\0wonder land\0", AUTH_MALFORMED),
	ROW("\0alice\0wonder land\0junk", AUTH_MALFORMED),
	ROW("\0\0alice\0wonder land", AUTH_MALFORMED),
	ROW("\0\0\0\0", AUTH_MALFORMED),
#undef ROW
};

START_TEST(answers_plain)
{
	struct client c = fixture_plain_client(plain_cases[_i].message);

	(void)fixture_login(&c);
	ck_assert_msg(c.answer.result == plain_cases[_i].result,
	    "%d instead of %d: %s", c.answer.result, plain_cases[_i].result,
	    c.detail);
	ck_assert_str_eq(c.last_mechanism, "PLAIN");
	if (c.answer.result != AUTH_OK)
		ck_assert_str_ne(c.detail, "");
}
END_TEST

START_TEST(answers_plain_without_an_initial_response)
{
	struct client c = fixture_client("plain");

	c.responses[0] = plain_cases[_i].message;
	ck_assert_int_eq(fixture_login(&c), plain_cases[_i].result);
	ck_assert_uint_eq(c.steps, 1);
	ck_assert_str_eq(c.challenge, "");
}
END_TEST

START_TEST(names_the_user_as_configured)
{
	struct client c = fixture_plain_client(SPAN("\0aliCE\0wonder land"));

	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_str_eq(c.user, "Alice");
	/* And when the cache answers. */
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_str_eq(c.user, "Alice");
}
END_TEST

START_TEST(refuses_oversized_names_and_passwords)
{
	char message[2048];
	int len;

	memset(long_name, 'n', 330);
	memset(long_password, 'p', 1025);
	len = snprintf(message, sizeof(message), "%c%s%cpw", 0, long_name, 0);
	ck_assert_int_eq(fixture_plain(span_make(message, (size_t)len)),
	    AUTH_BAD_CREDENTIALS);
	len = snprintf(
	    message, sizeof(message), "%calice%c%s", 0, 0, long_password);
	ck_assert_int_eq(fixture_plain(span_make(message, (size_t)len)),
	    AUTH_BAD_CREDENTIALS);
}
END_TEST

static const struct {
	struct span message;
	const char *user, *detail;
} failures[] = {
#define ROW(text, user, detail)                                                \
	{                                                                      \
		{ text, sizeof(text) - 1 }, user, detail                       \
	}
	ROW("\0ALICE\0wrong", "alice", "wrong password"),
	ROW("\0Nobody\0wrong", "nobody", "unknown user"),
	ROW("\0alice \0wrong", "", "impossible user name"),
	ROW("\0\0wrong", "", "impossible user name"),
	ROW("bob@example.com\0alice\0wonder land", "alice",
	    "asks to act as another user"),
	ROW("alice", "", "not two NULs in a PLAIN message"),
#undef ROW
};

START_TEST(tells_the_log_who_and_why)
{
	struct client c = fixture_plain_client(failures[_i].message);

	(void)fixture_login(&c);
	ck_assert_str_eq(c.user, failures[_i].user);
	ck_assert_str_eq(c.detail, failures[_i].detail);
}
END_TEST

START_TEST(tells_the_log_about_scram_too)
{
	struct client c = fixture_scram_client("Nobody", "guess");

	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	ck_assert_str_eq(c.user, "nobody");
	ck_assert_str_eq(c.detail, "unknown user");
	c = fixture_scram_client("Alice", "guess");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	ck_assert_str_eq(c.user, "alice");
	ck_assert_ptr_nonnull(strstr(c.detail, "StoredKey mismatch"));
}
END_TEST

/* --- LOGIN --- */

static const struct {
	bool has_initial;
	const char *initial;
	const char *responses[2];
	size_t steps;
	enum auth_result result;
} login_cases[] = {
	{ false, "", { "alice", "wonder land" }, 2, AUTH_OK },
	{ true, "alice", { "wonder land" }, 1, AUTH_OK },
	{ false, "", { "ALICE", "wonder land" }, 2, AUTH_OK },
	{ false, "", { "alice", "wrong" }, 2, AUTH_BAD_CREDENTIALS },
	{ true, "alice", { "wrong" }, 1, AUTH_BAD_CREDENTIALS },
	{ false, "", { "nobody", "wonder land" }, 2, AUTH_BAD_CREDENTIALS },
	{ false, "", { "", "wonder land" }, 2, AUTH_BAD_CREDENTIALS },
	/* "AUTH LOGIN =" asks for the name as "AUTH LOGIN" does. */
	{ true, "", { "alice", "wonder land" }, 2, AUTH_OK },
	{ true, "", { "bob@example.com", "builder" }, 2, AUTH_OK },
	{ false, "", { "alice", "" }, 2, AUTH_BAD_CREDENTIALS },
	{ false, "", { " alice", "wonder land" }, 2, AUTH_BAD_CREDENTIALS },
	{ false, "", { "", "" }, 2, AUTH_BAD_CREDENTIALS },
};

START_TEST(answers_login)
{
	struct client c = fixture_client("LOGIN");

	c.has_initial = login_cases[_i].has_initial;
	c.initial = span_of(login_cases[_i].initial);
	for (size_t i = 0; i < 2 && login_cases[_i].responses[i]; i++)
		c.responses[i] = span_of(login_cases[_i].responses[i]);
	ck_assert_int_eq(fixture_login(&c), login_cases[_i].result);
	ck_assert_uint_eq(c.steps, login_cases[_i].steps);
	ck_assert_str_eq(c.challenge, "Password:");
	if (c.answer.result == AUTH_OK)
		ck_assert(span_ieq(span_of(c.user),
		    c.has_initial && c.initial.len ? c.initial
						   : c.responses[0]));
}
END_TEST

START_TEST(login_does_not_stop_at_a_nul)
{
	struct client c = fixture_client("LOGIN");

	c.responses[0] = SPAN("alice");
	c.responses[1] = SPAN("wonder land\0junk");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	c.responses[0] = SPAN("alice\0junk");
	c.responses[1] = SPAN("wonder land");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
}
END_TEST

static struct span expect_username(struct client *c, struct span challenge)
{
	ck_assert(span_eq(
	    challenge, c->steps == 0 ? SPAN("Username:") : SPAN("Password:")));
	return c->steps == 0 ? SPAN("alice") : SPAN("wonder land");
}

START_TEST(login_prompts_as_clients_expect)
{
	struct client c = fixture_client("login");

	c.respond = expect_username;
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
}
END_TEST

/* --- SCRAM --- */

static const struct {
	const char *name, *password;
	enum auth_result result;
} scram_cases[] = {
	{ "alice", "wonder land", AUTH_OK },
	{ "ALICE", "wonder land", AUTH_OK },
	{ "bob@example.com", "builder", AUTH_OK },
	{ "alice", "wrong", AUTH_BAD_CREDENTIALS },
	{ "alice", "", AUTH_BAD_CREDENTIALS },
	{ "nobody", "wonder land", AUTH_BAD_CREDENTIALS },
	{ " alice", "wonder land", AUTH_BAD_CREDENTIALS },
	{ "=20", "wonder land", AUTH_BAD_CREDENTIALS },
};

START_TEST(answers_scram)
{
	struct client c = fixture_scram_client(
	    scram_cases[_i].name, scram_cases[_i].password);

	ck_assert_int_eq(fixture_login(&c), scram_cases[_i].result);
	ck_assert_str_eq(c.last_mechanism, "SCRAM-SHA-256");
	if (c.answer.result == AUTH_OK) {
		/* Client first, client final, and the empty end. */
		ck_assert_uint_eq(c.steps, 3);
		ck_assert_str_ne(c.user, "");
	}
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
}
END_TEST

static const struct span bad_scram[] = {
#define ROW(text)                                                              \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
	ROW("n"),
	ROW("n,"),
	ROW("n,,"),
	ROW("x,,n=alice,r=abcdefgh"),
	ROW(",,n=alice,r=abcdefgh"),
	ROW("n,a=aaaaaaaaaa,"), /* libscram would read past the end */
	ROW("n,aaaaaaa,n=alice,r=abcdefgh"),
	ROW("n,,m=must,n=alice,r=abcdefgh"),
	ROW("n,,n=alice"),
	ROW("n,,n=alice,"),
	ROW("n,,n=alice,x=abcdefgh"),
	ROW("n,,n=alice,r="),
	/* Binding was not offered; libscram would use what is not there. */
	ROW("p=tls-unique,,n=alice,r=abcdefgh"),
#undef ROW
};

START_TEST(refuses_malformed_scram)
{
	struct client c = fixture_client("SCRAM-SHA-256");

	c.has_initial = true;
	c.initial = bad_scram[_i];
	ck_assert_int_eq(fixture_login(&c), AUTH_MALFORMED);
	c.has_initial = false;
	c.responses[0] = bad_scram[_i];
	ck_assert_int_eq(fixture_login(&c), AUTH_MALFORMED);
	/* "=" leaves the first message for the next line. */
	c.has_initial = true;
	c.initial = SPAN("");
	ck_assert_int_eq(fixture_login(&c), AUTH_MALFORMED);
}
END_TEST

START_TEST(refuses_oversized_scram)
{
	struct client c = fixture_client("SCRAM-SHA-256");
	char message[2100];

	memset(message, 'r', sizeof(message));
	memcpy(message, "n,,n=alice,r=", 13);
	c.has_initial = true;
	c.initial = span_make(message, sizeof(message));
	ck_assert_int_eq(fixture_login(&c), AUTH_MALFORMED);
}
END_TEST

static struct span garbage_at_the_end(struct client *c, struct span challenge)
{
	static const struct span finals[] = { { "", 0 }, { "c=", 2 },
		{ "c=biws,r=x,p=y", 14 }, { "\0\0\0\0", 4 }, { "c=biws", 6 },
		{ "p=AAAA", 6 } };

	if (c->steps == 0)
		return fixture_scram_respond(c, challenge);
	return finals[c->channel.tls_bits - 256];
}

START_TEST(refuses_garbage_after_the_scram_challenge)
{
	struct client c = fixture_scram_client("alice", "wonder land");

	c.respond = garbage_at_the_end;
	c.channel.tls_bits = 256 + _i; /* which garbage */
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
}
END_TEST

static const struct {
	const char *gs2;
	enum auth_result result;
} gs2_cases[] = {
	/* The client could bind to TLS but sees that we do not offer it. */
	{ "y,,", AUTH_OK },
	{ "n,a=alice,", AUTH_OK },
	{ "n,a=ALICE,", AUTH_OK },
	{ "n,a=bob@example.com,", AUTH_BAD_CREDENTIALS },
	{ "n,a=nobody,", AUTH_BAD_CREDENTIALS },
	{ "n,a= alice,", AUTH_BAD_CREDENTIALS },
};

START_TEST(scram_users_act_as_themselves_only)
{
	struct client c = fixture_scram_client("alice", "wonder land");

	c.gs2 = gs2_cases[_i].gs2;
	ck_assert_int_eq(fixture_login(&c), gs2_cases[_i].result);
}
END_TEST

static void salt_told_for(const char *name, char out[256])
{
	struct client c = fixture_scram_client(name, "guess");
	char *salt, *end;

	/* The challenge that matters is the second last. */
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	salt = strstr(c.challenge, ",s=");
	ck_assert_ptr_nonnull(salt);
	end = strstr(salt, ",i=");
	ck_assert_ptr_nonnull(end);
	ck_assert_str_eq(end, ",i=4096");
	*end = '\0';
	memcpy(out, salt, strlen(salt) + 1);
}

START_TEST(made_up_salts_look_and_stay_like_real_ones)
{
	char real[256], first[256], again[256], other[256], later[256];
	struct auth *second;

	salt_told_for("alice", real);
	salt_told_for("nobody", first);
	salt_told_for("nobody", again);
	salt_told_for("noone", other);
	ck_assert_str_eq(first, again);
	ck_assert_str_ne(first, other);
	ck_assert_str_ne(first, real);
	ck_assert_uint_eq(strlen(first), strlen(real));
	/* Another process with the same configuration says the same. */
	second = fixture.auth;
	fixture.auth = auth_new(fixture.config, NULL);
	salt_told_for("nobody", later);
	auth_free(fixture.auth);
	fixture.auth = second;
	ck_assert_str_eq(first, later);
}
END_TEST

static struct span leave_at_the_end(struct client *c, struct span challenge)
{
	/* The password was right, but the client says no to our proof. */
	if (!span_starts_with(challenge, SPAN("v=")))
		return fixture_scram_respond(c, challenge);
	return span_make(NULL, 0);
}

START_TEST(success_of_one_exchange_is_not_of_the_next)
{
	struct client c = fixture_scram_client("alice", "wonder land");

	c.respond = leave_at_the_end;
	ck_assert_int_eq(fixture_login(&c), AUTH_CONTINUE);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0alice\0wrong")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(fixture_plain(SPAN("\0bob@example.com\0wrong")),
	    AUTH_BAD_CREDENTIALS);
	c = fixture_scram_client("alice", "wrong");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
}
END_TEST

/* --- anything at all --- */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A copy of its own size, so that reading past the end is noticed. */
static struct span mutate(struct span s, uint32_t *state)
{
	size_t len =
	    next_random(state) % 4 ? s.len : next_random(state) % (s.len + 1);
	char *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s.ptr, len);
	for (uint32_t n = next_random(state) % 4; n > 0 && len > 0; n--)
		copy[next_random(state) % len] = (char)next_random(state);
	return span_make(copy, len);
}

static void drop(struct span s)
{
	free((void *)(uintptr_t)s.ptr);
}

static uint32_t garbler;

static struct span garbled(struct client *c, struct span challenge)
{
	struct span message = fixture_scram_respond(c, challenge);
	struct span copy = mutate(message, &garbler);
	struct span response = span_make(c->buf, copy.len);

	if (copy.len)
		memcpy(c->buf, copy.ptr, copy.len);
	drop(copy);
	return response;
}

START_TEST(survives_garbled_scram)
{
	garbler = 2463534242;
	for (int i = 0; i < 3000; i++) {
		struct client c = fixture_scram_client("alice", "wonder land");
		c.respond = garbled;
		(void)fixture_login(&c);
		ck_assert_int_ne(c.answer.result, AUTH_UNAVAILABLE);
		ck_assert_int_ne(c.answer.result, AUTH_NO_MECHANISM);
	}
}
END_TEST

START_TEST(survives_garbled_plain_and_login)
{
	struct span right = SPAN("\0alice\0wonder land");
	uint32_t state = 88172645;

	for (int i = 0; i < 300; i++) {
		struct span garbage = mutate(right, &state);
		struct client c = fixture_client(i % 2 ? "PLAIN" : "LOGIN");
		c.has_initial = true;
		c.initial = garbage;
		c.responses[0] = garbage;
		if (fixture_login(&c) == AUTH_OK)
			ck_assert(c.initial.len == right.len);
		drop(garbage);
	}
}
END_TEST

/* --- what is offered --- */

START_TEST(offers_nothing_without_tls)
{
	ck_assert_str_eq(fixture_offers(fixture.config, 0, false), "");
	ck_assert_str_eq(fixture_offers(fixture.config, 256, false),
	    "PLAIN LOGIN SCRAM-SHA-256");
	ck_assert_str_eq(fixture_offers(fixture.config, 0, true),
	    "PLAIN LOGIN SCRAM-SHA-256");
}
END_TEST

START_TEST(evaluates_nothing_without_tls)
{
	static const char *const names[] = { "PLAIN", "LOGIN",
		"SCRAM-SHA-256" };

	for (size_t i = 0; i < 3; i++) {
		struct client c = fixture_client(names[i]);
		c.channel.tls_bits = 0;
		c.has_initial = true;
		c.initial = SPAN("\0alice\0wonder land");
		ck_assert_int_eq(fixture_login(&c), AUTH_NEEDS_TLS);
		ck_assert_str_eq(c.last_mechanism, names[i]);
	}
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
}
END_TEST

START_TEST(plaintext_works_where_it_is_allowed)
{
	struct client c = fixture_plain_client(SPAN("\0alice\0wonder land"));

	c.channel.tls_bits = 0;
	c.channel.allow_plaintext = true;
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
}
END_TEST

static const char *const strangers[] = { "", "PLAI", "PLAINS", "PLAIN-PLUS",
	"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "CRAM-MD5", "DIGEST-MD5",
	"ANONYMOUS", "NTLM", "GSSAPI", "PLAIN LOGIN", " PLAIN", "PLAIN\n",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

START_TEST(knows_no_other_mechanism)
{
	struct client c = fixture_client(strangers[_i]);

	c.has_initial = true;
	c.initial = SPAN("\0alice\0wonder land");
	ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
	ck_assert_str_eq(c.last_mechanism, "unknown");
	/* Also without TLS: not a reason to ask for it. */
	c.channel.tls_bits = 0;
	ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
}
END_TEST

START_TEST(offers_no_scram_when_one_user_cannot)
{
	struct client c = fixture_client("SCRAM-SHA-256");

	ck_assert_str_eq(
	    fixture_offers(fixture.config, 256, false), "PLAIN LOGIN");
	ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0carol\0correct horse")), AUTH_OK);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0carol\0correct hors")), AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(fixture_plain(SPAN("\0nobody\0correct horse")),
	    AUTH_BAD_CREDENTIALS);
	ck_assert_int_eq(
	    fixture_plain(SPAN("\0nobody\0wonder land")), AUTH_BAD_CREDENTIALS);
}
END_TEST

START_TEST(offers_in_the_order_of_the_configuration)
{
	const struct fixture_user users[] = {
		{ "alice", fixture.alice_record, NULL }, { NULL, NULL, NULL }
	};
	struct config *other =
	    fixture_config(users, "[SCRAM-SHA-256, PLAIN]", NULL);

	ck_assert_str_eq(
	    fixture_offers(other, 128, false), "SCRAM-SHA-256 PLAIN");
	config_unref(other);
}
END_TEST

#define LOOP(t, fn, rows)                                                      \
	tcase_add_loop_test(t, fn, 0, sizeof(rows) / sizeof((rows)[0]))

static TCase *add_case(Suite *suite, const char *name, void (*open)(void))
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(
	    t, fixture_open_library, fixture_close_library);
	tcase_add_checked_fixture(t, open, fixture_close);
	suite_add_tcase(suite, t);
	return t;
}

static void add_mechanisms(Suite *suite)
{
	TCase *t = add_case(suite, "mechanisms", fixture_open);

	LOOP(t, answers_plain, plain_cases);
	LOOP(t, answers_plain_without_an_initial_response, plain_cases);
	tcase_add_test(t, names_the_user_as_configured);
	tcase_add_test(t, refuses_oversized_names_and_passwords);
	LOOP(t, tells_the_log_who_and_why, failures);
	tcase_add_test(t, tells_the_log_about_scram_too);
	LOOP(t, answers_login, login_cases);
	tcase_add_test(t, login_does_not_stop_at_a_nul);
	tcase_add_test(t, login_prompts_as_clients_expect);
	LOOP(t, answers_scram, scram_cases);
	LOOP(t, refuses_malformed_scram, bad_scram);
	tcase_add_test(t, refuses_oversized_scram);
	tcase_add_loop_test(t, refuses_garbage_after_the_scram_challenge, 0, 6);
	LOOP(t, scram_users_act_as_themselves_only, gs2_cases);
	tcase_add_test(t, made_up_salts_look_and_stay_like_real_ones);
	tcase_add_test(t, success_of_one_exchange_is_not_of_the_next);
	tcase_add_test(t, survives_garbled_scram);
	tcase_add_test(t, survives_garbled_plain_and_login);
	LOOP(t, knows_no_other_mechanism, strangers);
	tcase_add_test(t, offers_nothing_without_tls);
	tcase_add_test(t, evaluates_nothing_without_tls);
	tcase_add_test(t, plaintext_works_where_it_is_allowed);
	tcase_add_test(t, offers_in_the_order_of_the_configuration);
	t = add_case(suite, "mixed users", setup_mixed);
	tcase_add_test(t, offers_no_scram_when_one_user_cannot);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/auth");

	add_mechanisms(suite);
	return suite;
}

UNIT_MAIN(make_suite)
