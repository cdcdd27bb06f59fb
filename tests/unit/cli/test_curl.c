/* A request as a curl command: what a shell would make of it. */
#include <support/unit.h>

#include <cli/explain.h>

#include <string.h>

static struct arena arena;
static struct buf out;

static void open_all(void)
{
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
}

static void close_all(void)
{
	arena_finish(&arena);
	buf_finish(&out);
}

static const char *command(const struct explain_offer *o)
{
	buf_clear(&out);
	ck_assert_int_eq(curl_command(o, &out), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	return buf_span(&out).ptr;
}

START_TEST(quotes_are_a_shells)
{
	const char *headers[] = { "X-It: it's", NULL };
	const struct explain_offer o = { .method = "POST",
		.url = "https://a.example/$x?'",
		.headers = headers,
		.body_size = 4,
		.body = "'`\\'" };

	ck_assert_str_eq(command(&o),
	    "curl -X POST 'https://a.example/$x?'\\''' \\\n"
	    "  -H 'X-It: it'\\''s' \\\n"
	    "  --data-raw ''\\''`\\'\\'''\n");
}
END_TEST

START_TEST(line_ends_are_kept)
{
	const char *headers[] = { NULL };
	const struct explain_offer o = { .method = "POST",
		.url = "http://h/",
		.headers = headers,
		.body_size = 9,
		.body = "it's\r\n\\$x" };

	ck_assert_str_eq(command(&o), "curl -X POST 'http://h/' \\\n"
				      "  --data-raw $'it\\'s\\r\n\\\\$x'\n");
}
END_TEST

START_TEST(basic_credentials_can_be_read)
{
	const char *headers[] = { "Authorization: Basic YXBpOlhYWFg=",
		"Authorization: Basic no*base64", NULL };
	const struct explain_offer o = {
		.method = "GET", .url = "http://h/", .headers = headers
	};

	ck_assert_str_eq(command(&o),
	    "curl -X GET 'http://h/' \\\n"
	    "  --user 'api:XXXX' \\\n"
	    "  -H 'Authorization: Basic no*base64'\n");
}
END_TEST

static const char *text_of(struct span body, bool is_short)
{
	bool got;
	const char *text = curl_body_text(body, &arena, &got);

	ck_assert_ptr_nonnull(text);
	ck_assert(got == is_short);
	return text;
}

START_TEST(long_strings_of_json_are_cut_between_characters)
{
	char body[2048] = "{\"a\":1,\"b\":[\"";
	size_t at = strlen(body);

	for (int i = 0; i < 100; i++, at += 3)
		memcpy(body + at, "\xe2\x82\xac", 3);
	memcpy(body + at, "\"]}", 4);
	const char *text = text_of(span_of(body), true);
	ck_assert_ptr_nonnull(strstr(text, "\"a\": 1"));
	ck_assert_ptr_nonnull(strstr(text, "... (300 bytes)"));
	ck_assert(span_is_utf8(span_of(text)));
	ck_assert_uint_lt(strlen(text), 200);
	(void)text_of(SPAN("{\"a\":\"short\"}"), false);
}
END_TEST

START_TEST(of_anything_else_the_start_is_shown)
{
	static char body[4000];

	ck_assert_str_eq(text_of(SPAN("a\r\nb\0c\xff"), true), "a\r\nb.c.");
	ck_assert_str_eq(text_of(SPAN("a\r\n\tb"), false), "a\r\n\tb");
	ck_assert_str_eq(text_of(SPAN(""), false), "");
	memset(body, 'x', sizeof(body));
	const char *text = text_of(span_make(body, sizeof(body)), true);
	ck_assert_ptr_nonnull(strstr(text, "\n... (2976 bytes more)"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("cli.curl");
	TCase *t = tcase_create("curl");

	tcase_add_checked_fixture(t, open_all, close_all);
	tcase_add_test(t, quotes_are_a_shells);
	tcase_add_test(t, line_ends_are_kept);
	tcase_add_test(t, basic_credentials_can_be_read);
	tcase_add_test(t, long_strings_of_json_are_cut_between_characters);
	tcase_add_test(t, of_anything_else_the_start_is_shown);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
