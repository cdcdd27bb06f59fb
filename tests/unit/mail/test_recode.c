/*
 * What a message becomes for a transport that takes 7 bits, or short lines:
 * the leaves that need it are encoded and mean the same, all else stays.
 */
#include "elsewhere.h"
#include "look.h"

#include <support/unit.h>

#include <mail/header.h>
#include <mail/mime.h>
#include <mail/mime_leaves.h>
#include <mail/mime_stream.h>
#include <mail/recode.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	BOTH = OCTETS_8BIT | OCTETS_LONG_LINES
};

#define FROM "From: a@x\r\n"
#define MIME "MIME-Version: 1.0\r\n"
#define MIXED FROM MIME "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define CTE "Content-Transfer-Encoding: "
#define QP CTE "quoted-printable\r\n"
#define BASE64 CTE "base64\r\n"

static struct elsewhere source;
static struct message *original, *recoded;
static struct buf got; /* what came of it */

static void begin(void)
{
	set_up();
	buf_init(&got, TEXT_MAX);
	source = (struct elsewhere){ .fails_from = 0 };
}

static void forget(void)
{
	message_unref(recoded);
	message_unref(original);
	original = recoded = NULL;
}

static void end(void)
{
	forget();
	tear_down();
	buf_finish(&got);
}

static struct message *make(struct span raw)
{
	size_t length = header_length(raw);
	struct buf header, body;

	ck_assert_uint_gt(length, 0);
	buf_init(&header, TEXT_MAX);
	buf_init(&body, TEXT_MAX);
	ck_assert_int_eq(buf_add(&header, raw.ptr, length), 0);
	ck_assert_int_eq(buf_add_span(&body, raw), 0);
	return message_new(&header, &body, length);
}

/* All of m into got, in steps. */
static void read_all(const struct message *m, size_t step)
{
	size_t size = (size_t)message_size(m);

	buf_clear(&got);
	ck_assert_int_eq(buf_reserve(&got, size + 1), 0);
	while (buf_len(&got) < size) {
		size_t left = size - buf_len(&got);
		size_t len = left < step ? left : step;
		/* Claims cost time. */
		if (message_read_all(m, buf_len(&got), buf_tail(&got), len) < 0)
			ck_abort();
		buf_commit(&got, len);
	}
	ck_assert_int_eq(message_read(m, size, buf_tail(&got), 1), 0);
}

/* Takes the reference; got is what came of it. */
static void recode(struct message *m, unsigned avoid)
{
	forget();
	original = m;
	ck_assert_int_ge(recode_message(m, avoid, &recoded), 0);
	read_all(recoded, 4096);
}

static void check_becomes(const char *raw, const char *expected)
{
	recode(make(span_of(raw)), BOTH);
	read_all(recoded, 1);
	ck_assert_msg(span_eq(buf_span(&got), span_of(expected)),
	    "got \"%.*s\"\nnot \"%s\"", SPAN_FMT(buf_span(&got)), expected);
	ck_assert_ptr_ne(recoded, original);
	/* In the same steps from wherever it lies. */
	recode(elsewhere_message(&source, span_of(raw)), BOTH);
	ck_assert(span_eq(buf_span(&got), span_of(expected)));
}

static void check_stays(const char *raw)
{
	recode(make(span_of(raw)), BOTH);
	ck_assert_ptr_eq(recoded, original);
}

/* --- leaves of a message, decoded --- */

struct decoded {
	struct buf bytes; /* of all leaves */
	const struct message *message;
};

static int decode_leaf(void *ctx, const struct mime_leaf *leaf)
{
	struct decoded *d = ctx;
	struct mime_reader reader = { .message = d->message };
	uint64_t size;
	int rc = mime_reader_measure(&reader, &leaf->place, &size);

	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(buf_reserve(&d->bytes, (size_t)size + 1), 0);
	rc = mime_reader_read(
	    &reader, &leaf->place, 0, buf_tail(&d->bytes), (size_t)size);
	ck_assert_int_eq(rc, 0);
	buf_commit(&d->bytes, (size_t)size);
	mime_reader_finish(&reader);
	return 0;
}

