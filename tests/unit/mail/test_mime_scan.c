/* Depth and count of parts, whatever the cuts between feeds. */
#include <support/unit.h>

#include <mail/mime_scan.h>

#include <base/buf.h>
#include <postern/provider.h>

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

/* --- what not every provider carries --- */

#define OF(type, boundary)                                                     \
	"Content-Type: " type "; boundary=" boundary "\r\n\r\n"
#define PART(b, type) "--" b "\r\nContent-Type: " type "\r\n"
#define IMAGE(b) PART(b, "image/png") "Content-ID: <i>\r\n\r\niVBO\r\n"
#define FILE_OF(b, type)                                                       \
	PART(b, type) "Content-Disposition: attachment; filename=x\r\n\r\n"

static const struct trait_case {
	const char *name, *message;
	unsigned traits;
} traits[] = {
	{ "plain text", "Subject: x\r\n\r\nContent-Type: message/rfc822\r\n",
	    0 },
	{ "text and HTML",
	    OF("multipart/alternative", "b") "--b\r\n" TEXT PART(
		"b", "text/html; charset=utf-8") "\r\n<p>\r\n--b--\r\n",
	    0 },
	{ "a file", MULTI("b") "--b\r\n" TEXT FILE_OF("b", "image/png"), 0 },
	{ "no type at all",
	    OF("multipart/alternative", "b") "--b\r\n\r\nhi\r\n", 0 },
	{ "S/MIME beside the text", OF("multipart/signed", "b") "--b\r\n",
	    POSTERN_CARRIES_SIGNED },
	{ "signed, in any case, behind a fold and a comment",
	    "content-type:\r\n Multipart/SIGNED(x); boundary=b\r\n\r\n",
	    POSTERN_CARRIES_SIGNED },
	{ "signed within a list's frame",
	    MULTI("a") "--a\r\n" OF("multipart/signed", "b") "--b\r\n" TEXT,
	    POSTERN_CARRIES_SIGNED },
	{ "not quite signed", OF("multipart/signed-not", "b"), 0 },
	{ "S/MIME in one piece, signed",
	    "Content-Type: application/pkcs7-mime; smime-type=\"signed-data\";"
	    "\r\n name=smime.p7m\r\nContent-Disposition: attachment\r\n\r\n",
	    POSTERN_CARRIES_SIGNED },
	{ "S/MIME in one piece",
	    "Content-Type: application/x-pkcs7-mime\r\n\r\n",
	    POSTERN_CARRIES_ENCRYPTED },
	{ "S/MIME as a file", MULTI("b") FILE_OF("b", "application/pkcs7-mime"),
	    0 },
	{ "PGP/MIME", OF("multipart/encrypted", "b") "--b\r\n",
	    POSTERN_CARRIES_ENCRYPTED },
	{ "an invitation",
	    OF("multipart/alternative", "b") PART(
		"b", "text/calendar; charset=utf-8; method=REQUEST") "\r\n",
	    POSTERN_CARRIES_CALENDAR },
	{ "an invitation as a file",
	    MULTI("b") FILE_OF("b", "text/calendar; method=REQUEST"),
	    POSTERN_CARRIES_CALENDAR },
	{ "a calendar as a file", MULTI("b") FILE_OF("b", "text/calendar"), 0 },
	{ "a calendar as a file, folded",
	    MULTI("b") "--b\r\nContent-Disposition:\r\n attachment\r\n"
		       "Content-Type: text/calendar\r\n\r\n",
	    0 },
	{ "a calendar alone", "Content-Type: text/calendar\r\n\r\n",
	    POSTERN_CARRIES_CALENDAR },
	{ "AMP",
	    OF("multipart/alternative", "b")
		PART("b", "text/x-amp-html") "\r\n",
	    POSTERN_CARRIES_ALTERNATIVES },
	{ "a text file", MULTI("b") PART("b", "text/csv") "\r\n", 0 },
	{ "a file where it does not belong",
	    OF("multipart/alternative", "b") FILE_OF("b", "text/csv"), 0 },
	{ "an image in the text",
	    OF("multipart/related", "b")
		PART("b", "text/html") "\r\nx\r\n" IMAGE("b"),
	    POSTERN_CARRIES_INLINE },
	{ "an image further down",
	    OF("multipart/related", "b") "--b\r\n" MULTI("c") IMAGE("c"),
	    POSTERN_CARRIES_INLINE },
	{ "an image after the text", MULTI("b") IMAGE("b"), 0 },
	{ "an image after what was related",
	    MULTI("a") "--a\r\n" OF("multipart/related", "b") "--b--\r\n" IMAGE(
		"a"),
	    0 },
	{ "an image that says it is inline",
	    MULTI("b")
		PART("b", "image/png") "Content-ID: <i>\r\n"
				       "Content-Disposition: INLINE\r\n\r\n",
	    POSTERN_CARRIES_INLINE },
	{ "a forwarded message", MULTI("b") PART("b", "message/rfc822") "\r\n",
	    POSTERN_CARRIES_NESTED },
	{ "what is in it goes with it",
	    MULTI("b") PART("b", "message/rfc822") "\r\n" OF("multipart/signed",
		"c") "--c\r\n" TEXT "--c--\r\n" PART("b", "text/csv") "\r\n",
	    POSTERN_CARRIES_NESTED },
	{ "but not what comes after it",
	    MULTI("b")
		PART("b", "message/rfc822") "\r\nSubject: x\r\n\r\n" PART(
		    "b", "text/calendar") "\r\n",
	    POSTERN_CARRIES_NESTED | POSTERN_CARRIES_CALENDAR },
	{ "a report",
	    OF("multipart/report; report-type=delivery-status", "b")
		PART("b", "message/delivery-status") "\r\n",
	    POSTERN_CARRIES_REPORTS },
	{ "a fragment", "Content-Type: message/partial\r\n\r\n",
	    POSTERN_CARRIES_REPORTS },
};

static void check_traits(const struct trait_case *c, size_t step)
{
	struct span rest = span_of(c->message);
	struct mime_scan s = { .depth = 0 };

	while (rest.len > 0) {
		mime_scan_feed(&s, span_first(rest, step));
		rest = span_from(rest, step);
	}
	ck_assert_msg(
	    s.traits == c->traits, "%s by %zu: %x", c->name, step, s.traits);
}

/* Every split in two, and every piece of the same size. */
START_TEST(sees_what_is_in_it_however_it_is_cut)
{
	const struct trait_case *c = &traits[_i];
	struct span all = span_of(c->message);

	for (size_t step = 1; step <= all.len; step++)
		check_traits(c, step);
	for (size_t at = 1; at < all.len; at++) {
		struct mime_scan s = { .depth = 0 };

		mime_scan_feed(&s, span_first(all, at));
		mime_scan_feed(&s, span_from(all, at));
		ck_assert_msg(s.traits == c->traits, "%s at %zu: %x", c->name,
		    at, s.traits);
	}
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
	mime_scan_feed(&s, SPAN("Content-Type: text/x\r\n\r\n"));
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
	tcase_add_loop_test(t, sees_what_is_in_it_however_it_is_cut, 0,
	    sizeof(traits) / sizeof(traits[0]));
	tcase_add_test(t, survives_any_depth);
	tcase_add_test(t, looks_at_no_more_than_the_start_of_a_line);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
