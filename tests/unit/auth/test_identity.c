/*
 * Who a client is, beyond a password: certificates, where it comes from,
 * disabled users; and that every refusal costs the same work.
 */
#include <support/unit.h>

#include "fixture.h"

#include <auth/certificate.h>

#include <stdio.h>

/* yescrypt, "correct horse" */
#define YESCRYPT                                                               \
	"$y$j9T$vDq/mbJ.SMmjdaNLS.hpO0$"                                       \
	"VKyoikQq0MSkzF51KGAvbLTaZQKyAsNiOFE8STO3K6D"
#define DIGITS "00112233445566778899aabbccddeeff"
#define FINGERPRINT "sha256:" DIGITS DIGITS
#define GROUPS "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static void setup(void)
{
	const struct fixture_user users[] = {
		{ "Alice", fixture.alice_record, NULL },
		{ "bob@example.com", fixture.bob_record,
		    "allow_from: [192.0.2.0/24, \"2001:db8::/32\"]" },
		{ "gone", fixture.alice_record, "disabled: true" },
		{ "shop.example.com", NULL,
		    "certificates: [\"dns:shop.example.com\"]" },
		{ "robot", NULL,
		    "certificates: [\"sha256:" GROUPS ":" GROUPS "\"]" },
		{ "mailer", NULL,
		    "certificates: [\"mailer@example.org\", CN=mailer-7]" },
		{ NULL, NULL, NULL },
	};

	fixture_open_with(users);
}

static struct netaddr address(const char *text)
{
	struct netaddr a;

	ck_assert(netaddr_parse(span_of(text), &a));
	return a;
}

/* --- certificates --- */

static const struct {
	const char *proven[4];
	const char *user; /* NULL: nobody's */
} certificates[] = {
	{ { NULL }, NULL },
	{ { "CN=alice" }, "Alice" },
	{ { "dns:other.example", "CN=ALICE" }, "Alice" },
	{ { "email:bob@example.com" }, "bob@example.com" },
	{ { FINGERPRINT, "dns:bob", "CN=Bob" }, "robot" },
	{ { "dns:shop.example.com" }, "shop.example.com" },
	{ { "email:mailer@example.org" }, "mailer" },
	{ { "uri:mailer@example.org" }, "mailer" },
	{ { "CN=mailer-7" }, "mailer" },
	/* The list comes before the name. */
	{ { "CN=alice", "CN=mailer-7" }, "mailer" },
	/* Who has a list is not known by name. */
	{ { "CN=mailer" }, NULL },
	{ { "CN=shop.example.com" }, NULL },
	{ { "uri:shop.example.com" }, NULL },
	{ { "CN=robot" }, NULL },
	/* A bare entry is no common name; a type cannot be written in. */
	{ { "CN=mailer@example.org" }, NULL },
	{ { "uri:CN=mailer-7" }, NULL },
	{ { "uri:dns:shop.example.com" }, NULL },
	{ { "uri:" FINGERPRINT }, NULL },
	{ { "sha256:" DIGITS "00112233445566778899aabbccddeefe" }, NULL },
	{ { "sha256:" DIGITS }, NULL },
	{ { "sha256:" DIGITS DIGITS "00" }, NULL },
	{ { "sha256:alice" }, NULL },
	{ { "dns:nobody", "CN=" }, NULL },
};

START_TEST(knows_whose_a_certificate_is)
{
	const struct config_user *user =
	    certificate_user(fixture.config, certificates[_i].proven);

	if (!certificates[_i].user)
		ck_assert_ptr_null(user);
	else
		ck_assert_str_eq(user->name, certificates[_i].user);
}
END_TEST

static struct client external(const char *const *proven)
{
	struct client c = fixture_client("EXTERNAL");

	c.channel.proven = proven;
	c.channel.peer = address("192.0.2.1");
	c.has_initial = true;
	c.initial = SPAN("");
	return c;
}

static const char *const alices[] = { "CN=alice", NULL };
static const char *const bobs[] = { "email:bob@example.com", NULL };
static const char *const gones[] = { "dns:gone", NULL };
static const char *const strangers[] = { "dns:stranger", NULL };

START_TEST(offers_external_to_certificates_of_users)
{
	struct auth_channel channel = { .tls_bits = 128, .proven = alices };

	ck_assert_str_eq(
	    auth_mechanisms(fixture.auth, fixture.config, &channel),
	    "PLAIN LOGIN SCRAM-SHA-256 EXTERNAL");
	channel.proven = strangers;
	ck_assert_str_eq(
	    auth_mechanisms(fixture.auth, fixture.config, &channel),
	    "PLAIN LOGIN SCRAM-SHA-256");
	channel.proven = NULL;
	ck_assert_str_eq(
	    auth_mechanisms(fixture.auth, fixture.config, &channel),
	    "PLAIN LOGIN SCRAM-SHA-256");
}
END_TEST