static void decode(const struct message *m, struct buf *out)
{
	struct decoded d = { .message = m };

	buf_init(&d.bytes, TEXT_MAX);
	ck_assert_int_eq(mime_leaves_each(m, decode_leaf, &d), 0);
	*out = d.bytes;
}

static void check_means_the_same(void)
{
	struct buf before, after;

	decode(original, &before);
	decode(recoded, &after);
	ck_assert(span_eq(buf_span(&before), buf_span(&after)));
	buf_finish(&before);
	buf_finish(&after);
}

static size_t longest_line(struct span s)
{
	size_t longest = 0;

	while (s.len > 0) {
		struct span line = span_cut(&s, '\n');
		size_t len = line.len > 0 ? line.len - 1 : 0; /* its CR */
		longest = len > longest ? len : longest;
	}
	return longest;
}

/* --- tests --- */

START_TEST(what_is_fit_stays_the_same_message)
{
	check_stays(FROM "\r\n");
	check_stays(FROM "\r\nhello\r\n");
	check_stays(FROM "Subject: \xfc\r\n\r\nhello\r\n");
	check_stays(FROM CTE "8bit\r\n\r\nhello\r\n");
	check_stays(MIXED "--b\r\n\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");
}
END_TEST

START_TEST(text_alone_becomes_quoted_printable)
{
	check_becomes(FROM MIME "Content-Type: text/plain; charset=iso-8859-1"
				"\r\n" CTE "8bit\r\nX-A: b\r\n\r\n"
				"a=\xfc\r\nb\r\n",
	    FROM MIME "Content-Type: text/plain; charset=iso-8859-1\r\n" QP
		      "X-A: b\r\n\r\na=3D=FC\r\nb\r\n");
}
END_TEST

START_TEST(an_encoding_nobody_said_is_added)
{
	check_becomes(FROM "\r\n\xfc\r\n", FROM MIME QP "\r\n=FC\r\n");
	check_becomes(FROM "mime-version: 1.0\r\n\r\n\xfc",
	    FROM "mime-version: 1.0\r\n" QP "\r\n=FC");
}
END_TEST

START_TEST(files_become_base64)
{
	check_becomes(MIXED "--b\r\nContent-Type: application/x\r\n" CTE
			    "binary\r\n\r\n\xff\xfe\xfd\r\n--b--\r\n",
	    MIXED "--b\r\nContent-Type: application/x\r\n" BASE64
		  "\r\n//79\r\n\r\n--b--\r\n");
}
END_TEST

START_TEST(text_that_is_much_shorter_so_becomes_base64)
{
	check_becomes(FROM MIME "\r\n\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5"
				"\xd1\x82\r\n",
	    FROM MIME BASE64 "\r\n0L/RgNC40LLQtdGCDQo=\r\n");
}
END_TEST

START_TEST(only_leaves_that_need_it_change)
{
	check_becomes(MIXED "pre\xfc"
			    "amble\r\n--b\r\n" CTE "8bit\r\n\r\nplain\r\n"
			    "--b\r\n" CTE "8bit\r\nX-N: \xfc\r\n\r\n\xfc\r\n"
			    "--b\r\n" CTE
			    "8bit\r\n\r\nplain\r\n--b--\r\nepi\xfc\r\n",
	    MIXED "pre\xfc"
		  "amble\r\n--b\r\n" CTE "8bit\r\n\r\nplain\r\n"
		  "--b\r\n" QP "X-N: \xfc\r\n\r\n=FC\r\n"
		  "--b\r\n" CTE "8bit\r\n\r\nplain\r\n--b--\r\nepi\xfc\r\n");
}
END_TEST

START_TEST(a_part_without_a_header_gets_one)
{
	check_becomes(MIXED "--b\r\n\r\n\xfc\r\n--b\r\n\r\n\xfc\r\n--b--\r\n",
	    MIXED "--b\r\n" QP "\r\n=FC\r\n--b\r\n" QP "\r\n=FC\r\n--b--\r\n");
}
END_TEST

