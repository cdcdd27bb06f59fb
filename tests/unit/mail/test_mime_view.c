/*
 * What a reader sees of a message of odd structure, and that no bytes of it
 * are lost: each is in a text or in a part.
 */
#include "look.h"

#include <support/unit.h>

#include <mail/header.h>
#include <mail/mime_scan.h>
#include <postern/provider.h>

#include <errno.h>
#include <stdio.h>

#define SHOWN(text) "<div style=\"white-space: pre-wrap\">" text "</div>\r\n"
#define PART(type, content) "\r\nContent-Type: " type "\r\n\r\n" content "\r\n"

/* A message of that Content-Type and body. */
static void show(const char *type, const char *body)
{
	buf_clear(&text);
	add("From: a@x.example\r\nContent-Type: ");
	add(type);
	add("\r\n\r\n");
	add(body);
	parse(buf_span(&text));
	ck_assert_msg(fields, "%s", why.text);
}

static void check_bodies(
    const char *expected_text, const char *html, size_t part_count)
{
	check_span(fields->text, expected_text);
	check_span(fields->html, html);
	ck_assert_uint_eq(fields->part_count, part_count);
}

START_TEST(texts_one_after_the_other_are_one_text)
{
	show("multipart/mixed; boundary=m",
	    "--m" PART("text/plain", "above") "--m" PART("image/png",
		"i") "--m" PART("text/plain", "below") "--m--\r\n");
	check_bodies("above\r\nbelow", "", 1);
}
END_TEST

START_TEST(html_in_pieces_is_one_html)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain",
		"all of it") "--a"
			     "\r\nContent-Type: multipart/mixed; "
			     "boundary=m\r\n\r\n"
			     "--m" PART("text/html", "<p>above") "--m" PART(
				 "image/png", "i") "--m" PART("text/html",
				 "<p>below") "--m--\r\n--a--\r\n");
	check_bodies("all of it", "<p>above\r\n<p>below", 1);
}
END_TEST

START_TEST(a_text_after_the_html_is_shown_in_both)
{
	show("multipart/mixed; boundary=m",
	    "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
	    "--a" PART("text/plain", "hi") "--a" PART(
		"text/html", "<p>hi") "--a--\r\n--m" PART("text/plain",
		"-- \r\nA & <B>") "--m--\r\n");
	check_bodies("hi\r\n-- \r\nA & <B>",
	    "<p>hi\r\n" SHOWN("-- \r\nA &amp; &lt;B&gt;"), 0);
	show("multipart/mixed; boundary=m",
	    "--m" PART("text/html", "<p>hi") "--m" PART(
		"text/plain", "list") "--m--\r\n");
	check_bodies("list", "<p>hi\r\n" SHOWN("list"), 0);
}
END_TEST

START_TEST(a_text_before_an_alternative_is_shown_in_both)
{
	show("multipart/mixed; boundary=m",
	    "--m" PART("text/plain",
		"note") "--m"
			"\r\nContent-Type: multipart/alternative; "
			"boundary=a\r\n\r\n"
			"--a" PART("text/plain", "hi") "--a" PART(
			    "text/html", "<p>hi") "--a--\r\n--m--\r\n");
	check_bodies("note\r\nhi", SHOWN("note") "<p>hi", 0);
}
END_TEST

START_TEST(each_alternative_counts_by_itself)
{
	static const char one[] =
	    "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
	    "--a" PART("text/plain", "t") "--a" PART(
		"text/html", "<h>") "--a--\r\n";

	buf_clear(&text);
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n");
	add(one);
	add(one);
	parse(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	check_bodies("t\r\nt", "<h>\r\n<h>", 0);
}
END_TEST

START_TEST(text_and_html_side_by_side_are_taken_for_alternatives)
{
	show("multipart/mixed; boundary=m",
	    "--m" PART("text/plain", "hi") "--m" PART(
		"text/html", "<p>hi") "--m--\r\n");
	check_bodies("hi", "<p>hi", 0);
}
END_TEST

START_TEST(forms_in_the_wrong_order_are_forms)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/html", "<p>hi") "--a" PART(
		"text/plain", "hi") "--a--\r\n");
	check_bodies("hi", "<p>hi", 0);
}
END_TEST

START_TEST(a_second_form_of_the_same_kind_is_a_file)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain", "one") "--a" PART(
		"text/plain", "two") "--a--\r\n");
	check_bodies("one", "", 1);
}
END_TEST

