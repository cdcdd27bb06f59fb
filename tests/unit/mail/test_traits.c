/* What a header says of its message, and how people hear of it. */
#include <support/unit.h>

#include <mail/traits.h>
#include <postern/provider.h>

#include <string.h>

#define DKIM POSTERN_CARRIES_DKIM
#define EACH (POSTERN_CARRIES_ALL_CONTENT | POSTERN_CARRIES_CONTROLS)
#define DATED (POSTERN_CARRIES_DKIM | POSTERN_CARRIES_DATE_AND_ID)

static const struct {
	const char *header;
	unsigned traits;
} cases[] = {
	{ "Subject: DKIM-Signature\r\n\r\n", 0 },
	{ "", 0 },
	{ "DKIM-Signature: v=1; h=From:To:Subject; b=x\r\n\r\n", DKIM },
	{ "dkim-signature: v=1; h=from:to\r\n : Date ; b=x\r\n\r\n", DATED },
	{ "DKIM-Signature: v=1;\r\n\th = message-id:from;b=x\r\n\r\n", DATED },
	{ "DKIM-Signature: v=1; bh=date; z=date; h=from\r\n\r\n", DKIM },
	{ "DKIM-Signature:\r\n\r\n", DKIM },
	{ "DKIM-Signature: h=from\r\nDKIM-Signature: h=from:date\r\n\r\n",
	    DATED },
	{ "X-Postern-Tag: a\r\n\r\n", POSTERN_CARRIES_TAGS },
	{ "X-Postern-Metadata-A: a\r\nX-Postern-Track: no\r\n\r\n",
	    POSTERN_CARRIES_METADATA | POSTERN_CARRIES_TRACKING },
	{ "X-Postern-Schedule: x\r\nX-PM-Tag: x\r\n\r\n", 0 },
};

START_TEST(knows_what_a_signature_covers)
{
	ck_assert_uint_eq(
	    traits_of_header(span_of(cases[_i].header)), cases[_i].traits);
}
END_TEST

START_TEST(describes_each)
{
	char text[TRAITS_TEXT_SIZE], all[TRAITS_TEXT_SIZE];

	traits_describe(0, text);
	ck_assert_str_eq(text, "");
	traits_describe(POSTERN_CARRIES_SIGNED | DKIM, text);
	ck_assert_str_eq(
	    text, "is signed (S/MIME or PGP) and has a DKIM signature");
	traits_describe(DATED, text);
	ck_assert_str_eq(text, "has a DKIM signature over Date or Message-ID");
	for (unsigned bit = 1; bit <= EACH; bit *= 2) {
		traits_describe(bit, text);
		ck_assert_int_eq(*text != '\0', (bit & EACH) != 0);
	}
	traits_describe(EACH, all);
	ck_assert_ptr_nonnull(strstr(all, "X-Postern-Track)"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/traits");
	TCase *t = tcase_create("traits");

	tcase_add_loop_test(t, knows_what_a_signature_covers, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, describes_each);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
