#include <base/utf8.h>

#include <support/unit.h>

struct decode_case {
	struct span text;
	size_t len; /* 0 = refused */
	uint32_t value;
};

/* The corners of RFC 3629's syntax, section 4. */
static const struct decode_case cases[] = {
	{ { "", 0 }, 0, 0 },
	{ { "\0", 1 }, 1, 0 },
	{ { "a", 1 }, 1, 'a' },
	{ { "\x7f", 1 }, 1, 0x7f },
	{ { "\x80", 1 }, 0, 0 },
	{ { "\xbf", 1 }, 0, 0 },
	{ { "\xc0\x80", 2 }, 0, 0 },
	{ { "\xc1\xbf", 2 }, 0, 0 },
	{ { "\xc2\x80", 2 }, 2, 0x80 },
	{ { "\xc2", 1 }, 0, 0 },
	{ { "\xc2\x41", 2 }, 0, 0 },
	{ { "\xc2\xc2", 2 }, 0, 0 },
	{ { "\xdf\xbf", 2 }, 2, 0x7ff },
	{ { "\xe0\x9f\xbf", 3 }, 0, 0 },
	{ { "\xe0\xa0\x80", 3 }, 3, 0x800 },
	{ { "\xe2\x82\xac", 3 }, 3, 0x20ac },
	{ { "\xe2\x82", 2 }, 0, 0 },
	{ { "\xed\x9f\xbf", 3 }, 3, 0xd7ff },
	{ { "\xed\xa0\x80", 3 }, 0, 0 },
	{ { "\xed\xbf\xbf", 3 }, 0, 0 },
	{ { "\xee\x80\x80", 3 }, 3, 0xe000 },
	{ { "\xef\xbf\xbf", 3 }, 3, 0xffff },
	{ { "\xf0\x8f\xbf\xbf", 4 }, 0, 0 },
	{ { "\xf0\x90\x80\x80", 4 }, 4, 0x10000 },
	{ { "\xf0\x9f\x93\xa7", 4 }, 4, 0x1f4e7 },
	{ { "\xf0\x9f\x93", 3 }, 0, 0 },
	{ { "\xf4\x8f\xbf\xbf", 4 }, 4, 0x10ffff },
	{ { "\xf4\x90\x80\x80", 4 }, 0, 0 },
	{ { "\xf5\x80\x80\x80", 4 }, 0, 0 },
	{ { "\xff", 1 }, 0, 0 },
	{ { "ab", 2 }, 1, 'a' },
};

START_TEST(decodes_exactly_what_is_well_formed)
{
	const struct decode_case *c = &cases[_i];
	uint32_t value = 0xdead;

	ck_assert_uint_eq(utf8_decode(c->text, &value), c->len);
	ck_assert_uint_eq(value, c->len ? c->value : 0xdead);
}
END_TEST

static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

START_TEST(every_code_point_survives)
{
	for (uint32_t c = 0; c < 0x120000; c++) {
		char text[4];
		uint32_t value = 0;
		size_t len = encode(c, text);
		bool is_char = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		size_t got = utf8_decode(span_make(text, len), &value);
		if (got != (is_char ? len : 0) || (is_char && value != c))
			ck_abort_msg("U+%04X", (unsigned)c);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/utf8");
	TCase *t = tcase_create("decode");

	tcase_add_loop_test(t, decodes_exactly_what_is_well_formed, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, every_code_point_survives);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