START_TEST(a_certificate_logs_in)
{
	struct client c = external(alices);

	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_str_eq(c.user, "Alice");
	ck_assert_str_eq(c.last_mechanism, "EXTERNAL");
	ck_assert_uint_eq(auth_hashes(fixture.auth), 0);
}
END_TEST

START_TEST(external_asks_when_nothing_came_with_the_command)
{
	struct client c = external(alices);

	c.has_initial = false;
	c.responses[0] = SPAN("");
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_uint_eq(c.steps, 1);
	ck_assert_str_eq(c.challenge, "");
}
END_TEST

static const struct {
	const char *authzid;
	enum auth_result result;
} acting[] = {
	{ "alice", AUTH_OK },
	{ "ALICE", AUTH_OK },
	{ "bob@example.com", AUTH_BAD_CREDENTIALS },
	{ "nobody", AUTH_BAD_CREDENTIALS },
	{ "alice ", AUTH_BAD_CREDENTIALS },
	{ " ", AUTH_BAD_CREDENTIALS },
};

START_TEST(external_users_act_as_themselves_only)
{
	struct client c = external(alices);

	c.initial = span_of(acting[_i].authzid);
	ck_assert_int_eq(fixture_login(&c), acting[_i].result);
}
END_TEST

START_TEST(external_needs_a_certificate_of_a_user)
{
	struct client c = external(strangers);

	ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
	c = external(NULL);
	ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
	c.channel.tls_bits = 0;
	ck_assert_int_eq(fixture_login(&c), AUTH_NEEDS_TLS);
}
END_TEST

/* --- from where, and whether still --- */

static enum auth_result login_from(
    struct client *c, const char *from, struct span message)
{
	*c = fixture_plain_client(message);
	if (from)
		c->channel.peer = address(from);
	return fixture_login(c);
}

static const struct {
	const char *from;
	enum auth_result result;
} origins[] = {
	{ "192.0.2.77", AUTH_OK }, { "::ffff:192.0.2.1", AUTH_OK },
	{ "2001:db8:1::1", AUTH_OK }, { "192.0.3.1", AUTH_BAD_CREDENTIALS },
	{ "2001:db9::1", AUTH_BAD_CREDENTIALS },
	{ "127.0.0.1", AUTH_BAD_CREDENTIALS },
	{ NULL, AUTH_BAD_CREDENTIALS }, /* not known */
};

START_TEST(users_log_in_from_their_networks)
{
	struct client c;

	ck_assert_int_eq(login_from(&c, origins[_i].from,
			     SPAN("\0bob@example.com\0builder")),
	    origins[_i].result);
	if (origins[_i].result != AUTH_OK) {
		ck_assert_str_eq(c.user, "bob@example.com");
		ck_assert_str_eq(c.detail, "may not log in from this address");
	}
	c = fixture_scram_client("bob@example.com", "builder");
	if (origins[_i].from)
		c.channel.peer = address(origins[_i].from);
	ck_assert_int_eq(fixture_login(&c), origins[_i].result);
	c = external(bobs);
	c.channel.peer = origins[_i].from ? address(origins[_i].from)
					  : (struct netaddr){ 0 };
	ck_assert_int_eq(fixture_login(&c), origins[_i].result);
}
END_TEST

START_TEST(disabled_users_are_told_when_they_prove_who_they_are)
{
	struct client c;

	ck_assert_int_eq(
	    login_from(&c, NULL, SPAN("\0gone\0wonder land")), AUTH_DISABLED);
	ck_assert_str_eq(c.user, "gone");
	ck_assert_str_eq(c.detail, "account disabled");
	ck_assert_int_eq(
	    login_from(&c, NULL, SPAN("\0gone\0wrong")), AUTH_BAD_CREDENTIALS);
	ck_assert_str_eq(c.detail, "wrong password");
	c = fixture_scram_client("gone", "wonder land");
	ck_assert_int_eq(fixture_login(&c), AUTH_DISABLED);
	c = fixture_scram_client("gone", "wrong");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
	c = external(gones);
	ck_assert_int_eq(fixture_login(&c), AUTH_DISABLED);
}
END_TEST

/* --- what refusals cost --- */

/* Each twice: the second time the cache answers. */
static const struct {
	const char *from;
	struct span message;
} refusals[] = {
#define ROW(from, text)                                                        \
	{                                                                      \
		from,                                                          \
		{                                                              \
			text, sizeof(text) - 1                                 \
		}                                                              \
	}
	ROW("192.0.2.1", "\0nobody\0guess"),
	ROW("192.0.2.1", "\0alice\0guess"),
	ROW("192.0.2.1", "\0carol\0guess"),
	ROW("192.0.2.1", "\0gone\0guess"),
	ROW("192.0.2.1", "\0robot\0guess"),
	ROW("192.0.2.1", "\0bob@example.com\0guess"),
	ROW("198.51.100.1", "\0bob@example.com\0guess"),
	ROW("198.51.100.1", "\0bob@example.com\0builder"),
	ROW("192.0.2.1", "\0 impossible \0guess"),
#undef ROW
};

