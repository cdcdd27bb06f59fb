/* Recipients are kept once and in order, few or many. */
#include <support/unit.h>

#include <mail/envelope.h>

#include <errno.h>
#include <stdio.h>

static void add_numbered(struct envelope *e, unsigned n, const char *domain)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "User%u@%s", n, domain);

	ck_assert_int_eq(envelope_add_recipient(e,
			     &(struct envelope_recipient){
				 .address = span_make(text, (size_t)len) }),
	    0);
}

START_TEST(keeps_order_and_copies)
{
	struct envelope e;
	char text[] = "b@x.example";

	envelope_init(&e);
	ck_assert_int_eq(
	    envelope_add_recipient(
		&e, &(struct envelope_recipient){ .address = span_of(text) }),
	    0);
	text[0] = 'a';
	ck_assert_int_eq(
	    envelope_add_recipient(
		&e, &(struct envelope_recipient){ .address = span_of(text) }),
	    0);
	ck_assert_uint_eq(e.recipient_count, 2);
	ck_assert(span_eq(e.recipients[0].address, SPAN("b@x.example")));
	ck_assert(span_eq(e.recipients[1].address, SPAN("a@x.example")));
	envelope_finish(&e);
}
END_TEST

START_TEST(keeps_addresses_equal_but_for_case_once)
{
	static const unsigned counts[] = { 1, 8, 15, 16, 17, 100, 1000 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct envelope e;
		envelope_init(&e);
		for (unsigned n = 0; n < counts[i]; n++)
			add_numbered(&e, n, "dest.example");
		for (unsigned n = 0; n < counts[i]; n++)
			add_numbered(&e, n, "DEST.example");
		ck_assert_uint_eq(e.recipient_count, counts[i]);
		ck_assert(span_eq(
		    e.recipients[0].address, SPAN("User0@dest.example")));
		envelope_finish(&e);
	}
}
END_TEST

START_TEST(is_empty_and_usable_after_finish)
{
	struct envelope e;

	envelope_init(&e);
	for (unsigned n = 0; n < 40; n++)
		add_numbered(&e, n, "dest.example");
	envelope_finish(&e);
	ck_assert_uint_eq(e.recipient_count, 0);
	add_numbered(&e, 1, "dest.example");
	ck_assert_uint_eq(e.recipient_count, 1);
	envelope_finish(&e);
}
END_TEST

START_TEST(keeps_what_was_asked_for_a_recipient)
{
	struct envelope e;
	char orcpt[] = "rfc822;Bob@x.example";
	struct envelope_recipient bob = { .address = SPAN("bob@x.example"),
		.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY,
		.orcpt = span_of(orcpt) };
	struct envelope_recipient again = { .address = SPAN("BOB@x.example"),
		.notify = ENVELOPE_NOTIFY_NEVER };

	envelope_init(&e);
	ck_assert_int_eq(envelope_add_recipient(&e, &bob), 0);
	ck_assert_int_eq(envelope_add_recipient(&e, &again), 0);
	orcpt[0] = 'X'; /* it was copied */
	ck_assert_uint_eq(e.recipient_count, 1);
	ck_assert_uint_eq(e.recipients[0].notify, bob.notify);
	ck_assert(span_eq(e.recipients[0].orcpt, SPAN("rfc822;Bob@x.example")));
	envelope_finish(&e);
}
END_TEST

/* A client may say RCPT as often as it likes. */
START_TEST(takes_no_memory_for_what_is_there)
{
	static const unsigned counts[] = { 1, 8, 40 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct envelope e;
		envelope_init(&e);
		for (unsigned n = 0; n < counts[i]; n++)
			add_numbered(&e, n, "dest.example");
		add_numbered(&e, 0, "DEST.example");
		size_t used = e.arena.used;
		for (unsigned n = 0; n < 1000; n++)
			add_numbered(&e, n % counts[i], "dest.example");
		ck_assert_uint_eq(e.arena.used, used);
		envelope_finish(&e);
	}
}
END_TEST

START_TEST(refuses_what_it_could_not_tell_apart)
{
	struct envelope_recipient r = { .notify = 0 };
	struct envelope e;
	char text[600];

	memset(text, 'a', sizeof(text));
	r.address = span_make(text, sizeof(text));
	envelope_init(&e);
	ck_assert_int_eq(envelope_add_recipient(&e, &r), -EMSGSIZE);
	ck_assert_uint_eq(e.recipient_count, 0);
	envelope_finish(&e);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.envelope");
	TCase *t = tcase_create("envelope");

	tcase_add_test(t, keeps_order_and_copies);
	tcase_add_test(t, keeps_addresses_equal_but_for_case_once);
	tcase_add_test(t, keeps_what_was_asked_for_a_recipient);
	tcase_add_test(t, takes_no_memory_for_what_is_there);
	tcase_add_test(t, refuses_what_it_could_not_tell_apart);
	tcase_add_test(t, is_empty_and_usable_after_finish);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