START_TEST(a_named_text_is_a_file_when_it_is_not_the_first)
{
	show("multipart/mixed; boundary=m",
	    "--m" PART("text/html", "<p>") "--m" PART(
		"text/plain; name=a.log", "log") "--m--\r\n");
	check_bodies("", "<p>", 1);
	check_span(fields->parts[0].filename, "a.log");
	show("text/plain; name=a.txt", "hi");
	check_bodies("hi", "", 0);
}
END_TEST

START_TEST(html_that_is_referred_to_is_a_part)
{
	show("multipart/related; boundary=r",
	    "--r" PART("text/html",
		"<iframe src=cid:in>") "--r"
				       "\r\nContent-ID: <in>" PART(
					   "text/html", "<b>") "--r--\r\n");
	check_bodies("", "<iframe src=cid:in>", 1);
	ck_assert(fields->parts[0].is_inline);
}
END_TEST

START_TEST(without_a_boundary_all_is_text)
{
	show("multipart/mixed", "hello\r\nworld\r\n");
	check_bodies("hello\r\nworld\r\n", "", 0);
	show("multipart/mixed; boundary=never", "hello\r\nworld");
	check_bodies("hello\r\nworld", "", 0);
}
END_TEST

START_TEST(a_type_that_is_none_is_text)
{
	parse(SPAN("From: a@x\r\nContent-Type: text\r\n\r\nhi"));
	check_bodies("hi", "", 0);
	parse(SPAN("From: a@x\r\nContent-Type:\r\n\r\nhi"));
	check_bodies("hi", "", 0);
	parse(SPAN("From: a@x\r\nContent-Type: pdf\r\n"
		   "Content-Disposition: attachment\r\n\r\nhi"));
	check_bodies("", "", 1);
	check_span(fields->parts[0].type, "application/octet-stream");
}
END_TEST

START_TEST(what_surrounds_the_parts_is_not_shown)
{
	show("multipart/mixed; boundary=b",
	    "This is MIME. --b\r\n --b\r\n--b" PART("text/plain",
		"hi") "--b--\r\nafter\r\n--b" PART("text/plain", "not this"));
	check_bodies("hi", "", 0);
}
END_TEST

START_TEST(an_end_that_is_missing_ends_with_the_message)
{
	show("multipart/mixed; boundary=b",
	    "--b" PART("text/plain", "hi") "--b" PART("a/b", "x"));
	check_bodies("hi", "", 1);
	ck_assert_uint_eq(fields->parts[0].size, 3);
}
END_TEST

START_TEST(empty_parts_are_parts)
{
	show("multipart/mixed; boundary=b",
	    "--b\r\n\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n"
	    "--b\r\nContent-Type: a/c\r\n--b\r\n--b--\r\n");
	ck_assert_uint_eq(fields->part_count, 2);
	check_span(fields->text, "");
	check_span(fields->parts[0].type, "a/b");
	ck_assert_uint_eq(fields->parts[0].size, 0);
	ck_assert_uint_eq(fields->parts[1].size, 0);
}
END_TEST

START_TEST(messages_within_are_files_in_any_encoding)
{
	char got[16];

	show("multipart/digest; boundary=b",
	    "--b\r\n\r\nSubject: one\r\n\r\ntext\r\n"
	    "--b\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQo=\r\n"
	    "--b\r\nContent-Type: message/global\r\n\r\nA: b\r\n\r\n\r\n"
	    "--b--\r\n");
	check_bodies("", "", 3);
	check_span(fields->parts[0].type, "message/rfc822");
	ck_assert_uint_eq(fields->parts[0].size, 20);
	ck_assert_uint_eq(fields->parts[1].size, 14);
	ck_assert_int_eq(mime_view_read(view, 1, 0, got, 14), 0);
	check_span(span_make(got, 14), "Subject: x\r\n\r\n");
}
END_TEST

START_TEST(goes_a_hundred_deep)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n");
	for (int i = 0; i < 99; i++)
		ck_assert_int_eq(buf_printf(&text,
				     "--b%d\r\nContent-Type: multipart/mixed;"
				     " boundary=b%d\r\n\r\n",
				     i, i + 1),
		    0);
	add("--b99\r\n\r\ndeep\r\n");
	parse(buf_span(&text));
	ck_assert_ptr_nonnull(fields);
	check_span(fields->text, "deep\r\n");
}
END_TEST

