/* What a provider is shown of a message, and that hostile ones cost little. */
#include "look.h"

#include <support/unit.h>

#include <mail/header.h>

#include <errno.h>

static void check_part(size_t i, const char *expected)
{
	size_t len = strlen(expected);
	char got[256];

	ck_assert_uint_eq(fields->parts[i].size, len);
	ck_assert_uint_le(len, sizeof(got));
	ck_assert_int_eq(mime_view_read(view, i, 0, got, len), 0);
	check_span(span_make(got, len), expected);
}

START_TEST(decodes_header_fields)
{
	parse(
	    SPAN("From: =?utf-8?q?J=C3=B6?= <jo@x.example>\r\n"
		 "To: \"Smith, Ann\" <ann@dest.example>, bob@dest.example,\r\n"
		 " Team: x@dest.example, =?iso-8859-1?q?=FC?= "
		 "<y@dest.example>;\r\n"
		 "Cc: undisclosed-recipients:;\r\n"
		 "Reply-To: r1@x.example, r2@x.example\r\n"
		 "Sender: s@x.example\r\n"
		 "Subject: =?utf-8?b?T3JkZXIg4pyT?=\r\n and more\r\n\r\nhi"));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->from.count, 1);
	check_span(fields->from.items[0].name, "J\xc3\xb6");
	check_span(fields->from.items[0].address, "jo@x.example");
	ck_assert_uint_eq(fields->to.count, 4);
	check_span(fields->to.items[0].name, "Smith, Ann");
	check_span(fields->to.items[1].name, "");
	check_span(fields->to.items[1].address, "bob@dest.example");
	check_span(fields->to.items[2].address, "x@dest.example");
	check_span(fields->to.items[3].name, "\xc3\xbc");
	ck_assert_uint_eq(fields->cc.count, 0);
	ck_assert_uint_eq(fields->reply_to.count, 2);
	check_span(fields->sender.items[0].address, "s@x.example");
	check_span(fields->subject, "Order \xe2\x9c\x93 and more");
	check_span(fields->text, "hi");
	check_span(fields->html, "");
	ck_assert_uint_eq(fields->part_count, 0);
}
END_TEST

/* Each is padded by itself, as most programs write them. */
START_TEST(reads_adjacent_words_in_base64)
{
	parse(SPAN("From: =?utf-8?B?w6Q=?= =?UTF-8?b?w7Y=?= <a@x.example>\r\n"
		   "Subject: Re: =?utf-8?B?UmVjaG51bmcgZsO8ciA=?=\r\n"
		   " =?utf-8?B?S8O2bG4g4oI=?= =?utf-8*de?B?rCE=?= end\r\n"
		   "Content-Disposition: attachment;\r\n"
		   " filename=\"=?utf-8?B?bWFyIA==?=\r\n"
		   " =?utf-8?B?YS5wZGY=?=\"\r\n"
		   "Content-Type: application/pdf\r\n\r\nx"));
	ck_assert_ptr_nonnull(fields);
	check_span(fields->from.items[0].name, "\xc3\xa4\xc3\xb6");
	check_span(fields->subject,
	    "Re: Rechnung f\xc3\xbcr K\xc3\xb6ln \xe2\x82\xac! end");
	check_span(fields->parts[0].filename, "mar a.pdf");
}
END_TEST

START_TEST(lets_no_encoded_word_break_a_line)
{
	parse(SPAN("From: =?utf-8?q?a=0D=0ABcc:_x?= <a@x.example>\r\n"
		   "Subject: =?utf-8?q?a=0D=0Ab=00c?=\r\n\r\n"));
	ck_assert_ptr_nonnull(fields);
	ck_assert_ptr_null(
	    memchr(fields->subject.ptr, '\n', fields->subject.len));
	ck_assert_ptr_null(memchr(fields->from.items[0].name.ptr, '\r',
	    fields->from.items[0].name.len));
}
END_TEST