START_TEST(every_refusal_costs_one_hash)
{
	struct client c;

	ck_assert_int_eq(
	    login_from(&c, refusals[_i].from, refusals[_i].message),
	    AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
	ck_assert_int_eq(
	    login_from(&c, refusals[_i].from, refusals[_i].message),
	    AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 1);
}
END_TEST

/* What was right from inside is no oracle for those outside. */
START_TEST(the_cache_knows_where_a_login_came_from)
{
	struct client c;

	ck_assert_int_eq(
	    login_from(&c, "192.0.2.1", SPAN("\0bob@example.com\0builder")),
	    AUTH_OK);
	ck_assert_int_eq(
	    login_from(&c, "198.51.100.1", SPAN("\0bob@example.com\0builder")),
	    AUTH_BAD_CREDENTIALS);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
	ck_assert_int_eq(
	    login_from(&c, "192.0.2.1", SPAN("\0bob@example.com\0builder")),
	    AUTH_OK);
	ck_assert_uint_eq(auth_hashes(fixture.auth), 2);
}
END_TEST

static void setup_with_crypt(void)
{
	const struct fixture_user users[] = {
		{ "alice", fixture.alice_record, NULL },
		{ "carol", YESCRYPT, NULL },
		{ "bob@example.com", fixture.bob_record,
		    "allow_from: [192.0.2.0/24]" },
		{ "gone", fixture.alice_record, "disabled: true" },
		{ "robot", NULL, "certificates: [CN=robot]" },
		{ NULL, NULL, NULL },
	};

	fixture_open_with(users);
}

/* Mechanisms are the same for all: what one cannot use nobody is offered. */
START_TEST(no_mechanism_is_too_weak_for_one_user_only)
{
	static const char *const names[] = { "alice", "carol", "robot",
		"nobody" };

	ck_assert_str_eq(
	    fixture_offers(fixture.config, 128, false), "PLAIN LOGIN");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct client c = fixture_scram_client(names[i], "guess");

		ck_assert_int_eq(fixture_login(&c), AUTH_NO_MECHANISM);
	}
}
END_TEST

static void setup_with_labels(void)
{
	static char labelled[300], dovecot[300];
	struct span rest = span_of(fixture.alice_record), parts[4];
	const struct fixture_user users[] = { { "alice", dovecot, NULL },
		{ "carol", labelled, NULL }, { NULL, NULL, NULL } };

	rest = span_from(rest, sizeof("SCRAM-SHA-256$") - 1);
	parts[0] = span_cut(&rest, ':');
	parts[1] = span_cut(&rest, '$');
	parts[2] = span_cut(&rest, ':');
	(void)snprintf(dovecot, sizeof(dovecot),
	    "{SCRAM-SHA-256}%.*s,%.*s,%.*s,%.*s", SPAN_FMT(parts[0]),
	    SPAN_FMT(parts[1]), SPAN_FMT(parts[2]), SPAN_FMT(rest));
	(void)snprintf(labelled, sizeof(labelled), "{SCRAM-SHA-256}%s",
	    fixture.bob_record);
	fixture_open_with(users);
}

START_TEST(labelled_records_serve_all_mechanisms)
{
	struct client c = fixture_scram_client("alice", "wonder land");

	ck_assert_str_eq(fixture_offers(fixture.config, 128, false),
	    "PLAIN LOGIN SCRAM-SHA-256");
	ck_assert_int_eq(fixture_login(&c), AUTH_OK);
	ck_assert_int_eq(fixture_plain(SPAN("\0alice\0wonder land")), AUTH_OK);
	c = fixture_scram_client("nobody", "wonder land");
	ck_assert_int_eq(fixture_login(&c), AUTH_BAD_CREDENTIALS);
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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/identity");
	TCase *t = add_case(suite, "identity", setup);

	LOOP(t, knows_whose_a_certificate_is, certificates);
	tcase_add_test(t, offers_external_to_certificates_of_users);
	tcase_add_test(t, a_certificate_logs_in);
	tcase_add_test(t, external_asks_when_nothing_came_with_the_command);
	LOOP(t, external_users_act_as_themselves_only, acting);
	tcase_add_test(t, external_needs_a_certificate_of_a_user);
	LOOP(t, users_log_in_from_their_networks, origins);
	tcase_add_test(t, disabled_users_are_told_when_they_prove_who_they_are);
	tcase_add_test(t, the_cache_knows_where_a_login_came_from);
	t = add_case(suite, "work", setup_with_crypt);
	LOOP(t, every_refusal_costs_one_hash, refusals);
	tcase_add_test(t, no_mechanism_is_too_weak_for_one_user_only);
	t = add_case(suite, "labels", setup_with_labels);
	tcase_add_test(t, labelled_records_serve_all_mechanisms);
	return suite;
}

UNIT_MAIN(make_suite)