START_TEST(tells_invitations_and_other_forms_from_files)
{
	show("multipart/mixed; boundary=m",
	    "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
	    "--a" PART("text/plain", "hi") "--a" PART("text/x-amp-html",
		"<html amp4email>") "--a" PART("text/calendar; method=REQUEST; "
					       "charset=utf-8",
		"B") "--a--\r\n"
		     "--m\r\nContent-Disposition: ATTACHMENT; "
		     "filename=i.ics" PART("text/calendar; charset=UTF-8",
			 "B") "--m\r\nContent-Disposition: inline" PART("image/"
									"png",
			 "i") "--m--\r\n");
	check_bodies("hi", "", 4);
	ck_assert_int_eq(fields->parts[0].kind, MIME_ALTERNATIVE);
	check_span(fields->parts[0].type, "text/x-amp-html");
	ck_assert_int_eq(fields->parts[1].kind, MIME_CALENDAR);
	check_span(fields->parts[1].method, "REQUEST");
	check_span(fields->parts[1].charset, "utf-8");
	check_span(fields->parts[1].disposition, "");
	ck_assert_int_eq(fields->parts[2].kind, MIME_FILE);
	check_span(fields->parts[2].filename, "i.ics");
	check_span(fields->parts[2].disposition, "attachment");
	ck_assert_int_eq(fields->parts[3].kind, MIME_FILE);
	check_span(fields->parts[3].disposition, "inline");
	check_span(fields->parts[3].charset, "");
}
END_TEST

START_TEST(addresses_that_are_none_are_left_out)
{
	static const struct {
		const char *field, *first;
		size_t count;
	} cases[] = {
		{ "ann@x.example", "ann@x.example", 1 },
		{ "\"\" <ann@x.example>", "ann@x.example", 1 },
		{ "<ann@x.example>", "ann@x.example", 1 },
		{ "\"a b\"@x.example", "\"a b\"@x.example", 1 },
		{ "undisclosed-recipients:;", NULL, 0 },
		{ "g: ann@x.example, b@x.example;, c@x.example",
		    "ann@x.example", 3 },
		{ "ann", NULL, 0 },
		{ "Ann <>", NULL, 0 },
		{ "Ann <ann>", NULL, 0 },
		{ "Ann <@x.example>", NULL, 0 },
		{ "Ann <ann@>", NULL, 0 },
		{ "ann at x.example, bob@x.example", "bob@x.example", 1 },
		{ ", ,", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		add("From: a@x\r\nTo: ");
		add(cases[i].field);
		add("\r\n\r\n");
		parse(buf_span(&text));
		ck_assert_ptr_nonnull(fields);
		ck_assert_msg(fields->to.count == cases[i].count,
		    "case %zu: %zu addresses", i, fields->to.count);
		if (cases[i].first)
			check_span(fields->to.items[0].address, cases[i].first);
	}
}
END_TEST

START_TEST(domains_are_in_ascii)
{
	parse(
	    SPAN("From: a@x\r\n"
		 "To: Ann <ann@xn--kln-sna.example>, <bob@k\xc3\xb6ln.example>,"
		 " c@Dest.Example\r\n\r\n"));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->to.count, 3);
	check_span(fields->to.items[0].address, "ann@xn--kln-sna.example");
	check_span(fields->to.items[1].address, "bob@xn--kln-sna.example");
	check_span(fields->to.items[2].address, "c@Dest.Example");
}
END_TEST

START_TEST(several_authors_and_their_secretary_are_shown)
{
	parse(SPAN("From: A <a@x.example>, b@x.example\r\n"
		   "Sender: S <s@x.example>\r\n\r\n"));
	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->from.count, 2);
	check_span(fields->from.items[0].name, "A");
	check_span(fields->from.items[1].address, "b@x.example");
	check_span(fields->sender.items[0].name, "S");
}
END_TEST

