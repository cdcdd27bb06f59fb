/* Header fields of a message as members of JSON, however many there are. */
#include <support/unit.h>

#include <common/letter.h>
#include <provider/request_internal.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	MANY = 100000 /* each compared with all before it would take minutes */
};

static const struct letter_style map = { .addresses = LETTER_OBJECTS };
static const struct letter_style list = { .header_name = "name",
	.header_value = "value" };
static struct postern_request request;

static void set_up(void)
{
	request_init(&request, NULL);
}

static void tear_down(void)
{
	request_finish(&request);
}

static void write_headers(const struct letter_style *style,
    const struct postern_header *headers, size_t count)
{
	static const struct postern_content content = { .to_count = 0 };
	const struct postern_mail mail = {
		.headers = headers, .header_count = count, .content = &content
	};
	struct letter l;

	ck_assert_int_eq(
	    letter_init(&l, style, &mail, &request_host, &request), 0);
	letter_headers(&l, "headers", NULL, NULL, 0);
	ck_assert_int_eq(request.rc, 0);
}

#define FIELD(name, value)                                                     \
	{                                                                      \
		{ name, sizeof(name) - 1 },                                    \
		{                                                              \
			value, sizeof(value) - 1                               \
		}                                                              \
	}

static const struct postern_header fields[] = { FIELD("X-B", "1"),
	FIELD("X-A", "2"), FIELD("x-b", "3"), FIELD("X-C", "4"),
	FIELD("X-A", "5") };

static void check_body(const char *expected)
{
	ck_assert_msg(span_eq(buf_span(&request.text), span_of(expected)),
	    "%.*s", SPAN_FMT(buf_span(&request.text)));
}

START_TEST(a_map_has_the_first_field_of_each_name)
{
	write_headers(&map, fields, 5);
	check_body("\"headers\":{\"X-B\":\"1\",\"X-A\":\"2\",\"X-C\":\"4\"}");
}
END_TEST

START_TEST(a_list_has_them_all)
{
	write_headers(&list, fields, 3);
	check_body("\"headers\":[{\"name\":\"X-B\",\"value\":\"1\"},"
		   "{\"name\":\"X-A\",\"value\":\"2\"},"
		   "{\"name\":\"x-b\",\"value\":\"3\"}]");
}
END_TEST

START_TEST(a_hundred_thousand_fields_are_gone_through)
{
	struct postern_header *headers = calloc(MANY, sizeof(*headers));
	char(*names)[12] = calloc(MANY, sizeof(*names));

	ck_assert(headers && names);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "X-%05d", i);
		headers[i].name = str_of(names[i]);
		headers[i].value = STR("");
	}
	write_headers(&map, headers, MANY);
	ck_assert_uint_gt(buf_len(&request.text), MANY * sizeof("X-00000"));
	free(names);
	free(headers);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.letter");
	TCase *t = tcase_create("letter");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_map_has_the_first_field_of_each_name);
	tcase_add_test(t, a_list_has_them_all);
	tcase_add_test(t, a_hundred_thousand_fields_are_gone_through);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
