/*
 * The end of the content and what is stored of it. Every case is fed in
 * every way of cutting it into up to three pieces, and byte by byte.
 */
#include <smtp/data.h>

#include <string.h>

#include <support/unit.h>

#define S(lit)                                                                 \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}

struct sample {
	struct span in;  /* after the CRLF of DATA */
	struct span out; /* what is stored */
	size_t left;     /* bytes behind the end; the whole if not DONE */
	bool is_done;
	char flags; /* n: NUL, l: bare LF, r: bare CR, b, B: both, LF or CR
		       being the first */
};

static const struct sample samples[] = {
	/* plain */
	{ S(".\r\n"), S(""), 0, true, 0 },
	{ S("a\r\n.\r\n"), S("a\r\n"), 0, true, 0 },
	{ S("a\r\n\r\nb\r\n.\r\nQUIT\r\n"), S("a\r\n\r\nb\r\n"), 6, true, 0 },
	{ S("a\r\n..\r\n.b\r\n...\r\n.\r\n"), S("a\r\n.\r\nb\r\n..\r\n"), 0,
	    true, 0 },
	{ S(".a\r\n.\r\n"), S("a\r\n"), 0, true, 0 },
	{ S("..\r\n.\r\n"), S(".\r\n"), 0, true, 0 },
	{ S("a.\r\n.\r\n"), S("a.\r\n"), 0, true, 0 },
	{ S("a"), S("a"), 0, false, 0 },
	{ S("a\r\n."), S("a\r\n"), 0, false, 0 },
	{ S("a\r\n.\r"), S("a\r\n"), 0, false, 0 },
	/* what must not end it, after "a" and before "b" */
	{ S("a\n.\nb\r\n.\r\n"), S("a\r\nb\r\n"), 0, true, 'l' },
	{ S("a\n.\rb\r\n.\r\n"), S("a\r\n. b\r\n"), 0, true, 'b' },
	{ S("a\r.\nb\r\n.\r\n"), S("a .\r\nb\r\n"), 0, true, 'B' },
	{ S("a\r.\rb\r\n.\r\n"), S("a . b\r\n"), 0, true, 'r' },
	{ S("a\n.\r\nb\r\n.\r\n"), S("a\r\nb\r\n"), 0, true, 'l' },
	{ S("a\r.\r\nb\r\n.\r\n"), S("a .\r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\n\0.\r\nb\r\n.\r\n"), S(""), 0, true, 'n' },
	{ S("a\r\n.\r\r\nb\r\n.\r\n"), S("a\r\n \r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\r\n.\r\r\nb\r\n.\r\n"), S("a \r\n \r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\n.\nb\r\n.\r\n"), S("a\r\nb\r\n"), 0, true, 'l' },
	{ S("a\r\n.\rb\r\n.\r\n"), S("a\r\n b\r\n"), 0, true, 'r' },
	{ S(".\nb\r\n.\r\n"), S("b\r\n"), 0, true, 'l' },
	{ S("\n.\r\nb\r\n.\r\n"), S("\r\nb\r\n"), 0, true, 'l' },
	/* other mixtures */
	{ S("a\nb\n\nc\r\n.\r\n"), S("a\r\nb\r\n\r\nc\r\n"), 0, true, 'l' },
	{ S("a\n..\n.\r\n.\r\n"), S("a\r\n..\r\n"), 0, true, 'l' },
	{ S("a\n.b\r\n.\r\n"), S("a\r\n.b\r\n"), 0, true, 'l' },
	{ S("a\n.\n.\n.\r\n.\r\n"), S("a\r\n"), 0, true, 'l' },
	{ S("\r\r\r\r\n.\r\n"), S("   \r\n"), 0, true, 'r' },
	{ S("a\rb\rc\r\n.\r\n"), S("a b c\r\n"), 0, true, 'r' },
	{ S("a\n\r\n.\r\n"), S("a\r\n\r\n"), 0, true, 'l' },
	{ S("a\n\r.\r\n.\r\n"), S("a\r\n .\r\n"), 0, true, 'b' },
	{ S("\0\r\n.\r\n"), S(""), 0, true, 'n' },
	{ S("a\0"), S(""), 0, false, 'n' },
	{ S("a\r\n.\n.\r\n.\r\n"), S("a\r\n"), 0, true, 'l' },
};