START_TEST(text_in_any_charset_becomes_utf8)
{
	static const struct {
		const char *charset, *bytes, *expected;
	} cases[] = {
		{ "iso-8859-15", "\xa4", "\xe2\x82\xac" },
		{ "koi8-r", "\xd0", "\xd0\xbf" },
		{ "shift_jis", "\x82\xa0", "\xe3\x81\x82" },
		{ "gb18030", "\xc4\xe3", "\xe4\xbd\xa0" },
		{ "utf-8", "a\xffz", "a\xef\xbf\xbdz" },
		{ "us-ascii", "\xfc", "\xc3\xbc" },
		{ "no-such", "\xfc", "\xc3\xbc" },
		{ "no-such", "\xc3\xbc", "\xc3\xbc" },
		{ "\"\"", "x", "x" },
		{ "\"a/b,c\"", "x", "x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char type[64];

		(void)snprintf(type, sizeof(type), "text/plain; charset=%s",
		    cases[i].charset);
		show(type, cases[i].bytes);
		check_span(fields->text, cases[i].expected);
	}
}
END_TEST

/* The shape Apple's mailer gives to text around a file. */
START_TEST(a_text_beside_html_within_a_form_is_shown_in_both)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain",
		"plain") "--a"
			 "\r\nContent-Type: multipart/mixed; "
			 "boundary=m\r\n\r\n"
			 "--m" PART("text/plain", "first") "--m" PART(
			     "text/html", "<p>html") "--m" PART("image/png",
			     "i") "--m" PART("text/plain",
			     "last") "--m--\r\n--a--\r\n");
	check_bodies("plain\r\nfirst\r\nlast",
	    SHOWN("first") "<p>html\r\n" SHOWN("last"), 1);
}
END_TEST

START_TEST(a_text_beside_an_alternative_within_a_form_is_shown_in_both)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain",
		"plain") "--a"
			 "\r\nContent-Type: multipart/mixed; "
			 "boundary=m\r\n\r\n--m"
			 "\r\nContent-Type: multipart/alternative; "
			 "boundary=i\r\n\r\n--i" PART(
			     "text/html", "<p>html") "--i" PART("text/plain",
			     "its text") "--i--\r\n--m" PART("text/plain",
			     "last") "--m--\r\n--a--\r\n");
	check_bodies(
	    "plain\r\nits text\r\nlast", "<p>html\r\n" SHOWN("last"), 0);
}
END_TEST

static unsigned traits_of_parts(void)
{
	unsigned traits = 0;

	for (size_t i = 0; i < fields->part_count; i++) {
		const struct mime_part *p = &fields->parts[i];
		if (p->kind == MIME_CALENDAR)
			traits |= POSTERN_CARRIES_CALENDAR;
		if (p->kind == MIME_ALTERNATIVE)
			traits |= POSTERN_CARRIES_ALTERNATIVES;
		if (span_eq(p->type, SPAN("message/rfc822")))
			traits |= POSTERN_CARRIES_NESTED;
	}
	return traits;
}

/* Who is chosen by the one is asked to carry the other. */
START_TEST(parts_are_what_the_scan_of_the_message_said)
{
	static const struct {
		const char *kind, *part;
		unsigned expected;
	} cases[] = {
		{ "alternative", PART("text/x-amp-html", "x"),
		    POSTERN_CARRIES_ALTERNATIVES },
		{ "alternative", PART("text/watch-html", "x"),
		    POSTERN_CARRIES_ALTERNATIVES },
		{ "alternative", PART("text/plain", "x"), 0 },
		{ "alternative", PART("application/ics", "x"), 0 },
		{ "alternative", PART("image/png", "x"), 0 },
		{ "alternative", PART("text/calendar", "x"),
		    POSTERN_CARRIES_CALENDAR },
		{ "mixed", PART("text/x-amp-html", "x"), 0 },
		{ "mixed",
		    "\r\nContent-Disposition: attachment" PART(
			"text/calendar", "x"),
		    0 },
		{ "mixed",
		    "\r\nContent-Disposition: attachment" PART(
			"text/calendar; method=REPLY", "x"),
		    POSTERN_CARRIES_CALENDAR },
		{ "mixed", PART("message/rfc822", "A: b\r\n\r\n"),
		    POSTERN_CARRIES_NESTED },
		{ "digest", "\r\n\r\nA: b\r\n\r\n\r\n",
		    POSTERN_CARRIES_NESTED },
		{ "digest", PART("text/html", "x"), 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mime_scan scan = { .depth = 0 };
		char type[64], body[512];

		(void)snprintf(type, sizeof(type), "multipart/%s; boundary=b",
		    cases[i].kind);
		(void)snprintf(body, sizeof(body),
		    "--b" PART("text/plain", "text") "--b%s--b--\r\n",
		    cases[i].part);
		show(type, body);
		mime_scan_feed(&scan, buf_span(&text));
		ck_assert_msg(scan.traits == cases[i].expected,
		    "case %zu: the scan says %x", i, scan.traits);
		ck_assert_msg(traits_of_parts() == cases[i].expected,
		    "case %zu: the parts say %x", i, traits_of_parts());
	}
}
END_TEST

START_TEST(the_forms_of_an_alternative_may_have_names)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain; name=t.txt", "text") "--a" PART(
		"text/html; name=\"body.html\"", "<p>html") "--a--\r\n");
	check_bodies("text", "<p>html", 0);
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain",
		"text") "--a"
			"\r\nContent-Type: multipart/related; "
			"boundary=r\r\n\r\n"
			"--r" PART("text/html; name=\"body.html\"",
			    "<p>html") "--r" PART("image/png",
			    "i") "--r--\r\n--a--\r\n");
	check_bodies("text", "<p>html", 1);
}
END_TEST

