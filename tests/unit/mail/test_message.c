/* A message reads the same in pieces of any size. */
#include <support/unit.h>

#include <base/hash.h>
#include <mail/message.h>

static struct message *make(const char *header, const char *body, size_t skip)
{
	struct buf h, b;
	struct message *m;

	buf_init(&h, 4096);
	buf_init(&b, 4096);
	ck_assert_int_eq(buf_add_str(&h, header), 0);
	ck_assert_int_eq(buf_add_str(&b, body), 0);
	m = message_new(&h, &b, skip);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(buf_len(&h), 0);
	ck_assert_uint_eq(buf_len(&b), 0);
	return m;
}

START_TEST(reads_header_and_body_as_one)
{
	static const char expected[] = "A: b\r\n\r\nbody\r\n";
	struct message *m = make("A: b\r\n\r\n", "raw\r\n\r\nbody\r\n", 7);

	ck_assert_uint_eq(message_size(m), sizeof(expected) - 1);
	for (size_t step = 1; step < 20; step++) {
		char text[64];
		size_t got = 0;
		ssize_t n;
		while ((n = message_read(m, got, text + got, step)) > 0)
			got += (size_t)n;
		ck_assert_int_eq((int)n, 0);
		ck_assert_uint_eq(got, sizeof(expected) - 1);
		ck_assert_mem_eq(text, expected, got);
	}
	ck_assert(span_eq(message_header(m), SPAN("A: b\r\n\r\n")));
	ck_assert(span_eq(message_body(m), SPAN("body\r\n")));
	message_unref(m);
}
END_TEST

START_TEST(reads_nothing_past_the_end)
{
	struct message *m = make("A: b\r\n\r\n", "", 0);
	char text[8];

	ck_assert_int_eq((int)message_read(m, 8, text, sizeof(text)), 0);
	ck_assert_int_eq((int)message_read(m, UINT64_MAX, text, 8), 0);
	message_unref(m);
}
END_TEST

START_TEST(sums_header_and_body)
{
	struct message *m = make("A: b\r\n\r\n", "body\r\n", 0);
	uint32_t expected = hash_crc32c(0, "A: b\r\n\r\nbody\r\n", 14);

	ck_assert_uint_eq(message_crc(m), expected);
	ck_assert_uint_eq(message_crc(m), expected);
	message_unref(m);
}
END_TEST

START_TEST(lives_until_the_last_reference)
{
	struct message *m = make("A: b\r\n\r\n", "body\r\n", 0);

	ck_assert_ptr_eq(message_ref(m), m);
	message_unref(m);
	ck_assert_uint_eq(message_size(m), 14);
	message_unref(m);
	message_unref(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.message");
	TCase *t = tcase_create("message");

	tcase_add_test(t, reads_header_and_body_as_one);
	tcase_add_test(t, reads_nothing_past_the_end);
	tcase_add_test(t, sums_header_and_body);
	tcase_add_test(t, lives_until_the_last_reference);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
