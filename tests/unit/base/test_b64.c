#include <base/b64.h>

#include <support/unit.h>

#include <errno.h>
#include <stdint.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* RFC 4648 section 10, and bytes with the high bit set. */
static const struct codec_case {
	struct span data;
	const char *text;
} codec_cases[] = {
	{ { "", 0 }, "" },
	{ { "f", 1 }, "Zg==" },
	{ { "fo", 2 }, "Zm8=" },
	{ { "foo", 3 }, "Zm9v" },
	{ { "foob", 4 }, "Zm9vYg==" },
	{ { "fooba", 5 }, "Zm9vYmE=" },
	{ { "foobar", 6 }, "Zm9vYmFy" },
	{ { "\0", 1 }, "AA==" },
	{ { "\0\0", 2 }, "AAA=" },
	{ { "\xff", 1 }, "/w==" },
	{ { "\xfb\xef\xbe", 3 }, "++++" },
	{ { "\xff\xff\xff", 3 }, "////" },
	{ { "\0user\0pass", 10 }, "AHVzZXIAcGFzcw==" },
};

START_TEST(encodes_and_decodes)
{
	const struct codec_case *c = &codec_cases[_i];
	char text[64], data[64];
	size_t len = b64_encode(c->data.ptr, c->data.len, text);

	ck_assert_uint_eq(len, b64_encoded_len(c->data.len));
	ck_assert(span_eq(span_make(text, len), span_of(c->text)));
	ptrdiff_t n = b64_decode(span_of(c->text), data);
	ck_assert_int_eq(n, (ptrdiff_t)c->data.len);
	ck_assert(span_eq(span_make(data, (size_t)n), c->data));
}
END_TEST

static const char *const bad_texts[] = {
	"Z",
	"Zg",
	"Zg=",
	"Zg===",
	"=",
	"==",
	"===",
	"====",
	"A===",
	"=AAA",
	"A=AA",
	"AA=A",
	"Zg==Zg==",
	"Zm9v====",
	"Zh==", /* trailing bits */
	"Zm9=",
	"Zm9v\n",
	"Zm9v\r\nZm9v",
	" Zm9v",
	"Zm 9vZm9",
	"Zm-v",
	"Zm_v",
	"Zm9\xc3",
	"@m9v",
	"[m9v",
	"`m9v",
	"{m9v",
	".m9v",
	":m9v",
	"Zm9v*m9v",
	"Zm9vZm*v",
};

START_TEST(refuses_what_is_not_strict)
{
	char data[64];
	ck_assert_int_eq(b64_decode(span_of(bad_texts[_i]), data), -EINVAL);
}
END_TEST

START_TEST(refuses_a_nul)
{
	char data[8];
	ck_assert_int_eq(b64_decode(SPAN("Zm9\0"), data), -EINVAL);
	ck_assert_int_eq(b64_decode(SPAN("\0m9vZm9v"), data), -EINVAL);
}
END_TEST

/* The promised sizes exactly, so that a sanitizer sees one byte too many. */
START_TEST(writes_no_more_than_promised)
{
	uint8_t data[256];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167);
	for (size_t len = 1; len <= sizeof(data); len++) {
		size_t text_len = b64_encoded_len(len);
		char *text = malloc(text_len);
		uint8_t *back = malloc(text_len / 4 * 3);
		ck_assert_ptr_nonnull(text);
		ck_assert_ptr_nonnull(back);
		ck_assert_uint_eq(b64_encode(data, len, text), text_len);
		ck_assert_int_eq(b64_decode(span_make(text, text_len), back),
		    (ptrdiff_t)len);
		ck_assert_mem_eq(back, data, len);
		free(text);
		free(back);
	}
}
END_TEST

/* What decodes must be the one spelling of its bytes. */
START_TEST(accepts_only_the_canonical_text)
{
	static const char chars[] = "AQgw/9+=Zz*";
	char in[4], back[4];
	uint8_t data[3];
	size_t n = sizeof(chars) - 1;

	for (size_t i = 0; i < n * n * n * n; i++) {
		in[0] = chars[i % n];
		in[1] = chars[i / n % n];
		in[2] = chars[i / n / n % n];
		in[3] = chars[i / n / n / n];
		ptrdiff_t len = b64_decode(span_make(in, 4), data);
		if (len < 0)
			continue;
		ck_assert_uint_eq(b64_encode(data, (size_t)len, back), 4);
		ck_assert_mem_eq(in, back, 4);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *bytes; /* NULL: refused */
} url_cases[] = {
	{ "", "" },
	{ "QQ", "A" },
	{ "QUI", "AB" },
	{ "QUJD", "ABC" },
	{ "QUJDRA", "ABCD" },
	{ "-_-_", "\xfb\xff\xbf" },
	{ "Q", NULL },
	{ "QQ==", NULL },
	{ "QUI=", NULL },
	{ "+/+/", NULL },
	{ "QR", NULL }, /* bits that mean nothing */
	{ "QUJ", NULL },
	{ "Q Q", NULL },
	{ "QUJDR", NULL },
	{ "QUJD\n", NULL },
	{ "QU=D", NULL },
};

START_TEST(decodes_the_url_alphabet_strictly)
{
	struct span text = span_of(url_cases[_i].text);
	const char *bytes = url_cases[_i].bytes;
	char out[16];
	ptrdiff_t len = b64url_decode(text, out);

	if (!bytes)
		ck_assert_int_eq(len, -EINVAL);
	else
		ck_assert(span_eq(span_make(out, (size_t)len), span_of(bytes)));
}
END_TEST

START_TEST(writes_hexadecimal)
{
	char text[9];

	hex_encode("\x00\x0f\xa5\xff", 4, text);
	ck_assert_str_eq(text, "000fa5ff");
	hex_encode(NULL, 0, text);
	ck_assert_str_eq(text, "");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/b64");
	TCase *t = tcase_create("b64");

	tcase_add_loop_test(t, encodes_and_decodes, 0, COUNT(codec_cases));
	tcase_add_loop_test(t, refuses_what_is_not_strict, 0, COUNT(bad_texts));
	tcase_add_test(t, refuses_a_nul);
	tcase_add_test(t, writes_no_more_than_promised);
	tcase_add_test(t, accepts_only_the_canonical_text);
	tcase_add_loop_test(
	    t, decodes_the_url_alphabet_strictly, 0, COUNT(url_cases));
	tcase_add_test(t, writes_hexadecimal);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
