/* What follows from a configuration: dummies, decoys, what is offered. */
#include <support/unit.h>

#include "fixture.h"

#include <auth/view.h>

#include <stdio.h>

#define YESCRYPT(salt)                                                         \
	"$y$j9T$" salt "$VKyoikQq0MSkzF51KGAvbLTaZQKyAsNiOFE8STO3K6D"
#define BCRYPT                                                                 \
	"$2b$05$FMTF7PrbSh1a8VJ0pbxn6."                                        \
	"Huq7ibjqPPntnI70OFZxfwEcebJDOBe"
#define SHA512(salt)                                                           \
	"$6$" salt                                                             \
	"$bFARF7aILtEPgYFPRJ80FaB75mZwmQB2T6KDcGubP3u2oni8kAUxSgWCMYaEHZV8f"   \
	"5OVt1CPdaWTE.l9QymMK1"

enum {
	USERS_MAX = 40
};

static char scram[USERS_MAX][FIXTURE_TEXT_SIZE];
static char names[USERS_MAX][16];

static struct view *view_of(const struct fixture_user *users)
{
	struct config *config = fixture_config(users, NULL, NULL);
	struct view *v = view_new(config, NULL);

	ck_assert_ptr_nonnull(v);
	config_unref(config);
	return v;
}

static void set_iterations(
    struct fixture_user *u, unsigned iterations, char out[FIXTURE_TEXT_SIZE])
{
	ck_assert_int_eq(
	    password_make_record(SPAN("secret"), iterations, out, NULL), 0);
	u->record = out;
}

START_TEST(strangers_cost_what_most_users_cost)
{
	static const struct {
		const char *records[5];
		size_t most; /* the first of the kind most users have */
	} cases[] = {
		{ { BCRYPT, YESCRYPT("aaaa"), YESCRYPT("bbbb") }, 1 },
		{ { YESCRYPT("aaaa"), SHA512("abcd"), BCRYPT, SHA512("efgh") },
		    1 },
		{ { SHA512("rounds=9999$abcd"), SHA512("rounds=5000$abcd"),
		      SHA512("rounds=5000$efgh") },
		    1 },
		{ { SHA512("rounds=9999$abcd"), SHA512("abcd"),
		      SHA512("efgh") },
		    1 },
		{ { BCRYPT }, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture_user users[6] = { { NULL, NULL, NULL } };
		struct view *v;
		for (size_t n = 0; cases[i].records[n]; n++) {
			(void)snprintf(names[n], sizeof(names[n]), "u%zu", n);
			users[n].name = names[n];
			users[n].record = cases[i].records[n];
		}
		v = view_of(users);
		ck_assert(span_eq(
		    v->dummy_record, span_of(cases[i].records[cases[i].most])));
		view_unref(v);
	}
}
END_TEST

START_TEST(decoys_have_the_usual_iterations)
{
	struct fixture_user users[] = { { "a", NULL, NULL },
		{ "b", NULL, NULL }, { "c", NULL, NULL },
		{ NULL, NULL, NULL } };
	char record[PASSWORD_RECORD_SIZE];
	struct password_scram s;
	struct view *v;

	set_iterations(&users[0], 4096, scram[0]);
	set_iterations(&users[1], 5000, scram[1]);
	set_iterations(&users[2], 5000, scram[2]);
	v = view_of(users);
	view_decoy_record(v, SPAN("nobody"), record);
	ck_assert_int_eq(password_parse_scram(span_of(record), &s, NULL), 0);
	ck_assert_uint_eq(s.iterations, 5000);
	ck_assert_uint_eq(s.salt_len, 16);
	view_unref(v);
}
END_TEST

static void salt_of(const struct view *v, uint8_t salt[16])
{
	char record[PASSWORD_RECORD_SIZE];
	struct password_scram s;

	view_decoy_record(v, SPAN("nobody"), record);
	ck_assert_int_eq(password_parse_scram(span_of(record), &s, NULL), 0);
	memcpy(salt, s.salt, 16);
}

START_TEST(a_changed_password_seldom_changes_the_decoys)
{
	struct fixture_user users[USERS_MAX + 1] = { { NULL, NULL, NULL } };
	char other[FIXTURE_TEXT_SIZE];
	uint8_t before[16], after[16];
	int changed = 0;
	struct view *v;

	(void)fixture_scram("other", other);
	for (size_t i = 0; i < USERS_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "u%zu", i);
		users[i].name = names[i];
		users[i].record = fixture_scram("secret", scram[i]);
	}
	v = view_of(users);
	salt_of(v, before);
	view_unref(v);
	for (size_t i = 0; i < USERS_MAX; i++) {
		users[i].record = other;
		v = view_of(users);
		salt_of(v, after);
		changed += memcmp(before, after, 16) != 0;
		view_unref(v);
		users[i].record = scram[i];
	}
	/* Three records, or each time when the new one is so small. */
	ck_assert(changed == 3 || changed == USERS_MAX);
}
END_TEST

START_TEST(works_without_any_user)
{
	struct config *config = fixture_config(
	    (const struct fixture_user[]){
		{ "only", BCRYPT, NULL }, { NULL, NULL, NULL } },
	    NULL, NULL);
	char record[PASSWORD_RECORD_SIZE];
	struct view *v;

	config->users.count = 0;
	v = view_new(config, NULL);
	ck_assert_int_eq(password_check_record(v->dummy_record, NULL),
	    PASSWORD_SCRAM_SHA256);
	view_decoy_record(v, SPAN("nobody"), record);
	ck_assert_int_eq(password_check_record(span_of(record), NULL),
	    PASSWORD_SCRAM_SHA256);
	view_unref(v);
	config_unref(config);
}
END_TEST

START_TEST(finds_mechanisms_in_any_case)
{
	struct fixture_user users[] = { { "a", NULL, NULL },
		{ NULL, NULL, NULL } };
	struct view *v;

	users[0].record = fixture_scram("secret", scram[0]);
	v = view_of(users);
	ck_assert_str_eq(v->mechanisms, "PLAIN LOGIN SCRAM-SHA-256 EXTERNAL");
	ck_assert_str_eq(
	    view_find_mechanism(v, SPAN("scram-sha-256")), "SCRAM-SHA-256");
	ck_assert_str_eq(view_find_mechanism(v, SPAN("Login")), "LOGIN");
	ck_assert_ptr_null(view_find_mechanism(v, SPAN("")));
	ck_assert_ptr_null(view_find_mechanism(v, SPAN("PLAIN ")));
	view_unref(v);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/view");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, strangers_cost_what_most_users_cost);
	tcase_add_test(t, decoys_have_the_usual_iterations);
	tcase_add_test(t, a_changed_password_seldom_changes_the_decoys);
	tcase_add_test(t, works_without_any_user);
	tcase_add_test(t, finds_mechanisms_in_any_case);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
