/* See look.h. */
#include "look.h"

#include <support/unit.h>

#include <mail/header.h>

struct message *message;
struct mime_view *view;
const struct mime_fields *fields;
struct err why;
struct buf text;

void set_up(void)
{
	mime_library_init();
	buf_init(&text, TEXT_MAX);
	why = (struct err){ .code = 0 };
}

void drop(void)
{
	mime_view_free(view);
	message_unref(message);
	view = NULL;
	message = NULL;
	fields = NULL;
}

void tear_down(void)
{
	drop();
	buf_finish(&text);
}

void look_at(struct message *m)
{
	drop();
	message = m;
	ck_assert_ptr_nonnull(message);
	view = mime_view_new(message, &why);
	fields = view ? mime_view_fields(view) : NULL;
}

void parse(struct span raw)
{
	size_t length = header_length(raw);
	struct buf header, body;

	buf_init(&header, TEXT_MAX);
	buf_init(&body, TEXT_MAX);
	ck_assert_uint_gt(length, 0);
	ck_assert_int_eq(buf_add(&header, raw.ptr, length), 0);
	ck_assert_int_eq(buf_add_span(&body, raw), 0);
	look_at(message_new(&header, &body, length));
}

void add(const char *s)
{
	ck_assert_int_eq(buf_add_str(&text, s), 0);
}

void add_times(size_t count, const char *s)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = buf_add_str(&text, s);
	ck_assert_int_eq(rc, 0);
}

void check_span(struct span got, const char *expected)
{
	ck_assert_msg(span_eq(got, span_of(expected)),
	    "got \"%.*s\", not \"%s\"", SPAN_FMT(got), expected);
}