/* A lenient listener; what begins with CRLF is as above. */
static const struct sample lenient[] = {
	{ S("a\nb\n.\nQ"), S("a\r\nb\r\n"), 1, true, 0 },
	{ S("a\n\nb\n..\n.c\n.\n"), S("a\r\n\r\nb\r\n.\r\nc\r\n"), 0, true, 0 },
	{ S(".\nQ"), S(""), 1, true, 0 },
	{ S("..a\n.\nQ"), S(".a\r\n"), 1, true, 0 },
	{ S("\n.\nQ"), S("\r\n"), 1, true, 0 },
	/* with or without a CR */
	{ S("a\nb\r\n.\nQ"), S("a\r\nb\r\n"), 1, true, 0 },
	{ S("a\nb\n.\r\nQ"), S("a\r\nb\r\n"), 1, true, 0 },
	{ S("a\nb\r\n.\r\nQ"), S("a\r\nb\r\n"), 1, true, 0 },
	/* but a CR alone stays none */
	{ S("a\nb\r.\n.\nQ"), S("a\r\nb .\r\n"), 1, true, 'r' },
	{ S("a\n.\rb\n.\nQ"), S("a\r\n b\r\n"), 1, true, 'r' },
	{ S("a\n.\r\r\n.\nQ"), S("a\r\n \r\n"), 1, true, 'r' },
	{ S("a\n\0.\n.\nQ"), S(""), 1, true, 'n' },
	/* the first line decides: CRLF, and all of the strict ones hold */
	{ S("a\r\nb\n.\nc\r\n.\r\nQ"), S("a\r\nb\r\nc\r\n"), 1, true, 'l' },
	{ S("a\r\nb\n.\rc\r\n.\r\n"), S("a\r\nb\r\n. c\r\n"), 0, true, 'b' },
	{ S("a\r\nb\r.\nc\r\n.\r\n"), S("a\r\nb .\r\nc\r\n"), 0, true, 'B' },
	{ S("a\r\nb\r.\rc\r\n.\r\n"), S("a\r\nb . c\r\n"), 0, true, 'r' },
	{ S("a\r\nb\n.\r\nc\r\n.\r\n"), S("a\r\nb\r\nc\r\n"), 0, true, 'l' },
	{ S("a\r\nb\r.\r\nc\r\n.\r\n"), S("a\r\nb .\r\nc\r\n"), 0, true, 'r' },
	{ S("a\r\n\0.\r\nc\r\n.\r\n"), S(""), 0, true, 'n' },
	{ S("a\r\nb\r\n.\r\r\nc\r\n.\r\n"), S("a\r\nb\r\n \r\nc\r\n"), 0, true,
	    'r' },
	{ S("a\r\nb\r\r\n.\r\r\n.\r\n"), S("a\r\nb \r\n \r\n"), 0, true, 'r' },
	{ S("a\r\n.\nb\r\n.\r\n"), S("a\r\nb\r\n"), 0, true, 'l' },
	{ S("a\r\r\nb\n.\nc\r\n.\r\n"), S("a \r\nb\r\nc\r\n"), 0, true, 'B' },
};

/* Of BDAT: everything is content, and it may end anywhere. */
static const struct sample chunks[] = {
	{ S(""), S(""), 0, true, 0 },
	{ S("a"), S("a\r\n"), 0, true, 0 },
	{ S("a\r\n"), S("a\r\n"), 0, true, 0 },
	{ S("a\r"), S("a \r\n"), 0, true, 'r' },
	{ S("a\n"), S("a\r\n"), 0, true, 'l' },
	{ S("."), S(".\r\n"), 0, true, 0 },
	{ S(".\r\n"), S(".\r\n"), 0, true, 0 },
	{ S("a\r\n..\r\n.\r\n.b\r\n"), S("a\r\n..\r\n.\r\n.b\r\n"), 0, true,
	    0 },
	/* the same sequences: no bare CR, bare LF or NUL is stored */
	{ S("a\n.\nb\r\n"), S("a\r\n.\r\nb\r\n"), 0, true, 'l' },
	{ S("a\n.\rb\r\n"), S("a\r\n. b\r\n"), 0, true, 'b' },
	{ S("a\r.\nb\r\n"), S("a .\r\nb\r\n"), 0, true, 'B' },
	{ S("a\r.\rb\r\n"), S("a . b\r\n"), 0, true, 'r' },
	{ S("a\n.\r\nb\r\n"), S("a\r\n.\r\nb\r\n"), 0, true, 'l' },
	{ S("a\r.\r\nb\r\n"), S("a .\r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\n\0.\r\nb\r\n"), S(""), 0, true, 'n' },
	{ S("a\r\n.\r\r\nb\r\n"), S("a\r\n. \r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\r\n.\r\r\nb\r\n"), S("a \r\n. \r\nb\r\n"), 0, true, 'r' },
	{ S("a\r\r\r\n\n\n"), S("a  \r\n\r\n\r\n"), 0, true, 'B' },
};

