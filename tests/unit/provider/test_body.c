/* A body reads the same in one go, in pieces of any size, and again. */
#include <support/unit.h>

#include <base/b64.h>
#include <base/hash.h>
#include <provider/request_internal.h>

#include <errno.h>
#include <stdlib.h>

enum {
	BODY_SIZE = 20000,
	TEXT_MAX = 1 << 20
};

static struct message *message;
static struct postern_request request;
static struct buf raw, expected;

/* A message with every byte of ASCII but NUL, and UTF-8 at odd places. */
static void make_message(size_t size)
{
	struct buf header, body;

	buf_init(&header, TEXT_MAX);
	buf_init(&body, TEXT_MAX);
	ck_assert_int_eq(buf_add_str(&header, "A: \xe2\x9c\x93\r\n\r\n"), 0);
	ck_assert_int_eq(buf_reserve(&body, size), 0);
	for (size_t i = 0; i < size; i++)
		buf_tail(&body)[i] = (char)(i * 7 % 127 + 1);
	for (size_t i = 5; i + 3 <= size; i += 11)
		memcpy(buf_tail(&body) + i, "\xe2\x9c\x93", 3);
	buf_commit(&body, size);
	ck_assert_int_eq(buf_add_span(&raw, buf_span(&header)), 0);
	ck_assert_int_eq(buf_add_span(&raw, buf_span(&body)), 0);
	message = message_new(&header, &body, 0);
	ck_assert_ptr_nonnull(message);
	request_init(&request, message);
}

static void set_up(void)
{
	buf_init(&raw, TEXT_MAX);
	buf_init(&expected, TEXT_MAX);
}

static void tear_down(void)
{
	request_finish(&request);
	message_unref(message);
	buf_finish(&raw);
	buf_finish(&expected);
}

static struct postern_str to_str(const char *s)
{
	return (struct postern_str){ s, strlen(s) };
}

static void expect_base64(struct span s)
{
	size_t len = b64_encoded_len(s.len);

	ck_assert_int_eq(buf_reserve(&expected, len), 0);
	(void)b64_encode(s.ptr, s.len, buf_tail(&expected));
	buf_commit(&expected, len);
}

/* Text, JSON, and the message in all three encodings. */
static void make_body(void)
{
	ck_assert_int_eq(request_host.body(&request, "{\"a\":\"", 6), 0);
	ck_assert_int_eq(request_host.body_json(&request, to_str("x\"y")), 0);
	ck_assert_int_eq(
	    request_host.body_message(&request, POSTERN_BASE64), 0);
	ck_assert_int_eq(request_host.body(&request, "\"|", 2), 0);
	ck_assert_int_eq(
	    request_host.body_message(&request, POSTERN_JSON_STRING), 0);
	ck_assert_int_eq(request_host.body_message(&request, POSTERN_AS_IS), 0);
	ck_assert_int_eq(request_host.body(&request, "}", 1), 0);

	ck_assert_int_eq(buf_add_str(&expected, "{\"a\":\"x\\\"y"), 0);
	expect_base64(buf_span(&raw));
	ck_assert_int_eq(buf_add_str(&expected, "\"|"), 0);
	ck_assert_int_eq(json_escape(buf_span(&raw), &expected), 0);
	ck_assert_int_eq(buf_add_span(&expected, buf_span(&raw)), 0);
	ck_assert_int_eq(buf_add_str(&expected, "}"), 0);
}

