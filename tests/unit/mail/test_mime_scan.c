/* Depth and count of parts, whatever the cuts between feeds. */
#include <support/unit.h>

#include <mail/mime_scan.h>

#include <base/buf.h>

#define MULTI(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"
#define TEXT "Content-Type: text/plain\r\n\r\nhi\r\n"

static const struct scan_case {
	const char *name, *message;
	size_t deepest, parts;
} cases[] = {
	{ "nothing", "", 0, 0 },
	{ "plain text", "From: a\r\n\r\n--x\r\ntext\r\n", 0, 0 },
	{ "two parts", MULTI("b") "--b\r\n" TEXT "--b\r\n" TEXT "--b--\r\n", 1,
	    2 },
	{ "quoted, folded, any case",
	    "CONTENT-TYPE:\r\n Multipart/Mixed;\r\n\tBOUNDARY=\"a b\";x\r\n"
	    "\r\n--a b\r\n\r\n--a b--\r\n",
	    1, 1 },
	{ "white space behind a boundary",
	    MULTI("b") "--b \t\r\n" TEXT "--b-- \r\n", 1, 1 },
	{ "a boundary that is another's beginning",
	    MULTI("b") "--b\r\n" MULTI("bb") "--bb\r\n" TEXT "--bb--\r\n"
					     "--b\r\n" TEXT "--b--\r\n",
	    2, 3 },
	{ "an end without a beginning", MULTI("b") "--b--\r\n--b\r\n\r\n", 1,
	    0 },
	{ "the outer ends the inner",
	    MULTI("a") "--a\r\n" MULTI("b") "--b\r\n" TEXT "--a\r\n" TEXT, 2,
	    3 },
	{ "one after the other is not one in the other",
	    MULTI("a") "--a\r\n" MULTI("b") "--b\r\n\r\n--b--\r\n--a\r\n" MULTI(
		"c") "--c\r\n\r\n--c--\r\n--a--\r\n",
	    2, 4 },
	{ "a forwarded message",
	    MULTI("a") "--a\r\nContent-Type: message/rfc822\r\n\r\n"
		       "Subject: x\r\n" MULTI("b") "--b\r\n" TEXT
						   "--b--\r\n--a--\r\n",
	    3, 3 },
	{ "messages in messages",
	    "Content-Type: message/rfc822\r\n\r\n"
	    "Content-Type: message/rfc822\r\n\r\n"
	    "Content-Type: message/rfc822\r\n\r\nx\r\n",
	    3, 3 },
	{ "no boundary named",
	    "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n", 0, 0 },
	{ "not multipart",
	    "Content-Type: text/plain; boundary=b\r\n\r\n--b\r\n\r\n", 0, 0 },
	{ "the first type counts",
	    "Content-Type: text/plain\r\n" MULTI("b") "--b\r\n\r\n", 0, 0 },
	{ "a boundary ends a header",
	    MULTI("b") "--b\r\nSubject: x\r\n--b\r\n" TEXT, 1, 2 },
	{ "a line that is cut", MULTI("b") "--b", 1, 0 },
};

static void check(const struct scan_case *c, size_t step)
{
	struct span rest = span_of(c->message);
	struct mime_scan s = { .depth = 0 };

	while (rest.len > 0) {
		mime_scan_feed(&s, span_first(rest, step));
		rest = span_from(rest, step);
	}
	ck_assert_msg(s.deepest == c->deepest && s.parts == c->parts,
	    "%s by %zu: depth %zu, parts %zu", c->name, step, s.deepest,
	    s.parts);
}

START_TEST(counts_the_same_however_it_is_cut)
{
	for (size_t step = 1; step < 20; step++)
		check(&cases[_i], step);
	check(&cases[_i], SIZE_MAX);
}
END_TEST

START_TEST(survives_any_depth)
{
	struct mime_scan s = { .depth = 0 };
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(
		    buf_printf(&b, MULTI("b%d") "--b%d\r\n", i, i), 0);
	mime_scan_feed(&s, buf_span(&b));
	ck_assert_uint_eq(s.deepest, MIME_SCAN_DEPTH_MAX + 1);
	buf_finish(&b);
}
END_TEST

START_TEST(looks_at_no_more_than_the_start_of_a_line)
{
	struct mime_scan s = { .depth = 0 };

	for (int i = 0; i < 10000; i++)
		mime_scan_feed(&s, SPAN("--long"));
	mime_scan_feed(&s, SPAN("\r\n\r\n"));
	for (int i = 0; i < 10000; i++)
		mime_scan_feed(&s, SPAN("--long"));
	ck_assert_uint_eq(s.parts, 0);
	ck_assert_uint_le(s.line_len, MIME_SCAN_LINE_MAX);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/mime_scan");
	TCase *t = tcase_create("mime_scan");

	tcase_add_loop_test(t, counts_the_same_however_it_is_cut, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, survives_any_depth);
	tcase_add_test(t, looks_at_no_more_than_the_start_of_a_line);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
