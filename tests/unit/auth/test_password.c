/* Records: made by others, made by us, damaged. */
#include <support/unit.h>

#include <auth/password.h>
#include <base/b64.h>

#include <errno.h>
#include <stdio.h>

#define RECORD(iterations, salt, stored, server)                               \
	"SCRAM-SHA-256$" iterations ":" salt "$" stored ":" server
#define STORED "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="

static const struct sample {
	const char *record, *password;
} samples[] = {
	/* User, salt and count of RFC 7677 section 3. */
	{ RECORD("4096", SALT, STORED, SERVER), "pencil" },
	/* Keys as computed by `gsasl --mkpasswd`. */
	{ RECORD("10000", "c2FsdHNhbHRzYWx0c2FsdA==",
	      "7tZeYy5pJ+yCaU2sTYoFklY0Qtf7l65dKDFyNqGgd4M=",
	      "EXKyocw49icOn4fB46vFu28rDXpP63sNmc84A1md2xg="),
	    "correct horse" },
	{ "$y$j9T$vDq/mbJ.SMmjdaNLS.hpO0$"
	  "VKyoikQq0MSkzF51KGAvbLTaZQKyAsNiOFE8STO3K6D",
	    "correct horse" },
	{ "$7$CU..../....4o4r8qwGTAy4SCasY6jSg.$"
	  "GJiBSAcmjxEpA8Z6nbMJfrQc6cqie.VNVB5T02n0VN9",
	    "correct horse" },
	{ "$2b$05$FMTF7PrbSh1a8VJ0pbxn6."
	  "Huq7ibjqPPntnI70OFZxfwEcebJDOBe",
	    "correct horse" },
	{ "$5$L8XYEnb3rgadkZN3$7Sdx9F4MP256Ujg5.h1olh5EeHgaehBid6yrP5ve7f/",
	    "correct horse" },
	{ "$6$MT7qSU05Yta.RR8o$bFARF7aILtEPgYFPRJ80FaB75mZwmQB2T6KDcGubP3u2o"
	  "ni8kAUxSgWCMYaEHZV8f5OVt1CPdaWTE.l9QymMK1",
	    "correct horse" },
};

START_TEST(verifies_records_of_other_tools)
{
	const struct sample *s = &samples[_i];
	struct span record = span_of(s->record);
	struct span password = span_of(s->password);
	struct err e = { .code = 0 };

	ck_assert_msg(password_check_record(record, &e) != PASSWORD_INVALID,
	    "%s", e.text);
	ck_assert_int_eq(password_verify(record, password), 0);
	ck_assert_int_eq(
	    password_verify(record, SPAN("Correct horse")), -EACCES);
	ck_assert_int_eq(password_verify(record, SPAN("")), -EACCES);
	ck_assert_int_eq(
	    password_verify(record, span_first(password, password.len - 1)),
	    -EACCES);
}
END_TEST