static void check_range(uint64_t offset, size_t step)
{
	struct span want = span_from(buf_span(&expected), (size_t)offset);
	char *got = malloc(want.len + step);
	size_t len = 0;
	ptrdiff_t n;

	while ((n = body_read(&request, offset + len, got + len, step)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(len, want.len);
	ck_assert_int_eq(memcmp(got, want.ptr, len), 0);
	free(got);
}

START_TEST(reads_the_same_in_steps_of_any_size)
{
	static const size_t steps[] = { 1, 2, 3, 4, 5, 7, 16, 1000, 4095, 4096,
		16384, 1 << 20 };

	for (size_t size = 0; size < 4; size++) {
		make_message(size == 3 ? BODY_SIZE : BODY_SIZE / 10 + size);
		make_body();
		ck_assert_uint_eq(request.body_size, buf_len(&expected));
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			check_range(0, steps[i]);
		if (size == 3)
			break;
		tear_down();
		set_up();
	}
}
END_TEST

START_TEST(reads_from_anywhere)
{
	make_message(BODY_SIZE);
	make_body();
	for (uint64_t offset = 0; offset < buf_len(&expected);
	     offset += 1 + offset / 3)
		check_range(offset, 5000);
	check_range(buf_len(&expected) - 1, 10);
	check_range(0, 100000);
}
END_TEST

/* Message with that header and body; the request is to it. */
static void make_small(const char *head, const char *content)
{
	struct buf header, body;

	buf_init(&header, TEXT_MAX);
	buf_init(&body, TEXT_MAX);
	ck_assert_int_eq(buf_add_str(&header, head), 0);
	ck_assert_int_eq(buf_add_str(&body, content), 0);
	message = message_new(&header, &body, 0);
	ck_assert_ptr_nonnull(message);
	request_init(&request, message);
}

START_TEST(changes_the_header_and_nothing_else)
{
	static const char *const without[] = { "To", "cc", NULL };
	const struct postern_str fields = to_str("To: new@x.example\r\n");
	const char *changed = "To: new@x.example\r\n"
			      "From: a@x.example\r\n"
			      "Subject: one\r\n two\r\n\r\n"
			      "To: text \xe2\x9c\x93\r\n";

	make_small(
	    "From: a@x.example\r\nTO: old@x.example,\r\n\tb@x.example\r\n"
	    "Cc: c@x.example\r\nSubject: one\r\n two\r\n"
	    "to : again@x.example\r\n\r\n",
	    "To: text \xe2\x9c\x93\r\n");
	for (int encoding = POSTERN_AS_IS; encoding <= POSTERN_JSON_STRING;
	     encoding++)
		ck_assert_int_eq(request_host.body_changed(&request, fields,
				     without, (enum postern_encoding)encoding),
		    0);
	ck_assert_int_eq(buf_add_str(&expected, changed), 0);
	expect_base64(span_of(changed));
	ck_assert_int_eq(json_escape(span_of(changed), &expected), 0);
	ck_assert_uint_eq(request.body_size, buf_len(&expected));
	for (size_t step = 1; step < 100; step++)
		check_range(0, step);
}
END_TEST

START_TEST(refuses_a_message_that_is_no_text_in_json)
{
	static const char *const none[] = { NULL };

	make_small("A: b\r\n\r\n", "Gr\xfc\xdf\x65\r\n");
	ck_assert_int_eq(
	    request_host.body_message(&request, POSTERN_BASE64), 0);
	ck_assert_int_eq(request_host.body_message(&request, POSTERN_AS_IS), 0);
	ck_assert_int_eq(
	    request_host.body_message(&request, POSTERN_JSON_STRING), -EINVAL);
	ck_assert_int_eq(request.refusal.code, -EINVAL);
	ck_assert_ptr_nonnull(strstr(request.refusal.text, "not UTF-8"));
	ck_assert_int_eq(request_host.body_changed(
			     &request, to_str(""), none, POSTERN_JSON_STRING),
	    -EINVAL);
	ck_assert_int_eq(request.rc, -EINVAL);
}
END_TEST

START_TEST(counts_an_empty_body)
{
	char c;

	make_message(0);
	ck_assert_uint_eq(request.body_size, 0);
	ck_assert_int_eq(request_host.body(&request, "", 0), 0);
	ck_assert_int_eq(body_read(&request, 0, &c, 1), 0);
	ck_assert_uint_eq(request.piece_count, 0);
}
END_TEST

START_TEST(hashes_what_it_will_send)
{
	char got[65], hex[65];
	uint8_t digest[HASH_SHA256_SIZE];

	make_message(BODY_SIZE);
	make_body();
	hash_sha256(buf_span(&expected), digest);
	hex_encode(digest, sizeof(digest), hex);
	ck_assert_int_eq(request_host.body_sha256(&request, got), 0);
	ck_assert_str_eq(got, hex);
}
END_TEST

START_TEST(keeps_line_breaks_out_of_headers)
{
	static const char *const bad[][2] = { { "A", "b\r\nBcc: c" },
		{ "A", "b\nc" }, { "A b", "c" }, { "A:", "b" }, { "", "b" } };

	make_message(1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_lt(
		    request_host.header(&request, bad[i][0], bad[i][1]), 0);
	ck_assert_int_lt(request_host.url(&request, "http://a/ b"), 0);
	ck_assert_int_lt(request.rc, 0);
	ck_assert_uint_eq(request.header_count, 0);
}
END_TEST

START_TEST(encodes_for_urls_and_headers)
{
	make_message(1);
	ck_assert_str_eq(
	    request_host.percent(&request, to_str("aZ9-._~ /\xff")),
	    "aZ9-._~%20%2F%FF");
	ck_assert_str_eq(
	    request_host.base64(&request, to_str("api:key")), "YXBpOmtleQ==");
}
END_TEST

START_TEST(refuses_a_part_that_is_not_there)
{
	make_message(1);
	ck_assert_int_eq(
	    request_host.body_part(&request, 0, POSTERN_BASE64), -ERANGE);
	ck_assert_int_eq(request.rc, -ERANGE);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.body");
	TCase *t = tcase_create("body");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, reads_the_same_in_steps_of_any_size);
	tcase_add_test(t, reads_from_anywhere);
	tcase_add_test(t, changes_the_header_and_nothing_else);
	tcase_add_test(t, refuses_a_message_that_is_no_text_in_json);
	tcase_add_test(t, counts_an_empty_body);
	tcase_add_test(t, hashes_what_it_will_send);
	tcase_add_test(t, keeps_line_breaks_out_of_headers);
	tcase_add_test(t, encodes_for_urls_and_headers);
	tcase_add_test(t, refuses_a_part_that_is_not_there);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