START_TEST(what_is_asked_for_is_avoided)
{
	buf_clear(&text);
	add(FROM "\r\n");
	add_times(999, "x");
	add("\r\n");
	recode(make(buf_span(&text)), OCTETS_8BIT);
	ck_assert_ptr_eq(recoded, original);
	recode(make(buf_span(&text)), OCTETS_LONG_LINES);
	ck_assert_ptr_ne(recoded, original);
	check_means_the_same();
	recode(make(SPAN(FROM "\r\n\xfc\r\n")), OCTETS_LONG_LINES);
	ck_assert_ptr_eq(recoded, original);
	recode(make(SPAN(FROM "\r\n\xfc\r\n")), 0);
	ck_assert_ptr_eq(recoded, original);
}
END_TEST

START_TEST(lines_may_have_998_octets)
{
	static const char *const ends[] = { "", "\r\n", "\r\nx", "\r\n\r\n" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		for (size_t len = 997; len <= 1001; len++) {
			buf_clear(&text);
			add(MIXED "--b\r\n\r\n");
			/* Also over the edge of what is read at a time. */
			add_times(7500 + i, "\r\n");
			add_times(len, "x");
			add(ends[i]);
			add("\r\n--b--\r\n");
			recode(make(buf_span(&text)), BOTH);
			ck_assert_int_eq(recoded == original, len <= 998);
			check_means_the_same();
			recode(
			    elsewhere_message(&source, buf_span(&text)), BOTH);
			ck_assert_int_eq(recoded == original, len <= 998);
			check_means_the_same();
			ck_assert_uint_le(longest_line(buf_span(&got)), 998);
		}
	}
}
END_TEST

START_TEST(quoted_lines_are_short_and_end_in_no_blank)
{
	check_becomes(FROM MIME "\r\nabcdefghijklmnop\xfc \r\n\t\r\n \t\r\nx ",
	    FROM MIME QP "\r\nabcdefghijklmnop=FC=20\r\n=09\r\n =09\r\nx=20");
	/* Neither boundaries nor an end of SMTP come into being. */
	check_becomes(FROM MIME "\r\n\xfc\r\n--b\r\n.\r\n-\r\nx--.\r\n",
	    FROM MIME QP "\r\n=FC\r\n=2D-b\r\n=2E\r\n=2D\r\nx--.\r\n");
	buf_clear(&text);
	add(MIXED "--b\r\n\r\n");
	add_times(75, "x");
	add("--b--");
	add_times(1000, "y");
	add("\r\n--b--\r\n");
	recode(make(buf_span(&text)), BOTH);
	check_means_the_same();
	ck_assert(span_ifind(buf_span(&got), SPAN("x=\r\n=2D-b--y")) >= 0);
	ck_assert_uint_eq(longest_line(buf_span(&got)), 76);
}
END_TEST

START_TEST(encoded_leaves_with_long_lines_stay_in_their_encoding)
{
	buf_clear(&text);
	add(MIXED "--b\r\n" CTE "base64\r\n\r\n");
	add_times(500, "YWJj");
	add("\r\n--b\r\n" CTE "Quoted-Printable\r\nX-A: b\r\n\r\n");
	add_times(500, "a=3D");
	add("=0Ab=\r\nc=20\r\n--b--\r\n");
	recode(make(buf_span(&text)), BOTH);
	check_means_the_same();
	ck_assert_uint_eq(longest_line(buf_span(&got)), 76);
	ck_assert(span_ifind(buf_span(&got),
		      SPAN("--b\r\n" CTE "base64\r\n\r\nYWJj")) > 0);
	ck_assert(span_ifind(buf_span(&got),
		      SPAN(CTE "Quoted-Printable\r\nX-A: b\r\n\r\na=3D")) > 0);
}
END_TEST