static void feed(
    struct smtp_data *d, struct span *left, size_t len, struct buf *out)
{
	struct span piece = span_first(*left, len);
	size_t used;

	if (d->state == SMTP_DATA_DONE)
		return;
	/* Its own memory, so that a read past the end is seen. */
	char *copy = malloc(piece.len + 1);
	memcpy(copy, piece.ptr, piece.len);
	used = smtp_data_feed(d, span_make(copy, piece.len), out);
	free(copy);
	ck_assert(used == piece.len || d->state == SMTP_DATA_DONE);
	*left = span_from(*left, used);
}

static void check_flags(const struct sample *s, const struct smtp_data *d)
{
	bool has_both = s->flags == 'b' || s->flags == 'B';

	ck_assert_int_eq(d->has_nul, s->flags == 'n');
	if (s->flags == 'n')
		return;
	ck_assert_int_eq(d->has_bare_lf, s->flags == 'l' || has_both);
	ck_assert_int_eq(d->has_bare_cr, s->flags == 'r' || has_both);
	if (s->flags == 0)
		ck_assert_int_eq(d->first_bare, 0);
	else if (s->flags == 'l' || s->flags == 'b')
		ck_assert_int_eq(d->first_bare, '\n');
	else
		ck_assert_int_eq(d->first_bare, '\r');
}

static void check(const struct sample *s, enum smtp_data_kind kind,
    const size_t *cuts, size_t count)
{
	struct smtp_data d;
	struct span left = s->in;
	struct buf out;

	smtp_data_init(&d, kind);
	buf_init(&out, 4096);
	for (size_t i = 0; i < count; i++)
		feed(&d, &left, cuts[i], &out);
	feed(&d, &left, left.len, &out);
	if (kind == SMTP_DATA_CHUNKS)
		smtp_data_end(&d, &out);
	ck_assert_int_eq(d.state == SMTP_DATA_DONE, s->is_done);
	ck_assert_uint_eq(left.len, s->left);
	ck_assert(span_eq(buf_span(&out), s->out));
	check_flags(s, &d);
	buf_finish(&out);
}

/* In two and three pieces, and byte by byte. */
static void check_cuts(const struct sample *s, enum smtp_data_kind kind)
{
	size_t n = s->in.len, ones[64];

	for (size_t a = 0; a <= n; a++)
		for (size_t b = 0; a + b <= n; b++)
			check(s, kind, (size_t[]){ a, b }, 2);
	for (size_t i = 0; i < n; i++)
		ones[i] = 1;
	check(s, kind, ones, n);
}

START_TEST(is_the_same_at_every_cut)
{
	check_cuts(&samples[_i], SMTP_DATA_STRICT);
}
END_TEST

START_TEST(lf_ends_what_began_with_it_on_a_lenient_listener_only)
{
	check_cuts(&lenient[_i], SMTP_DATA_LENIENT);
}
END_TEST

START_TEST(chunks_have_no_dots_and_the_same_line_ends)
{
	check_cuts(&chunks[_i], SMTP_DATA_CHUNKS);
}
END_TEST

/* A slow machine in the obvious form, to compare with. */
static void slow(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		bool is_crlf = in.ptr[i] == '\r' && i + 1 < in.len &&
			       in.ptr[i + 1] == '\n';

		if (is_crlf) {
			(void)buf_add_str(out, "\r\n");
			i++;
			if (i + 1 < in.len && in.ptr[i + 1] == '.')
				i++; /* stuffed: no end inside here */
		} else if (in.ptr[i] == '\n') {
			(void)buf_add_str(out, "\r\n");
		} else {
			(void)buf_add(
			    out, in.ptr[i] == '\r' ? " " : in.ptr + i, 1);
		}
	}
}

/*
 * Random text of the bytes that matter, without a line of one dot: short and
 * cut often, and long with plain stretches, so that every way through it is
 * taken after every other.
 */
static const struct {
	int rounds;
	size_t size, piece_max;
	unsigned stretches; /* of 16 */
} mixes[] = { { 20000, 200, 40, 0 }, { 1000, 8000, 3000, 1 },
	{ 1000, 8000, 3000, 4 } };