START_TEST(finds_bodies_and_attachments)
{
	parse(SPAN(
	    "From: a@x\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
	    "--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
	    "--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
	    "--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC=\r\n"
	    "x\r\n"
	    "--a\r\nContent-Type: TEXT/HTML\r\n\r\n"
	    "<img src=\"CID:logo%31@x\"><img src=cid:other>\r\n--a--\r\n"
	    "--r\r\nContent-Type: image/PNG\r\nContent-ID: <logo1@x>\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
	    "--r\r\nContent-Type: image/gif\r\nContent-ID: <un@x>\r\n\r\n"
	    "g\r\n--r--\r\n"
	    "--m\r\nContent-Type: image/gif\r\nContent-ID: <other>\r\n\r\n"
	    "g\r\n"
	    "--m\r\nContent-Type: text/plain\r\n\r\nfooter\r\n"
	    "--m\r\nContent-Disposition: attachment; "
	    "filename=\"../a\\\"b.txt\"\r\n\r\nx\r\n"
	    "--m\r\nContent-Type: message/rfc822\r\n\r\n"
	    "From: i@x\r\nSubject: inner\r\n\r\nbody\r\n--m--\r\n"));
	ck_assert_ptr_nonnull(fields);
	check_span(fields->text, "\xc3\xbcx\r\nfooter");
	check_span(fields->html,
	    "<img src=\"CID:logo%31@x\"><img src=cid:other>\r\n"
	    "<div style=\"white-space: pre-wrap\">footer</div>\r\n");
	ck_assert_uint_eq(fields->part_count, 5);
	check_span(fields->parts[0].type, "image/png");
	check_span(fields->parts[0].filename, "attachment.png");
	check_span(fields->parts[0].content_id, "logo1@x");
	check_part(0, "hello");
	ck_assert(fields->parts[0].is_inline);
	ck_assert(!fields->parts[1].is_inline);
	ck_assert(!fields->parts[2].is_inline);
	check_span(fields->parts[3].filename, "a_b.txt");
	check_span(fields->parts[4].type, "message/rfc822");
	check_span(fields->parts[4].filename, "attachment.eml");
	check_part(4, "From: i@x\r\nSubject: inner\r\n\r\nbody");
}
END_TEST

START_TEST(takes_a_marked_text_for_an_attachment)
{
	parse(SPAN("From: a@x\r\nContent-Type: text/plain; name=n.txt\r\n"
		   "Content-Disposition: attachment\r\n\r\nx"));
	ck_assert_ptr_nonnull(fields);
	check_span(fields->text, "");
	ck_assert_uint_eq(fields->part_count, 1);
	check_span(fields->parts[0].filename, "n.txt");
}
END_TEST

START_TEST(decodes_file_names)
{
	static const struct {
		const char *parameters, *name;
	} cases[] = {
		{ "filename*=utf-8''%C3%BC.pdf", "\xc3\xbc.pdf" },
		{ "filename*0=a; filename*1=b.pdf", "ab.pdf" },
		{ "filename*0*=iso-8859-1''%FC; filename*1=.pdf",
		    "\xc3\xbc.pdf" },
		{ "filename=\"=?utf-8?q?=C3=BC?=.pdf\"", "\xc3\xbc.pdf" },
		{ "filename=\"C:\\\\temp\\\\x.pdf\"", "x.pdf" },
		{ "filename=\"a/../..\"", "attachment.pdf" },
		{ "filename=\"\"", "attachment.pdf" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\nContent-Type: application/pdf\r\n"
		    "Content-Disposition: attachment; ");
		add(cases[i].parameters);
		add("\r\n\r\nx");
		parse(buf_span(&text));
		ck_assert_ptr_nonnull(fields);
		check_span(fields->parts[0].filename, cases[i].name);
	}
}
END_TEST

START_TEST(leaves_attached_text_as_it_is)
{
	parse(SPAN("From: a@x\r\nContent-Type: text/csv; charset=latin1\r\n"
		   "\r\n\xfc"));
	ck_assert_ptr_nonnull(fields);
	check_part(0, "\xfc");
	parse(SPAN("From: a@x\r\nContent-Type: text/csv\r\n\r\n\xfc"));
	check_part(0, "\xfc");
}
END_TEST

START_TEST(accepts_a_thousand_parts_and_refuses_more)
{
	static const char part[] = "--b\r\nContent-Type: a/b\r\n\r\nx\r\n";

	add("From: a@x\r\nContent-Type: multipart/mixed; "
	    "boundary=\"b\"\r\n\r\n");
	add_times(1000, part);
	parse(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->part_count, 1000);
	check_part(998, "x");
	add_times(1, part);
	parse(buf_span(&text));
	ck_assert_ptr_null(fields);
	ck_assert_int_eq(why.code, -EINVAL);
}
END_TEST

