/* A certificate's names as users' lists have them. */
#include <net/tls_peer.h>
#include <smtp/proven.h>

#include <stdlib.h>

#include <support/unit.h>

#define DIGITS "00112233445566778899aabbccddeeff"

START_TEST(names_what_was_verified)
{
	static const struct tls_name names[] = {
		{ TLS_NAME_DNS, "a.example" },
		{ TLS_NAME_EMAIL, "a@example.com" },
		{ TLS_NAME_URI, "urn:a" },
	};
	const struct tls_peer peer = { .common_name = "A B",
		.names = names,
		.count = 3,
		.fingerprint = DIGITS DIGITS };
	static const char *const expected[] = { "sha256:" DIGITS DIGITS,
		"dns:a.example", "email:a@example.com", "uri:urn:a", "CN=A B" };
	const char **proven = smtp_proven_new(&peer);

	ck_assert_ptr_nonnull(proven);
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(proven[i], expected[i]);
	ck_assert_ptr_null(proven[5]);
	free(proven);
}
END_TEST

START_TEST(names_little_when_there_is_little)
{
	const struct tls_peer peer = { .fingerprint = DIGITS DIGITS };
	const char **proven = smtp_proven_new(&peer);

	ck_assert_str_eq(proven[0], "sha256:" DIGITS DIGITS);
	ck_assert_ptr_null(proven[1]);
	free(proven);
	ck_assert_ptr_null(smtp_proven_new(NULL));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("smtp/proven");
	TCase *t = tcase_create("all");

	tcase_add_test(t, names_what_was_verified);
	tcase_add_test(t, names_little_when_there_is_little);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
