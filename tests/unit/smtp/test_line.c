/* Lines out of bytes, however the bytes are cut. */
#include <smtp/line.h>

#include <string.h>

#include <support/unit.h>

enum {
	LIMIT = 16
};

static bool takes_lf;

/* What a run over text gives: lines joined by '|', "!" for one too long. */
static void read_lines(const char *text, size_t len, size_t step, char *out)
{
	struct smtp_line_reader r;
	struct buf in;
	struct span line;

	smtp_line_init(&r);
	r.takes_lf = takes_lf;
	buf_init(&in, 4096);
	*out = '\0';
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		enum smtp_line_result result;

		ck_assert_int_eq(buf_add(&in, text + at, n), 0);
		while ((result = smtp_line_next(&r, &in, LIMIT, &line)) !=
		       SMTP_LINE_NONE) {
			if (result == SMTP_LINE_TOO_LONG)
				line = SPAN("!");
			(void)strncat(out, line.ptr, line.len);
			(void)strncat(out, "|", 2);
		}
		ck_assert_uint_le(buf_len(&in), LIMIT + step);
	}
	buf_finish(&in);
}

static const struct {
	const char *in, *out;
} cases[] = {
	{ "", "" },
	{ "\r\n", "|" },
	{ "one\r\ntwo\r\nthr", "one|two|" },
	{ "a\nb\r\n", "a\nb|" }, /* a bare LF ends nothing */
	{ "a\rb\r\n", "a\rb|" }, /* nor does a bare CR */
	{ "a\r\r\n", "a\r|" },
	{ "\n\r\n", "\n|" },
	{ "12345678901234\r\nx\r\n", "12345678901234|x|" }, /* just fits */
	{ "123456789012345\r\nx\r\n", "!|x|" },
	{ "1234567890123456\r\nx\r\n", "!|x|" },
	{ "123456789012345678901234567890\r\nx\r\n", "!|x|" },
	{ "123456789012345\r\r\nx\r\n", "!|x|" },
	{ "123456789012345678901234567890\nab\rc\r\nx\r\n", "!|x|" },
	{ "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\nx\r\n", "!|x|" },
	{ "123456789012345\r\n123456789012345\r\n", "!|!|" },
};

START_TEST(gives_the_same_lines_at_every_cut)
{
	size_t len = strlen(cases[_i].in);
	char out[256];

	for (size_t step = 1; step <= len + 1; step++) {
		read_lines(cases[_i].in, len, step, out);
		ck_assert_str_eq(out, cases[_i].out);
	}
}
END_TEST

/* The same input for an old device. */
static const struct {
	const char *in, *out;
} lenient[] = {
	{ "\n", "|" },
	{ "one\ntwo\r\nthr", "one|two|" },
	{ "a\rb\n", "a\rb|" }, /* a bare CR is still no end */
	{ "a\r\r\n", "a\r|" },
	{ "\r\n\r\n\n", "|||" },
	{ "123456789012345\nx\n", "123456789012345|x|" }, /* just fits */
	{ "1234567890123456\nx\n", "!|x|" },
	{ "12345678901234567890\r\nx\r\n", "!|x|" },
	{ "1234567890123456\n1234567890123456\ny\n", "!|!|y|" },
};

START_TEST(a_bare_lf_ends_a_line_where_that_is_allowed)
{
	size_t len = strlen(lenient[_i].in);
	char out[256];

	takes_lf = true;
	for (size_t step = 1; step <= len + 1; step++) {
		read_lines(lenient[_i].in, len, step, out);
		ck_assert_str_eq(out, lenient[_i].out);
	}
	takes_lf = false;
}
END_TEST

START_TEST(keeps_a_nul_inside_its_line)
{
	char out[256];

	read_lines("a\0b\r\nc\r\n", 8, 3, out);
	ck_assert_str_eq(out, "a|c|"); /* strncat stops at it; "c" follows */
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("line");
	TCase *tc = tcase_create("lines");

	tcase_add_loop_test(tc, gives_the_same_lines_at_every_cut, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tc, a_bare_lf_ends_a_line_where_that_is_allowed, 0,
	    (int)(sizeof(lenient) / sizeof(lenient[0])));
	tcase_add_test(tc, keeps_a_nul_inside_its_line);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
