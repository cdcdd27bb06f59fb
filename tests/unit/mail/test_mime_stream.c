/*
 * Parts are decoded from where the message lies: the same from a file as from
 * memory, in whatever steps they are read, and counted before.
 */
#include "elsewhere.h"
#include "look.h"

#include <support/unit.h>

#include <mail/header.h>

#include <errno.h>
#include <stdlib.h>

static struct elsewhere source;
static void begin(void)
{
	set_up();
	source = (struct elsewhere){ .fails_from = 0 };
}

static void open_elsewhere(struct span raw)
{
	drop(); /* its source is the same */
	look_at(elsewhere_message(&source, raw));
}

/* One part of a type that is a file, in that encoding. */
static struct span with_file(const char *encoding, const char *content)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: ");
	add(encoding);
	add("\r\n\r\n");
	add(content);
	add("\r\n--b--\r\n");
	return buf_span(&text);
}

/* The whole of a part, read in pieces of step bytes. Freed by the caller. */
static char *read_part(size_t i, size_t step)
{
	size_t size = (size_t)fields->parts[i].size, done = 0;
	char *out = malloc(size + 1);

	while (done < size) {
		size_t len = size - done < step ? size - done : step;
		ck_assert_int_eq(
		    mime_view_read(view, i, done, out + done, len), 0);
		done += len;
	}
	return out;
}

static void check_part(size_t i, struct span expected)
{
	static const size_t steps[] = { 1, 2, 3, 5, 64, 4095, 4096, 4097,
		100000 };

	ck_assert_uint_eq(fields->parts[i].size, expected.len);
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		char *got = read_part(i, steps[k]);
		ck_assert(span_eq(span_make(got, expected.len), expected));
		free(got);
	}
}

START_TEST(decodes_what_is_odd)
{
	static const struct {
		const char *encoding, *content, *expected;
	} cases[] = {
		{ "base64", "aGVsbG8=", "hello" },
		{ "BASE64", "aGVs\r\nbG8=\r\n", "hello" },
		{ "base64", "aGVs bG8", "hel" },
		{ "base64", "aG!V*s\r\n-bG8=", "hello" },
		{ "base64", "aGVsbG8=\r\naGVsbG8=", "hello" },
		{ "base64", "", "" },
		{ "quoted-printable", "a=3Db=\r\nc", "a=bc" },
		{ "quoted-printable", "a=zzb=", "a=zzb" },
		{ "x-uuencode", "begin 644 x\r\n%:&5L;&\\\r\n`\r\nend",
		    "hello" },
		{ "x-uuencode", "no such line", "" },
		{ "7bit", "a\r\nb", "a\r\nb" },
		{ "8bit", "\xfc", "\xfc" },
		{ "binary", "a=3D", "a=3D" },
		{ "x-unheard-of", "a=3D", "a=3D" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(with_file(cases[i].encoding, cases[i].content));
		ck_assert_ptr_nonnull(fields);
		ck_assert_uint_eq(fields->part_count, 1);
		ck_assert_msg(
		    fields->parts[0].size == strlen(cases[i].expected),
		    "case %zu: %zu bytes", i, (size_t)fields->parts[0].size);
		check_part(0, span_of(cases[i].expected));
	}
}
END_TEST

static void check_part_of(struct span raw)
{
	parse(raw);
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->part_count, 1);
	check_part(0, SPAN("a\r\nb"));
}

/* Its line end belongs to the boundary, whatever follows that. */
START_TEST(a_last_boundary_may_end_the_message)
{
	struct span raw = with_file("8bit", "a\r\nb");

	check_part_of(raw);
	check_part_of(span_first(raw, raw.len - 2));
}
END_TEST