START_TEST(an_encoding_in_several_lines_is_replaced_as_one)
{
	check_becomes(FROM MIME "Content-Transfer-Encoding:\r\n 8bit\r\n"
				"X-A: b\r\n\r\n\xfc\r\n",
	    FROM MIME QP "X-A: b\r\n\r\n=FC\r\n");
	check_becomes(FROM MIME CTE "8bit\r\nX-A: b\r\n" CTE "7bit (x)\r\n"
				    "\r\n\xfc\r\n",
	    FROM MIME QP "X-A: b\r\n\r\n=FC\r\n");
}
END_TEST

START_TEST(names_of_encodings_that_are_none_are_replaced)
{
	check_becomes(
	    FROM MIME CTE "utf-8\r\n\r\n\xfc\r\n", FROM MIME QP "\r\n=FC\r\n");
	check_becomes(
	    FROM MIME CTE "\r\n\r\n\xfc\r\n", FROM MIME QP "\r\n=FC\r\n");
	check_becomes(FROM MIME CTE "ISO-8859-15\r\n\r\n\xfc\r\n",
	    FROM MIME QP "\r\n=FC\r\n");
}
END_TEST

START_TEST(what_can_be_read_in_two_ways_stays)
{
	check_stays(FROM MIME CTE "8bit\r\n" CTE "base64\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME CTE "base64\r\n" CTE "8bit\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME CTE "x-private\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME CTE "x-uuencode\r\n\r\nbegin 644 x\r\n\xfc\r\n");
	check_stays(MIXED "--b\r\nno field\r\nX-A: b\r\n\r\n\xfc\r\n--b--\r\n");
	check_stays(MIXED "--b\r\nContent-Type: text/plain\r\n"
			  "Content-Type: text/html\r\n\r\n\xfc\r\n--b--\r\n");
	check_stays(MIXED "--b\r\n\xfc\r\n--b--\r\n");
	check_stays(MIXED "\xfc and no part\r\n");
}
END_TEST

START_TEST(other_encodings_stay_and_keep_their_names)
{
	check_stays(FROM MIME CTE "yenc\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME CTE "gzip\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME CTE "base-64\r\n\r\n\xfc\r\n");
}
END_TEST

START_TEST(a_header_that_is_not_behind_its_boundary_stays)
{
	/* Homemade, without the empty line. */
	check_stays(MIXED "--b\r\nHallo,\r\n\r\ndie Gr\xfc\xdf\r\n--b--\r\n");
	check_stays(MIXED "--b\r\n\xe4\r\n\r\n\xfc\r\n--b--\r\n");
	check_stays(MIXED "--b\r\n --b\r\n\r\n\xfc\r\n--b--\r\n");
	check_becomes(MIXED "--b \t\r\n\r\n\xfc\r\n--b--\r\n",
	    MIXED "--b \t\r\n" QP "\r\n=FC\r\n--b--\r\n");
}
END_TEST

/* A body of long lines: line, so often, and end. */
static void check_long(
    const char *encoding, const char *line, const char *end, bool changes)
{
	buf_clear(&text);
	add(FROM MIME CTE);
	add(encoding);
	add("\r\n\r\n");
	/* Also over the edge of what is read at a time. */
	add_times(8191, line);
	add(end);
	recode(make(buf_span(&text)), BOTH);
	ck_assert_msg(
	    (recoded != original) == changes, "%s: %s %s", encoding, line, end);
	check_means_the_same();
}

START_TEST(base64_that_decoders_differ_about_stays)
{
	check_stays(FROM MIME BASE64 "\r\nGr\xc3\xbc\xc3\x9f"
				     "e, Bestellung 1234 ist da.\r\n");
	check_stays(
	    FROM MIME BASE64 "\r\nSGVsbG8K\r\n-- \r\n\xc3\xbc list footer\r\n");
	check_long("base64", "YWJj", "", true);
	check_long("base64", "YWJj", "\r\nYW\r\n==\r\n \t\r\n", true);
	check_long("base64", "YWJj", "YWI=", true);
	check_long("base64", "YWJj", "YW", false);
	check_long("base64", "YWJj", "YWI", false);
	check_long("base64", "YWJj", "Y===", false);
	check_long("base64", "YWJj", "YWI=YWI=", false);
	check_long("base64", "YWI=", "", false);
	check_long("base64", "-_-_", "", false);
	check_long("base64", "YWJj", "\r\n\r\n-- \r\nscanned\r\n", false);
}
END_TEST

START_TEST(quoted_printable_that_decoders_differ_about_stays)
{
	check_stays(FROM MIME QP "\r\nab=  \r\ncd \xfc\r\n");
	check_stays(FROM MIME QP "\r\nab \t\r\ncd \xfc\r\n");
	check_stays(FROM MIME QP "\r\nx==20\xfc\r\n");
	check_stays(FROM MIME QP "\r\nx=2\r\n\xfc\r\n");
	check_stays(FROM MIME QP "\r\n\xfc ");
	check_stays(FROM MIME QP "\r\n\xfc=");
	check_becomes(FROM MIME QP "\r\na b =\r\n\xfc=3d=20\r\n",
	    FROM MIME QP "\r\na b =FC=3D=20\r\n");
	check_long("quoted-printable", "a=3D b", "", true);
	check_long("quoted-printable", "a=3D b", "=\r\n", true);
	check_long("quoted-printable", "a=3D b", "=G0", false);
	check_long("quoted-printable", "a=3D b", " \r\n", false);
}
END_TEST

START_TEST(what_is_signed_stays)
{
	check_stays(FROM "DKIM-Signature: v=1\r\n\r\n\xfc\r\n");
	check_stays(FROM "ARC-Message-Signature: i=1\r\n\r\n\xfc\r\n");
	check_stays(FROM MIME
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
	    "--c\r\n\r\n\xfc\r\n--c--\r\n"
	    "--b\r\nContent-Type: application/pgp-signature\r\n\r\n\xfc\r\n"
	    "--b--\r\n");
	check_becomes(MIXED
	    "--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "DKIM-Signature: v=1\r\n\r\n\xfc\r\n--b\r\n\r\n\xfc\r\n--b--\r\n",
	    MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\n"
		  "DKIM-Signature: v=1\r\n\r\n\xfc\r\n--b\r\n" QP
		  "\r\n=FC\r\n--b--\r\n");
}
END_TEST

START_TEST(what_says_how_it_is_encrypted_stays)
{
#define ENCRYPTED                                                              \
	FROM MIME "Content-Type: multipart/encrypted; boundary=b\r\n\r\n"      \
		  "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\n"     \
		  "Version: 1\xfc\r\n--b\r\n"                                  \
		  "Content-Type: application/octet-stream\r\n"
	check_becomes(ENCRYPTED "\r\n\xff\xfe\xfd\r\n--b--\r\n",
	    ENCRYPTED BASE64 "\r\n//79\r\n\r\n--b--\r\n");
}
END_TEST

START_TEST(attached_messages_are_gone_into)
{
#define ATTACHED                                                               \
	"--b\r\nContent-Type: message/rfc822\r\n" CTE "8bit\r\n\r\n"           \
	"Subject: x\r\n"
	check_becomes(MIXED ATTACHED "\r\n\xfc\r\n--b--\r\n",
	    MIXED ATTACHED MIME QP "\r\n=FC\r\n--b--\r\n");
	check_becomes(MIXED ATTACHED MIME
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n" CTE
	    "8bit\r\n\r\n\xfc\r\n--c--\r\n--b--\r\n",
	    MIXED ATTACHED MIME
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n" QP
	    "\r\n=FC\r\n--c--\r\n--b--\r\n");
	/* A message alone, and one of a digest, which is of no other type. */
	check_becomes(FROM MIME "Content-Type: message/rfc822\r\n\r\n" MIME
				"\r\n\xfc\r\n",
	    FROM MIME "Content-Type: message/rfc822\r\n\r\n" MIME QP
		      "\r\n=FC\r\n");
	check_becomes(FROM MIME
	    "Content-Type: multipart/digest; boundary=b\r\n\r\n"
	    "--b\r\n\r\n" MIME "\r\n\xfc\r\n--b--\r\n",
	    FROM MIME "Content-Type: multipart/digest; boundary=b\r\n\r\n"
		      "--b\r\n\r\n" MIME QP "\r\n=FC\r\n--b--\r\n");
}
END_TEST

START_TEST(other_messages_are_not_encoded)
{
	check_stays(MIXED "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
			  "Diagnostic-Code: \xfc\r\n--b--\r\n");
}
END_TEST

START_TEST(hostile_structure_stays)
{
	buf_clear(&text);
	add(MIXED);
	add_times(5000, "--b\r\n\r\n\xfc\r\n");
	recode(make(buf_span(&text)), BOTH);
	ck_assert_ptr_eq(recoded, original);
	buf_clear(&text);
	add(FROM);
	for (size_t i = 0; i < 60; i++)
		add("Content-Type: message/rfc822\r\n\r\n");
	add("\r\n\xfc\r\n");
	recode(make(buf_span(&text)), BOTH);
	ck_assert_ptr_eq(recoded, original);
}
END_TEST

/* A text of all octets that may be in one, and a file, 1 MB each. */
static void make_large(void)
{
	uint32_t seed = 1;

	buf_clear(&text);
	add(MIXED "--b\r\n\r\n");
	for (int part = 0; part < 2; part++) {
		for (size_t i = 0; i < 1024 * 1024; i++) {
			char c;
			seed = seed * 1664525 + 1013904223;
			c = (char)(seed >> 24);
			/* Mostly ASCII, so that the text is quoted. */
			if (c == '\0' || c == '\r' || c == '\n' ||
			    (part == 0 && (seed & 0x700)))
				c = "\tx y-.z"[(seed >> 12) % 7];
			if (buf_add(&text, &c, 1) < 0 ||
			    (seed % 97 == 0 && buf_add_str(&text, "\r\n") < 0))
				ck_abort();
		}
		add(part == 0 ? "\r\n--b\r\nContent-Type: a/b\r\n\r\n"
			      : "\r\n--b--\r\n");
	}
}

START_TEST(large_leaves_read_alike_in_any_steps)
{
	static const size_t steps[] = { 61, 1823, 4097, 65536,
		8 * 1024 * 1024 };
	struct buf first;

	make_large();
	recode(elsewhere_message(&source, buf_span(&text)), BOTH);
	check_means_the_same();
	ck_assert(span_is_ascii(buf_span(&got)));
	ck_assert_uint_eq(longest_line(buf_span(&got)), 76);
	ck_assert(span_ifind(buf_span(&got), SPAN(QP)) > 0);
	ck_assert(span_ifind(buf_span(&got), SPAN(BASE64)) > 0);
	buf_init(&first, TEXT_MAX);
	ck_assert_int_eq(buf_add_span(&first, buf_span(&got)), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		read_all(recoded, steps[i]);
		ck_assert(span_eq(buf_span(&got), buf_span(&first)));
	}
	/* And backwards, from anywhere. */
	for (size_t at = buf_len(&first) - 10; at > 600000; at -= 500009) {
		char ten[10];
		ck_assert_int_eq(message_read_all(recoded, at, ten, 10), 0);
		ck_assert_mem_eq(ten, buf_span(&first).ptr + at, 10);
		ck_assert_int_eq(message_read_all(recoded, at - 3, ten, 3), 0);
		ck_assert_mem_eq(ten, buf_span(&first).ptr + at - 3, 3);
	}
	buf_finish(&first);
	ck_assert_uint_lt(message_held(recoded), 4096);
}
END_TEST

static void *read_again(void *expected)
{
	const struct span *all = expected;
	char piece[701];

	for (size_t at = 0; at < all->len; at += sizeof(piece)) {
		struct span part =
		    span_first(span_from(*all, at), sizeof(piece));
		if (message_read_all(recoded, at, piece, part.len) < 0 ||
		    memcmp(piece, part.ptr, part.len) != 0)
			return NULL;
	}
	return expected;
}

START_TEST(threads_may_read_it_at_once)
{
	pthread_t threads[3];
	struct span all;

	buf_clear(&text);
	add(FROM "\r\n");
	add_times(2000, "some more gr\xfc\xdf"
			"e\r\n");
	recode(make(buf_span(&text)), BOTH);
	all = buf_span(&got);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, read_again, &all), 0);
	for (size_t i = 0; i < 3; i++) {
		void *result = NULL;
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_eq(result, &all);
	}
}
END_TEST

