/* Searches, in both engines: filters, pages, and what is forgotten. */
#include "fixture.h"

#include <base/clock.h>

#include <stdio.h>

enum {
	MESSAGES = 6
};

static struct fix f;
static struct id ids[MESSAGES];

/*
 * 0 to 5: of user "app" the even ones, else "Other"; to "r<n>@x" and
 * "both@x"; 4 and 5 are sent with the provider's ids "id-4" and "id-5"; the
 * first recipient of 3 is held at "ses".
 */
static void add(unsigned n)
{
	char address[16];
	struct store_recipient to[2] = { { .due_ms = 1 },
		{ .address = SPAN("both@x"), .due_ms = 1 } };
	struct store_entry e = { .id = ids[0],
		.created_ms = 1000 + n,
		.user = n % 2 ? SPAN("Other") : SPAN("app"),
		.sender = SPAN("me@x"),
		.message_id = n == 2 ? SPAN("two@x") : SPAN(""),
		.recipients = to,
		.recipient_count = 2,
		.message = fix_message(n, 100 + n) };
	struct store_accept a = { .entry = &e };

	(void)snprintf(address, sizeof(address), "r%u@x", n);
	to[0].address = span_of(address);
	if (n == 3) {
		to[0].state = STORE_HELD;
		(void)snprintf(to[0].provider, STORE_NAME_SIZE, "ses");
	}
	/* In this order, also when all are of one millisecond. */
	e.id.bytes[sizeof(e.id.bytes) - 1] = (uint8_t)n;
	ids[n] = e.id;
	ck_assert_int_eq(fix_accept(&f, &a), 0);
	message_unref(e.message);
}

static void finish(unsigned n)
{
	char given[16];
	struct store_recipient to[2] = { { .state = STORE_SENT,
					     .provider = "sendgrid" },
		{ .state = STORE_SENT, .provider = "sendgrid" } };
	struct store_attempt rows[2] = { { .recipient = 0 },
		{ .recipient = 1 } };
	size_t indices[2] = { 0, 1 };
	struct store_update u = { .id = ids[n],
		.attempts = rows,
		.attempt_count = 2,
		.indices = indices,
		.recipients = to,
		.recipient_count = 2 };

	(void)snprintf(given, sizeof(given), "id-%u", n);
	for (size_t i = 0; i < 2; i++) {
		rows[i].result = POSTERN_ACCEPTED;
		rows[i].provider_id = span_of(given);
		rows[i].reason = SPAN("");
	}
	ck_assert_int_eq(fix_update(&f, &u), 0);
}

static void start(int engine)
{
	fix_init(&f, (enum store_engine)engine);
	fix_open(&f, NULL);
	ids[0] = id_make();
	for (unsigned n = 0; n < MESSAGES; n++)
		add(n);
	finish(4);
	finish(5);
}

static struct store_search search_of(const struct store_filter *filter)
{
	struct store_search s = { .filter = filter, .limit = 100 };

	memset(&s.before, 0xff, sizeof(s.before));
	return s;
}

/* The numbers of what is found, newest first, e.g. "3210". */
static void expect(const struct store_filter *filter, const char *numbers)
{
	struct store_search s = search_of(filter);
	char found[MESSAGES + 1] = "";

	ck_assert_int_eq(fix_search(&f, &s), 0);
	ck_assert(!s.is_more);
	ck_assert_uint_le(s.count, MESSAGES);
	for (size_t i = 0; i < s.count; i++)
		for (unsigned n = 0; n < MESSAGES; n++)
			if (id_eq(s.found[i]->id, ids[n]))
				found[i] = (char)('0' + n);
	ck_assert_str_eq(found, numbers);
	store_search_finish(&s);
}