/* Soft breaks and escapes fall on every edge of the decoder's windows. */
START_TEST(decodes_alike_over_every_edge)
{
	struct buf content, expected;

	buf_init(&content, TEXT_MAX);
	buf_init(&expected, TEXT_MAX);
	for (size_t i = 0; i < 20000; i++) {
		const char *one = i % 7 == 0   ? "=3D"
				  : i % 5 == 0 ? "=\r\n"
					       : "x";
		ck_assert_int_eq(buf_add_str(&content, one), 0);
		if (i % 7 == 0)
			ck_assert_int_eq(buf_add_str(&expected, "="), 0);
		else if (i % 5 != 0)
			ck_assert_int_eq(buf_add_str(&expected, "x"), 0);
	}
	ck_assert_int_eq(buf_add(&content, "", 1), 0);
	parse(with_file("quoted-printable", buf_span(&content).ptr));
	ck_assert_ptr_nonnull(fields);
	check_part(0, buf_span(&expected));
	open_elsewhere(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	check_part(0, buf_span(&expected));
	buf_finish(&content);
	buf_finish(&expected);
}
END_TEST

/* A step of decoding may give nothing, and more comes after it. */
START_TEST(what_stands_for_nothing_is_not_the_end)
{
	static const struct {
		const char *encoding, *before, *nothing, *after, *expected;
	} cases[] = {
		{ "base64", "aGVs\r\n", "\r\n", "bG8=", "hello" },
		{ "base64", "", "\r\n", "aGVsbG8=", "hello" },
		{ "quoted-printable", "hel", "=\r\n", "lo", "hello" },
		{ "x-uuencode", "", "a preface\r\n",
		    "begin 644 x\r\n%:&5L;&\\\r\n`\r\nend", "hello" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\nContent-Type: application/x\r\n"
		    "Content-Transfer-Encoding: ");
		add(cases[i].encoding);
		add("\r\n\r\n");
		add(cases[i].before);
		add_times(5000, cases[i].nothing);
		add(cases[i].after);
		open_elsewhere(buf_span(&text));
		ck_assert_msg(fields, "case %zu: %s", i, why.text);
		check_part(0, span_of(cases[i].expected));
	}
}
END_TEST

START_TEST(too_much_of_nothing_is_refused)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\naGVs");
	add_times(50000, "\r\n");
	add("bG8=");
	open_elsewhere(buf_span(&text));
	ck_assert_ptr_null(fields);
	ck_assert_int_eq(why.code, -EINVAL);
	ck_assert_ptr_nonnull(strstr(why.text, "blank lines"));
}
END_TEST

START_TEST(goes_back_as_far_as_it_is_asked)
{
	char got[4];

	buf_clear(&text);
	add("From: a@x\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	add_times(3000, "YWJj");
	open_elsewhere(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->parts[0].size, 9000);
	for (uint64_t at = 8996; at > 100; at -= 97) {
		ck_assert_int_eq(mime_view_read(view, 0, at, got, 4), 0);
		for (size_t i = 0; i < 4; i++)
			ck_assert_int_eq(got[i], "abc"[(at + i) % 3]);
	}
}
END_TEST

START_TEST(two_parts_can_be_read_by_turns)
{
	char got[3];

	buf_clear(&text);
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	add_times(2, "--b\r\nContent-Type: application/x\r\n"
		     "Content-Transfer-Encoding: base64\r\n\r\n"
		     "YWJjZGVm\r\n");
	parse(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	for (uint64_t at = 0; at < 6; at += 3) {
		for (size_t i = 0; i < 2; i++) {
			ck_assert_int_eq(
			    mime_view_read(view, i, at, got, 3), 0);
			ck_assert_int_eq(got[0], at == 0 ? 'a' : 'd');
		}
	}
}
END_TEST

static void check_same(struct span raw)
{
	struct mime_fields was;
	char *parts[4] = { NULL }, *words[3];

	parse(raw);
	ck_assert_ptr_nonnull(fields);
	was = *fields;
	ck_assert_uint_le(was.part_count, 4);
	for (size_t i = 0; i < was.part_count; i++)
		parts[i] = read_part(i, 64);
	words[0] = strndup(was.text.ptr, was.text.len);
	words[1] = strndup(was.html.ptr, was.html.len);
	words[2] = strndup(was.subject.ptr, was.subject.len);
	uint64_t sizes[4] = { 0 };
	for (size_t i = 0; i < was.part_count; i++)
		sizes[i] = was.parts[i].size;
	open_elsewhere(raw);
	ck_assert_ptr_nonnull(fields);
	ck_assert(span_eq(fields->text, span_of(words[0])));
	ck_assert(span_eq(fields->html, span_of(words[1])));
	ck_assert(span_eq(fields->subject, span_of(words[2])));
	ck_assert_uint_eq(fields->part_count, was.part_count);
	for (size_t i = 0; i < fields->part_count; i++) {
		check_part(i, span_make(parts[i], (size_t)sizes[i]));
		free(parts[i]);
	}
	for (size_t i = 0; i < 3; i++)
		free(words[i]);
}

START_TEST(a_body_elsewhere_gives_the_same)
{
	static const char *const heads[] = { "text/plain", "text/html",
		"application/x", "message/rfc822",
		"multipart/mixed; boundary=b", "multipart/digest; boundary=b",
		"multipart/mixed", "multipart/mixed; boundary=never" };

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\nSubject: s\r\nContent-Type: ");
		add(heads[i]);
		add("\r\n\r\nbefore\r\n--b\r\n\r\ntext\r\n"
		    "--b\r\nContent-Type: message/rfc822\r\n\r\n"
		    "Subject: inner\r\nContent-Type: multipart/mixed;"
		    " boundary=i\r\n\r\n--i\r\n\r\nx\r\n--i--\r\n"
		    "--b\r\nContent-Type: text/html\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n");
		add_times(2000, "PGI+\r\n");
		add("--b--\r\nafter");
		check_same(buf_span(&text));
	}
}
END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
	struct span raw;
	char got[8];

	buf_clear(&text);
	add("From: a@x\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	add_times(60000, "YWJj");
	raw = buf_span(&text);
	source.fails_from = 100000;
	open_elsewhere(raw);
	ck_assert_ptr_null(fields);
	ck_assert_int_eq(why.code, -EIO);
	source.fails_from = 0;
	open_elsewhere(raw);
	ck_assert_ptr_nonnull(fields);
	source.fails_from = 100000;
	ck_assert_int_eq(mime_view_read(view, 0, 0, got, 8), 0);
	ck_assert_int_eq(mime_view_read(view, 0, 150000, got, 8), -EIO);
}
END_TEST

/* Its parts take no memory, whatever their size. */
START_TEST(holds_no_part)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	add_times(1000 * 1000, "YWJj");
	open_elsewhere(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->parts[0].size, 3000 * 1000);
	ck_assert_uint_lt(mime_view_held(view), 64 * 1024);
}
END_TEST