START_TEST(agrees_with_the_obvious_machine)
{
	static const char letters[] = "ab\r\n\n.xyz";
	unsigned seed = 12345;
	char text[8000];

	for (int round = 0; round < mixes[_i].rounds; round++) {
		struct smtp_data d;
		struct buf fast, plain;
		size_t len = 0;

		while (len < mixes[_i].size - 8) {
			seed = seed * 1103515245 + 12345;
			char c = letters[(seed >> 16) % 9];
			if ((seed >> 20) % 16 < mixes[_i].stretches)
				for (unsigned n = (seed >> 24) % 128;
				     n > 0 && len < mixes[_i].size - 8; n--)
					text[len++] = 'p';
			/* Dots only where they are stuffed or inside. */
			if (c == '.' && len > 0 && text[len - 1] == '\n') {
				text[len++] = '.';
				text[len++] = 'q';
				continue;
			}
			if (c == '.' && len == 0)
				c = 'a';
			text[len++] = c;
		}
		text[len++] = 'e';
		memcpy(text + len, "\r\n.\r\n", 5);
		smtp_data_init(&d, SMTP_DATA_STRICT);
		buf_init(&fast, 2 * sizeof(text));
		buf_init(&plain, 2 * sizeof(text));
		struct span all = span_make(text, len + 5);
		for (size_t at = 0;
		     at < all.len && d.state != SMTP_DATA_DONE;) {
			seed = seed * 1103515245 + 12345;
			struct span piece = span_first(span_from(all, at),
			    1 + (seed >> 12) % mixes[_i].piece_max);
			at += smtp_data_feed(&d, piece, &fast);
		}
		ck_assert_int_eq(d.state, SMTP_DATA_DONE);
		slow(span_make(text, len + 2), &plain);
		ck_assert(span_eq(buf_span(&fast), buf_span(&plain)));
		buf_finish(&fast);
		buf_finish(&plain);
	}
}
END_TEST

/* A NUL within the maximum, or behind what exceeds it; all in one piece. */
START_TEST(the_first_that_rules_it_out_counts)
{
	const struct {
		struct span text;
		bool has_nul;
	} rows[] = {
		{ SPAN("12\0"
		       "4567890\r\n.\r\n"),
		    true },
		{ SPAN("1234567\0"
		       "90\r\n.\r\n"),
		    false },
	};
	struct smtp_data d;
	struct buf out;

	smtp_data_init(&d, SMTP_DATA_STRICT);
	buf_init(&out, 5);
	(void)smtp_data_feed(&d, rows[_i].text, &out);
	ck_assert_int_eq(d.state, SMTP_DATA_DONE);
	ck_assert_int_eq(d.has_nul, rows[_i].has_nul);
	ck_assert_int_eq(d.is_too_large, !rows[_i].has_nul);
	buf_finish(&out);
}
END_TEST

START_TEST(drops_what_is_too_large_and_finds_its_end)
{
	struct smtp_data d;
	struct buf out;
	char big[1000];

	smtp_data_init(&d, SMTP_DATA_STRICT);
	buf_init(&out, 999);
	memset(big, 'x', sizeof(big));
	ck_assert_uint_eq(smtp_data_feed(&d, span_make(big, 999), &out), 999);
	ck_assert(smtp_data_is_good(&d));
	ck_assert_uint_eq(smtp_data_feed(&d, SPAN("x\r\n"), &out), 3);
	ck_assert(d.is_too_large);
	ck_assert(!smtp_data_is_good(&d));
	ck_assert_uint_eq(buf_len(&out), 0);
	ck_assert_ptr_null(out.data); /* the memory is free already */
	ck_assert_uint_eq(
	    smtp_data_feed(&d, SPAN("\n.\nno\r\n.\r\nQ"), &out), 10);
	ck_assert_int_eq(d.state, SMTP_DATA_DONE);
	buf_finish(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("data");
	TCase *tc = tcase_create("content");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, is_the_same_at_every_cut, 0,
	    (int)(sizeof(samples) / sizeof(samples[0])));
	tcase_add_loop_test(tc,
	    lf_ends_what_began_with_it_on_a_lenient_listener_only, 0,
	    (int)(sizeof(lenient) / sizeof(lenient[0])));
	tcase_add_loop_test(tc, chunks_have_no_dots_and_the_same_line_ends, 0,
	    (int)(sizeof(chunks) / sizeof(chunks[0])));
	tcase_add_loop_test(tc, agrees_with_the_obvious_machine, 0,
	    (int)(sizeof(mixes) / sizeof(mixes[0])));
	tcase_add_loop_test(tc, the_first_that_rules_it_out_counts, 0, 2);
	tcase_add_test(tc, drops_what_is_too_large_and_finds_its_end);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