START_TEST(a_message_that_cannot_be_read_is_an_error)
{
	forget();
	original = elsewhere_message(&source, SPAN(FROM "\r\n\xfc\r\n"));
	source.fails_from = 1;
	ck_assert_int_eq(recode_message(original, BOTH, &recoded), -EIO);
	ck_assert_ptr_null(recoded);
	source.fails_from = 0;
	ck_assert_int_eq(recode_message(original, BOTH, &recoded), 1);
	source.fails_from = 1;
	char c;
	ck_assert_int_eq(
	    message_read(recoded, message_header(recoded).len, &c, 1), -EIO);
}
END_TEST

START_TEST(traits_go_along_and_the_original_is_held)
{
	struct message *m = make(SPAN(FROM "\r\n\xfc\r\n"));
	struct message *other;

	message_set_traits(m, 0x42);
	ck_assert_int_ge(recode_message(m, BOTH, &other), 0);
	message_unref(m);
	ck_assert_uint_eq(message_traits(other), 0x42);
	read_all(other, 5);
	ck_assert(span_ifind(buf_span(&got), SPAN("=FC")) > 0);
	message_unref(other);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/recode");
	TCase *t = tcase_create("recode");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_fit_stays_the_same_message);
	tcase_add_test(t, text_alone_becomes_quoted_printable);
	tcase_add_test(t, an_encoding_nobody_said_is_added);
	tcase_add_test(t, files_become_base64);
	tcase_add_test(t, text_that_is_much_shorter_so_becomes_base64);
	tcase_add_test(t, only_leaves_that_need_it_change);
	tcase_add_test(t, a_part_without_a_header_gets_one);
	tcase_add_test(t, what_is_asked_for_is_avoided);
	tcase_add_test(t, lines_may_have_998_octets);
	tcase_add_test(t, quoted_lines_are_short_and_end_in_no_blank);
	tcase_add_test(
	    t, encoded_leaves_with_long_lines_stay_in_their_encoding);
	tcase_add_test(t, an_encoding_in_several_lines_is_replaced_as_one);
	tcase_add_test(t, names_of_encodings_that_are_none_are_replaced);
	tcase_add_test(t, what_can_be_read_in_two_ways_stays);
	tcase_add_test(t, other_encodings_stay_and_keep_their_names);
	tcase_add_test(t, a_header_that_is_not_behind_its_boundary_stays);
	tcase_add_test(t, base64_that_decoders_differ_about_stays);
	tcase_add_test(t, quoted_printable_that_decoders_differ_about_stays);
	tcase_add_test(t, what_is_signed_stays);
	tcase_add_test(t, what_says_how_it_is_encrypted_stays);
	tcase_add_test(t, attached_messages_are_gone_into);
	tcase_add_test(t, other_messages_are_not_encoded);
	tcase_add_test(t, hostile_structure_stays);
	tcase_add_test(t, large_leaves_read_alike_in_any_steps);
	tcase_add_test(t, threads_may_read_it_at_once);
	tcase_add_test(t, a_message_that_cannot_be_read_is_an_error);
	tcase_add_test(t, traits_go_along_and_the_original_is_held);
	return s;
}

UNIT_MAIN(suite)