START_TEST(a_named_text_beside_a_form_is_a_file)
{
	show("multipart/alternative; boundary=a",
	    "--a" PART("text/plain",
		"text") "--a"
			"\r\nContent-Type: multipart/mixed; "
			"boundary=m\r\n\r\n"
			"--m" PART("text/html", "<p>html") "--m" PART(
			    "text/plain; name=n.txt",
			    "notes") "--m--\r\n--a--\r\n");
	check_bodies("text", "<p>html", 1);
	check_span(fields->parts[0].filename, "n.txt");
}
END_TEST

/* Each byte is three in UTF-8, or five in the HTML. */
START_TEST(holds_no_more_than_the_texts)
{
	buf_clear(&text);
	add("From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: text/html; charset=tis-620\r\n\r\n");
	for (size_t i = 0; i < 20000; i++)
		add("\xa1\xa1\xa1\xa1\xa1\xa1\xa1\xa1\r\n");
	add("--b\r\nContent-Type: text/plain\r\n\r\n");
	for (size_t i = 0; i < 20000; i++)
		add("&&&&&&&&\r\n");
	add("--b--\r\n");
	parse(buf_span(&text));
	ck_assert_uint_gt(fields->html.len, 20000 * (3 + 5) * 8);
	ck_assert_uint_le(
	    mime_view_held(view), fields->text.len + fields->html.len + 16384);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("mail.mime_view");
	TCase *t = tcase_create("view");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, texts_one_after_the_other_are_one_text);
	tcase_add_test(t, html_in_pieces_is_one_html);
	tcase_add_test(t, a_text_after_the_html_is_shown_in_both);
	tcase_add_test(t, a_text_before_an_alternative_is_shown_in_both);
	tcase_add_test(t, each_alternative_counts_by_itself);
	tcase_add_test(
	    t, text_and_html_side_by_side_are_taken_for_alternatives);
	tcase_add_test(t, forms_in_the_wrong_order_are_forms);
	tcase_add_test(t, a_second_form_of_the_same_kind_is_a_file);
	tcase_add_test(t, a_named_text_is_a_file_when_it_is_not_the_first);
	tcase_add_test(t, html_that_is_referred_to_is_a_part);
	tcase_add_test(t, without_a_boundary_all_is_text);
	tcase_add_test(t, a_type_that_is_none_is_text);
	tcase_add_test(t, what_surrounds_the_parts_is_not_shown);
	tcase_add_test(t, an_end_that_is_missing_ends_with_the_message);
	tcase_add_test(t, empty_parts_are_parts);
	tcase_add_test(t, messages_within_are_files_in_any_encoding);
	tcase_add_test(t, goes_a_hundred_deep);
	tcase_add_test(t, tells_invitations_and_other_forms_from_files);
	tcase_add_test(t, addresses_that_are_none_are_left_out);
	tcase_add_test(t, domains_are_in_ascii);
	tcase_add_test(t, several_authors_and_their_secretary_are_shown);
	tcase_add_test(t, text_in_any_charset_becomes_utf8);
	tcase_add_test(t, a_text_beside_html_within_a_form_is_shown_in_both);
	tcase_add_test(
	    t, a_text_beside_an_alternative_within_a_form_is_shown_in_both);
	tcase_add_test(t, parts_are_what_the_scan_of_the_message_said);
	tcase_add_test(t, the_forms_of_an_alternative_may_have_names);
	tcase_add_test(t, a_named_text_beside_a_form_is_a_file);
	tcase_add_test(t, holds_no_more_than_the_texts);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