START_TEST(refuses_hostile_structure)
{
	static const struct {
		const char *head;
		size_t count;
		const char *repeated;
	} cases[] = {
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n", 200000,
		    "--b\r\n\r\n" },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n", 200000,
		    "--b\n" },
		{ "Content-Type: multipart/mixed; (c) boundary (d) = b\r\n\r\n",
		    200000, "--b\r\n\r\n" },
		{ "Content-Type: multipart/mixed; boundary*0=b;\r\n"
		  " boundary*1=c\r\n\r\n",
		    200000, "--bc\r\n\r\nx\r\n" },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
		    20000,
		    "Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n--b\r\n" },
		{ "Content-Type: message/rfc822\r\n\r\n", 20000,
		    "Content-Type: message/rfc822\r\n\r\n" },
		{ "Content-Type: multipart/digest; boundary=b\r\n\r\n", 20000,
		    "--b\r\n\r\nA: b\r\n\r\nx\r\n" },
		{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
		    1000000, "a:\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\n");
		add(cases[i].head);
		add_times(cases[i].count, cases[i].repeated);
		parse(buf_span(&text));
		ck_assert_msg(!fields, "case %zu", i);
		ck_assert_int_eq(why.code, -EINVAL);
	}
}
END_TEST

START_TEST(refuses_addresses_with_an_open_comment)
{
	static const struct {
		const char *value;
		bool is_good;
	} cases[] = {
		{ "a@x (Ann)", true },
		{ "a@x (Ann (home))", true },
		{ "\"Smile :(\" <a@x>, \"Two (\" <b@x>", true },
		{ "a@x (Ann", false },
		{ "a@x ((Ann)", false },
		{ "a@x\", b@x (c \"", false },
		{ "\"\\\"\", b@x (c \"", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: f@x\r\nTo: ");
		add(cases[i].value);
		add("\r\n\r\n");
		parse(buf_span(&text));
		ck_assert_msg(
		    (fields != NULL) == cases[i].is_good, "%s", cases[i].value);
	}
}
END_TEST

START_TEST(refuses_nesting_beyond_a_hundred)
{
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n");
	for (int i = 0; i < 120; i++)
		ck_assert_int_eq(buf_printf(&text,
				     "--b%d\r\nContent-Type: multipart/mixed;"
				     " boundary=b%d\r\n\r\n",
				     i, i + 1),
		    0);
	parse(buf_span(&text));
	ck_assert_ptr_null(fields);
	ck_assert_int_eq(why.code, -EINVAL);
}
END_TEST

START_TEST(survives_hostile_fields)
{
	static const struct {
		const char *head;
		size_t count;
		const char *repeated;
	} cases[] = {
		{ "To: ", 200000, "(" },
		{ "To: ", 50000, "a@x, " },
		{ "To: ", 50000, "g:" },
		{ "To: ", 100000, "<" },
		{ "To: ", 100000, "\"" },
		{ "Subject: ", 20000, "=?utf-8?q?a?= " },
		{ "Content-Type: text/plain; ", 50000, "a=b; " },
		{ "References: ", 50000, "<a@b> " },
		{ "Content-Type: ", 200000, "(" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\n");
		add(cases[i].head);
		add_times(cases[i].count, cases[i].repeated);
		add("\r\n\r\nbody");
		parse(buf_span(&text));
	}
}
END_TEST

START_TEST(survives_many_pieces_of_a_parameter)
{
	int rc = 0;

	add("From: a@x\r\nContent-Type: application/pdf;");
	for (int i = 0; rc == 0 && i < 50000; i++)
		rc = buf_printf(&text, "\r\n name*%d*=%%41;", i);
	ck_assert_int_eq(rc, 0);
	add("\r\n\r\nbody");
	parse(buf_span(&text));
}
END_TEST

START_TEST(survives_any_cut)
{
	static const char whole[] =
	    "From: a@x\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
	    "--r\r\nContent-Type: text/html; charset=utf-16\r\n\r\ncid:%4\r\n"
	    "--r\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--r--";
	size_t least = header_length(span_of(whole));

	for (size_t len = least; len < sizeof(whole); len++) {
		parse(span_make(whole, len));
		ck_assert_ptr_nonnull(fields);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.mime");
	TCase *t = tcase_create("mime");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, decodes_header_fields);
	tcase_add_test(t, reads_adjacent_words_in_base64);
	tcase_add_test(t, lets_no_encoded_word_break_a_line);
	tcase_add_test(t, finds_bodies_and_attachments);
	tcase_add_test(t, takes_a_marked_text_for_an_attachment);
	tcase_add_test(t, decodes_file_names);
	tcase_add_test(t, leaves_attached_text_as_it_is);
	tcase_add_test(t, accepts_a_thousand_parts_and_refuses_more);
	tcase_add_test(t, refuses_hostile_structure);
	tcase_add_test(t, refuses_addresses_with_an_open_comment);
	tcase_add_test(t, refuses_nesting_beyond_a_hundred);
	tcase_add_test(t, survives_hostile_fields);
	tcase_add_test(t, survives_many_pieces_of_a_parameter);
	tcase_add_test(t, survives_any_cut);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