/* The exchange of RFC 7677 section 3, computed from our record. */
START_TEST(keys_fit_the_example_of_the_rfc)
{
	struct span message =
	    SPAN("n=user,r=rOprNGfwEbeRWgbNEkqO,"
		 "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		 "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		 "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	uint8_t signature[HASH_SHA256_SIZE], key[HASH_SHA256_SIZE + 1];
	uint8_t digest[HASH_SHA256_SIZE];
	char text[44];
	struct password_scram s;

	ck_assert_int_eq(
	    password_parse_scram(span_of(samples[0].record), &s, NULL), 0);
	hash_hmac_sha256(
	    span_make(s.server_key, sizeof(s.server_key)), message, signature);
	(void)b64_encode(signature, sizeof(signature), text);
	ck_assert(span_eq(span_make(text, sizeof(text)),
	    SPAN("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));

	ck_assert_int_eq(
	    b64_decode(
		SPAN("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), key),
	    HASH_SHA256_SIZE);
	hash_hmac_sha256(
	    span_make(s.stored_key, sizeof(s.stored_key)), message, signature);
	for (size_t i = 0; i < sizeof(signature); i++)
		key[i] ^= signature[i];
	hash_sha256(span_make(key, HASH_SHA256_SIZE), digest);
	ck_assert_mem_eq(digest, s.stored_key, sizeof(digest));
}
END_TEST

START_TEST(refuses_nul_behind_the_password)
{
	struct span record = span_of(samples[_i].record);
	char text[64];
	size_t len = strlen(samples[_i].password);

	memcpy(text, samples[_i].password, len + 1);
	memcpy(text + len + 1, "junk", 4);
	ck_assert_int_eq(
	    password_verify(record, span_make(text, len + 5)), -EACCES);
	ck_assert_int_eq(
	    password_verify(record, span_make(text, len + 1)), -EACCES);
}
END_TEST

/* As Dovecot and LDAP servers write them. */
static const char *const labels[] = { "{CRYPT}", "{crypt}", "{SHA512-CRYPT}",
	"{SHA256-CRYPT}", "{BLF-CRYPT}" };

START_TEST(takes_records_behind_labels)
{
	for (size_t n = 0; n < sizeof(samples) / sizeof(samples[0]); n++) {
		bool is_scram =
		    span_starts_with(span_of(samples[n].record), SPAN("SCRAM"));
		char text[PASSWORD_RECORD_SIZE];
		int len = snprintf(text, sizeof(text), "%s%s",
		    is_scram ? "{scram-sha-256}" : labels[_i],
		    samples[n].record);
		struct span record = span_make(text, (size_t)len);

		ck_assert_int_eq(password_check_record(record, NULL),
		    is_scram ? PASSWORD_SCRAM_SHA256 : PASSWORD_CRYPT);
		ck_assert_int_eq(
		    password_verify(record, span_of(samples[n].password)), 0);
		ck_assert_int_eq(
		    password_verify(record, SPAN("other")), -EACCES);
	}
}
END_TEST

START_TEST(takes_dovecots_notation_of_scram)
{
	struct span record =
	    SPAN("{SCRAM-SHA-256}4096," SALT "," STORED "," SERVER);

	ck_assert_int_eq(
	    password_check_record(record, NULL), PASSWORD_SCRAM_SHA256);
	ck_assert(password_is_scram(record));
	ck_assert_int_eq(
	    password_verify(record, span_of(samples[0].password)), 0);
	ck_assert_int_eq(password_verify(record, SPAN("other")), -EACCES);
}
END_TEST

START_TEST(tells_the_scheme)
{
	ck_assert_int_eq(
	    password_check_record(span_of(samples[0].record), NULL),
	    PASSWORD_SCRAM_SHA256);
	ck_assert_int_eq(
	    password_check_record(span_of(samples[2].record), NULL),
	    PASSWORD_CRYPT);
}
END_TEST

static const struct {
	const char *record, *says;
} damaged[] = {
	{ "", "postern passwd" },
	{ "secret", "postern passwd" },
	{ "$1$salt$qJH7.N4xYta3aEG/dfqo/0", "an MD5 hash ($1$)" },
	{ "{CRYPT}$1$salt$qJH7.N4xYta3aEG/dfqo/0", "an MD5 hash ($1$)" },
	{ "$apr1$salt$qJH7.N4xYta3aEG/dfqo/0", "an MD5 hash ($apr1$)" },
	{ "$sha1$40000$jtNX3nZ2$hBNaIXkt4wBI2o5rsi8KejSjNqIq", "SHA-1" },
	{ "$3$$8846f7eaee8fb117ad06bdd830b7586c", "an NT hash" },
	{ "ab1234567890.", "a DES hash" },
	{ "{crypt}ab1234567890.", "a DES hash" },
	{ "_J9..rasmBYk8r9AiWNc", "a DES hash" },
	{ "{SSHA}pKqkNr1tq3wtQqk+UcPyA3HnA2NsU5NJ", "{SHA512-CRYPT}" },
	{ "{PLAIN}secret", "are supported" },
	{ "{CRYPT}", "postern passwd" },
	{ "{CRYPT}{CRYPT}$6$", "are supported" },
	{ "{SCRAM-SHA-256}", "incomplete" },
	{ "{SCRAM-SHA-256}4096," SALT "," STORED, "incomplete" },
	{ "{SCRAM-SHA-256}4096," SALT "," STORED ",AAAA", "keys" },
	{ "4096," SALT "," STORED "," SERVER, "postern passwd" },
	{ "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "argon2" },
	{ "$y$j9T$vDq/mbJ.SMmjdaNLS.hpO0$VKyoikQq0M", "incomplete" },
	{ "$y$j9T$vDq/mbJ.SMmjdaNLS.hpO0", "incomplete" },
	{ "$6$", "incomplete" },
	{ "$2b$05$FMTF7PrbSh1a8VJ0pbxn6.Huq7ibjqPPntnI70OFZxfwEcebJDOB",
	    "incomplete" },
	{ "$2b$99$FMTF7PrbSh1a8VJ0pbxn6.Huq7ibjqPPntnI70OFZxfwEcebJDOBe",
	    "libcrypt" },
	{ "$2b$05$FMTF7PrbSh1a8VJ0pbxn6 Huq7ibjqPPntnI70OFZxfwEcebJDOBe",
	    "damaged" },
	{ "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$AAAA:AAAA", "only SCRAM-SHA-256" },
	{ "SCRAM-SHA-256", "only SCRAM-SHA-256" },
	{ "SCRAM-SHA-256$4096", "incomplete" },
	{ RECORD("4096", SALT, STORED, ""), "keys" },
	{ RECORD("4096", SALT, STORED, SERVER "="), "keys" },
	{ RECORD("4096", SALT, "AAAA", SERVER), "keys" },
	{ RECORD("4096", SALT, STORED, SERVER "\n"), "keys" },
	{ RECORD("4096", "", STORED, SERVER), "salt" },
	{ RECORD("4096", "c2hvcnQ=", STORED, SERVER), "salt" },
	{ RECORD("4096", "!!!!!!!!!!!!!!!!", STORED, SERVER), "salt" },
	{ RECORD("", SALT, STORED, SERVER), "iteration" },
	{ RECORD("-1", SALT, STORED, SERVER), "iteration" },
	{ RECORD("4095", SALT, STORED, SERVER), "iteration" },
	{ RECORD("65537", SALT, STORED, SERVER), "iteration" },
	{ RECORD("99999999999999999999", SALT, STORED, SERVER), "iteration" },
};

START_TEST(refuses_damaged_records)
{
	struct span record = span_of(damaged[_i].record);
	struct err e = { .code = 0 };

	ck_assert_int_eq(password_check_record(record, &e), PASSWORD_INVALID);
	ck_assert_msg(strstr(e.text, damaged[_i].says) != NULL, "\"%s\": %s",
	    damaged[_i].record, e.text);
	ck_assert_int_eq(password_verify(record, SPAN("secret")), -EINVAL);
}
END_TEST

START_TEST(refuses_a_record_of_any_length)
{
	char long_record[1000];

	memset(long_record, 'A', sizeof(long_record));
	memcpy(long_record, "$6$", 3);
	for (size_t len = 0; len < sizeof(long_record); len++)
		ck_assert_int_eq(
		    password_check_record(span_make(long_record, len), NULL),
		    PASSWORD_INVALID);
}
END_TEST

START_TEST(survives_every_cut_of_a_record)
{
	for (size_t n = 0; n < sizeof(samples) / sizeof(samples[0]); n++) {
		struct span whole = span_of(samples[n].record);
		for (size_t len = 0; len < whole.len; len++) {
			struct span cut = span_first(whole, len);
			char *copy = malloc(len ? len : 1);
			memcpy(copy, cut.ptr, len);
			ck_assert_int_eq(
			    password_check_record(span_make(copy, len), NULL),
			    PASSWORD_INVALID);
			free(copy);
		}
	}
}
END_TEST

START_TEST(makes_records_that_verify)
{
	char first[PASSWORD_RECORD_SIZE], second[PASSWORD_RECORD_SIZE];
	struct span password = SPAN("p4ss word~!");
	struct password_scram s;

	ck_assert_int_eq(password_make_record(password, 4096, first, NULL), 0);
	ck_assert_int_eq(password_make_record(password, 4096, second, NULL), 0);
	ck_assert_str_ne(first, second);
	ck_assert_int_eq(password_verify(span_of(first), password), 0);
	ck_assert_int_eq(
	    password_verify(span_of(first), SPAN("p4ss word~")), -EACCES);
	ck_assert_int_eq(password_parse_scram(span_of(first), &s, NULL), 0);
	ck_assert_uint_eq(s.iterations, 4096);
	ck_assert_uint_eq(s.salt_len, 16);
}
END_TEST

START_TEST(formats_what_it_parsed)
{
	char out[PASSWORD_RECORD_SIZE];
	struct password_scram s;

	ck_assert_int_eq(
	    password_parse_scram(span_of(samples[0].record), &s, NULL), 0);
	password_format_scram(&s, out);
	ck_assert_str_eq(out, samples[0].record);
}
END_TEST

START_TEST(formats_the_longest_salt)
{
	struct password_scram s = { .iterations = PASSWORD_ITERATIONS_MAX,
		.salt_len = PASSWORD_SALT_MAX };
	char out[PASSWORD_RECORD_SIZE];

	password_format_scram(&s, out);
	ck_assert_int_eq(
	    password_check_record(span_of(out), NULL), PASSWORD_SCRAM_SHA256);
}
END_TEST

START_TEST(makes_no_record_that_would_not_work)
{
	char out[PASSWORD_RECORD_SIZE], long_password[PASSWORD_MAX + 1];
	struct err e = { .code = 0 };

	memset(long_password, 'x', sizeof(long_password));
	ck_assert_int_eq(
	    password_make_record(SPAN(""), 4096, out, &e), -EINVAL);
	ck_assert_int_eq(
	    password_make_record(SPAN("pa\0ss"), 4096, out, &e), -EINVAL);
	ck_assert_int_eq(
	    password_make_record(SPAN("tab\t"), 4096, out, &e), -EINVAL);
	ck_assert_int_eq(
	    password_make_record(SPAN("x"), 4095, out, &e), -EINVAL);
	ck_assert_int_eq(
	    password_make_record(SPAN("x"), 65537, out, &e), -EINVAL);
	ck_assert_int_eq(
	    password_make_record(
		span_make(long_password, sizeof(long_password)), 4096, out, &e),
	    -EINVAL);
	ck_assert_int_eq(
	    password_make_record(SPAN("p\xc3\xa4ss"), 4096, out, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.text, "--generate"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/password");
	TCase *t = tcase_create("all");
	int count = sizeof(samples) / sizeof(samples[0]);

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, verifies_records_of_other_tools, 0, count);
	tcase_add_loop_test(t, refuses_nul_behind_the_password, 0, count);
	tcase_add_test(t, keys_fit_the_example_of_the_rfc);
	tcase_add_loop_test(t, takes_records_behind_labels, 0,
	    sizeof(labels) / sizeof(labels[0]));
	tcase_add_test(t, takes_dovecots_notation_of_scram);
	tcase_add_test(t, tells_the_scheme);
	tcase_add_loop_test(t, refuses_damaged_records, 0,
	    sizeof(damaged) / sizeof(damaged[0]));
	tcase_add_test(t, refuses_a_record_of_any_length);
	tcase_add_test(t, survives_every_cut_of_a_record);
	tcase_add_test(t, makes_records_that_verify);
	tcase_add_test(t, formats_what_it_parsed);
	tcase_add_test(t, formats_the_longest_salt);
	tcase_add_test(t, makes_no_record_that_would_not_work);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