START_TEST(finds_what_a_filter_means)
{
	const struct {
		struct store_filter filter;
		const char *numbers;
	} cases[] = {
		{ { .is_open = true }, "3210" },
		{ { .is_open = false }, "543210" },
		{ { .user = SPAN("other") }, "531" },
		{ { .user = SPAN("app"), .is_open = true }, "20" },
		{ { .user = SPAN("ap") }, "" },
		{ { .sender = SPAN("ME@x") }, "543210" },
		{ { .sender = SPAN("you@x") }, "" },
		{ { .recipient = SPAN("R1@X") }, "1" },
		{ { .recipient = SPAN("both@x") }, "543210" },
		{ { .provider = SPAN("sendgrid") }, "54" },
		{ { .states = 1u << STORE_HELD }, "3" },
		{ { .states = 1u << STORE_HELD | 1u << STORE_SENT }, "543" },
		{ { .states = 1u << STORE_HELD, .recipient = SPAN("r3@x") },
		    "3" },
		{ { .states = 1u << STORE_HELD, .recipient = SPAN("both@x") },
		    "" },
		{ { .provider = SPAN("ses"), .states = 1u << STORE_HELD },
		    "3" },
		{ { .message_id = SPAN("two@x") }, "2" },
		{ { .message_id = SPAN("Two@x") }, "" },
		{ { .provider_id = SPAN("id-4") }, "4" },
		{ { .provider_id = SPAN("id-4"), .is_open = true }, "" },
		{ { .provider_id = SPAN("id-9") }, "" },
	};

	start(_i);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&cases[i].filter, cases[i].numbers);
	fix_finish(&f);
}
END_TEST

START_TEST(goes_on_where_a_page_ended)
{
	static const struct store_filter all = { .is_open = false };
	struct store_search s = search_of(&all);

	start(_i);
	s.limit = 4;
	ck_assert_int_eq(fix_search(&f, &s), 0);
	ck_assert_uint_eq(s.count, 4);
	ck_assert(s.is_more);
	ck_assert(id_eq(s.next, ids[2]));
	store_search_finish(&s);
	s.before = s.next;
	ck_assert_int_eq(fix_search(&f, &s), 0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert(!s.is_more);
	ck_assert(id_eq(s.found[0]->id, ids[1]));
	store_search_finish(&s);
	fix_finish(&f);
}
END_TEST

START_TEST(brings_rows_and_sizes)
{
	const struct store_filter one = { .recipient = SPAN("r3@x") };
	struct store_search s = search_of(&one);

	start(_i);
	ck_assert_int_eq(fix_search(&f, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	const struct store_entry *e = s.found[0];
	ck_assert_ptr_null(e->message);
	ck_assert_int_eq(e->created_ms, 1003);
	ck_assert_uint_eq(e->size, 103);
	ck_assert_uint_eq(e->recipient_total, 2);
	ck_assert_uint_eq(e->recipient_count, 2);
	ck_assert_int_eq(e->recipients[0].state, STORE_HELD);
	ck_assert_str_eq(e->recipients[0].provider, "ses");
	store_search_finish(&s);
	fix_finish(&f);
}
END_TEST

START_TEST(brings_only_the_first_of_many_recipients)
{
	static struct store_recipient to[STORE_SEARCH_RECIPIENTS + 5];
	const struct store_filter many = { .user = SPAN("many") };
	struct store_entry e = { .id = id_make(),
		.user = SPAN("many"),
		.recipients = to,
		.recipient_count = STORE_SEARCH_RECIPIENTS + 5,
		.message = fix_message(1, 100) };
	struct store_accept a = { .entry = &e };
	struct store_search s = search_of(&many);

	start(_i);
	for (size_t i = 0; i < e.recipient_count; i++)
		to[i] = (struct store_recipient){ .address = SPAN("x@y") };
	ck_assert_int_eq(fix_accept(&f, &a), 0);
	ck_assert_int_eq(fix_search(&f, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.found[0]->recipient_count, STORE_SEARCH_RECIPIENTS);
	ck_assert_uint_eq(
	    s.found[0]->recipient_total, STORE_SEARCH_RECIPIENTS + 5);
	store_search_finish(&s);
	message_unref(e.message);
	fix_finish(&f);
}
END_TEST

/* Both see one state of the store each, and the newer one is the next's. */
START_TEST(sees_what_was_committed_before)
{
	static const struct store_filter open = { .is_open = true };

	start(_i);
	expect(&open, "3210");
	finish(3);
	finish(0);
	expect(&open, "21");
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store/search");
	TCase *tc = tcase_create("search");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
	    tc, finds_what_a_filter_means, STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_loop_test(
	    tc, goes_on_where_a_page_ended, STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_loop_test(
	    tc, brings_rows_and_sizes, STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_loop_test(tc, brings_only_the_first_of_many_recipients,
	    STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_loop_test(
	    tc, sees_what_was_committed_before, STORE_SQLITE, STORE_MEMORY + 1);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