START_TEST(a_text_too_long_to_show_is_a_file)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: text/plain\r\n\r\n");
	add_times(MIME_TEXT_MAX / 16, "fourteen chars\r\n");
	open_elsewhere(buf_span(&text));
	ck_assert_uint_eq(fields->text.len, MIME_TEXT_MAX);
	ck_assert_uint_eq(fields->part_count, 0);
	add("x");
	open_elsewhere(buf_span(&text));
	ck_assert_uint_eq(fields->text.len, 0);
	ck_assert_uint_eq(fields->part_count, 1);
	ck_assert_uint_eq(fields->parts[0].size, MIME_TEXT_MAX + 1);
}
END_TEST

START_TEST(hostile_structure_is_refused_also_elsewhere)
{
	static const struct {
		const char *head;
		size_t count;
		const char *repeated;
	} cases[] = {
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n", 200000,
		    "--b\r\n\r\n" },
		{ "Content-Type: multipart/mixed; boundary*0=b;\r\n"
		  " boundary*1=c\r\n\r\n",
		    200000, "--bc\r\n\r\nx\r\n" },
		{ "Content-Type: message/rfc822\r\n\r\n", 20000,
		    "Content-Type: message/rfc822\r\n\r\n" },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
		    1000000, "a:\r\n" },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
		    600000, "a:bcdefg" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\n");
		add(cases[i].head);
		add_times(cases[i].count, cases[i].repeated);
		open_elsewhere(buf_span(&text));
		ck_assert_msg(!fields, "case %zu", i);
		ck_assert_int_eq(why.code, -EINVAL);
	}
}
END_TEST

/* A boundary, and the header after it, at every place of a window's edge. */
START_TEST(boundaries_are_seen_over_the_edges_of_windows)
{
	static const char part[] =
	    "--b\r\nContent-Type: application/x\r\n\r\nxyz\r\n--b--\r\n";

	for (size_t before = 65536 - sizeof(part); before < 65540; before++) {
		buf_clear(&text);
		add("From: a@x\r\nContent-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n");
		add_times(before / 2 - 1, "p\n");
		add(before % 2 ? "p\r\n" : "\r\n");
		add(part);
		open_elsewhere(buf_span(&text));
		ck_assert_ptr_nonnull(fields);
		ck_assert_uint_eq(fields->part_count, 1);
		ck_assert_uint_eq(fields->parts[0].size, 3);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.mime_stream");
	TCase *t = tcase_create("stream");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, begin, tear_down);
	tcase_add_test(t, decodes_what_is_odd);
	tcase_add_test(t, a_last_boundary_may_end_the_message);
	tcase_add_test(t, decodes_alike_over_every_edge);
	tcase_add_test(t, what_stands_for_nothing_is_not_the_end);
	tcase_add_test(t, too_much_of_nothing_is_refused);
	tcase_add_test(t, goes_back_as_far_as_it_is_asked);
	tcase_add_test(t, two_parts_can_be_read_by_turns);
	tcase_add_test(t, a_body_elsewhere_gives_the_same);
	tcase_add_test(t, what_cannot_be_read_is_an_error);
	tcase_add_test(t, holds_no_part);
	tcase_add_test(t, a_text_too_long_to_show_is_a_file);
	tcase_add_test(t, hostile_structure_is_refused_also_elsewhere);
	tcase_add_test(t, boundaries_are_seen_over_the_edges_of_windows);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
