/* PROXY headers, good and hostile, whole and in every split. */
#include <net/proxy.h>

#include <base/hash.h>

#include <stdio.h>
#include <string.h>

#include <support/unit.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static char text[NETADDR_TEXT_SIZE];

/* The verdict on all of in; on every shorter part of it, MORE. */
static enum proxy_verdict parse(struct span in, struct proxy_header *h)
{
	enum proxy_verdict verdict = proxy_parse(in, h);
	size_t whole = verdict == PROXY_OK ? h->len : 0;

	for (size_t i = 0; i < whole; i++) {
		struct proxy_header part;
		/* A copy, so that a sanitizer sees who looks too far. */
		char *bytes = span_dup(span_first(in, i));

		ck_assert_int_eq(
		    proxy_parse(span_make(bytes, i), &part), PROXY_MORE);
		free(bytes);
	}
	return verdict;
}

static void expect_bad(struct span in, enum counter_proxy_error error)
{
	struct proxy_header h;

	ck_assert_int_eq(parse(in, &h), PROXY_BAD);
	ck_assert_str_eq(counter_proxy_error_names[h.error],
	    counter_proxy_error_names[error]);
}

/* A header of version 2 under construction. */
struct v2 {
	char bytes[16 + 8192];
	size_t len;
};

static void v2_add(struct v2 *v, const void *bytes, size_t len)
{
	ck_assert_uint_le(v->len + len, sizeof(v->bytes));
	if (len > 0)
		memcpy(v->bytes + v->len, bytes, len);
	v->len += len;
	v->bytes[14] = (char)((v->len - 16) >> 8);
	v->bytes[15] = (char)(v->len - 16);
}

static void v2_begin(struct v2 *v, int command, int family)
{
	memcpy(v->bytes, SIGNATURE, 12);
	v->bytes[12] = (char)command;
	v->bytes[13] = (char)family;
	v->len = 16;
	v2_add(v, NULL, 0);
}

static void v2_begin_v4(struct v2 *v)
{
	v2_begin(v, 0x21, 0x11);
	v2_add(v, "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x02\x4b", 12);
}

static void v2_tlv(struct v2 *v, int type, const void *value, size_t len)
{
	char head[3] = { (char)type, (char)(len >> 8), (char)len };

	v2_add(v, head, sizeof(head));
	v2_add(v, value, len);
}

/* A checksum TLV over what is there, which must be the last one. */
static void v2_seal(struct v2 *v)
{
	v2_tlv(v, 0x03, "\0\0\0\0", 4);
	uint32_t crc = hash_crc32c(0, v->bytes, v->len);

	for (size_t i = 0; i < 4; i++)
		v->bytes[v->len - 4 + i] = (char)(crc >> (24 - 8 * i));
}

static struct span v2_span(const struct v2 *v)
{
	return span_make(v->bytes, v->len);
}

static void expect_v4(const struct proxy_header *h)
{
	ck_assert(!h->is_local);
	ck_assert_str_eq(netaddr_format(&h->source.addr, text), "192.0.2.1");
	ck_assert_uint_eq(h->source.port, 56324);
	ck_assert_str_eq(
	    netaddr_format(&h->destination.addr, text), "198.51.100.2");
	ck_assert_uint_eq(h->destination.port, 587);
}

/* --- version 1 --- */

START_TEST(reads_a_line)
{
	static const char in[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 587"
				 "\r\n\x16\x03\x01";
	struct proxy_header h;

	ck_assert_int_eq(parse(span_make(in, sizeof(in) - 1), &h), PROXY_OK);
	expect_v4(&h);
	ck_assert_uint_eq(h.len, sizeof(in) - 1 - 3);
}
END_TEST

START_TEST(reads_the_longest_line)
{
	struct span in = SPAN("PROXY TCP6 "
			      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			      "65535 65535\r\n");
	struct proxy_header h;

	ck_assert_int_eq(parse(in, &h), PROXY_OK);
	ck_assert_uint_eq(h.len, in.len);
	ck_assert_int_eq(h.source.addr.family, NETADDR_V6);
	ck_assert_uint_eq(h.destination.port, 65535);
}
END_TEST

START_TEST(sees_ipv4_inside_ipv6)
{
	struct proxy_header h;

	ck_assert_int_eq(
	    parse(SPAN("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 0\r\n"), &h),
	    PROXY_OK);
	ck_assert_str_eq(netaddr_format(&h.source.addr, text), "192.0.2.1");
}
END_TEST

START_TEST(keeps_the_socket_when_the_client_is_unknown)
{
	static const char *const lines[] = { "PROXY UNKNOWN\r\n",
		"PROXY UNKNOWN \r\n",
		"PROXY UNKNOWN ffff::1 not what it seems\r\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct proxy_header h;

		ck_assert_int_eq(parse(span_of(lines[i]), &h), PROXY_OK);
		ck_assert(h.is_local);
		ck_assert_uint_eq(h.len, strlen(lines[i]));
	}
}
END_TEST

START_TEST(refuses_lines_that_are_not_exact)
{
	static const char *const lines[] = { "PROXY \r\n", "PROXY TCP4\r\n",
		"PROXY UNKNOWNS\r\n", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.256 1 2\r\n",
		"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
		"PROXY TCP6 [::1] ::1 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_bad(span_of(lines[i]), COUNTER_PROXY_MALFORMED);
}
END_TEST

START_TEST(gives_a_line_up_at_its_limit)
{
	char line[PROXY_V1_MAX + 2];
	struct proxy_header h;

	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	ck_assert_int_eq(
	    proxy_parse(span_make(line, PROXY_V1_MAX - 1), &h), PROXY_MORE);
	expect_bad(span_make(line, PROXY_V1_MAX), COUNTER_PROXY_TOO_LONG);
	memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
	ck_assert_int_eq(parse(span_make(line, PROXY_V1_MAX), &h), PROXY_OK);
	memcpy(line + PROXY_V1_MAX - 1, "\r\n", 2);
	expect_bad(span_make(line, sizeof(line)), COUNTER_PROXY_TOO_LONG);
}
END_TEST

START_TEST(tells_at_once_what_is_no_header)
{
	static const char *const others[] = { "E", "EHLO x\r\n", "\x16\x03\x01",
		"proxy ", "PROXX", "PROXY\r\n", "\r\n\r\n0", "\n", " PROXY" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_bad(span_of(others[i]), COUNTER_PROXY_MISSING);
}
END_TEST

/* --- version 2 --- */

START_TEST(reads_a_block)
{
	struct v2 v;
	struct proxy_header h;

	v2_begin_v4(&v);
	size_t len = v.len;
	/* The client may wait for the greeting. */
	ck_assert_int_eq(parse(span_make(v.bytes, len), &h), PROXY_OK);
	memcpy(v.bytes + len, "\x16\x03\x01", 3);
	ck_assert_int_eq(parse(span_make(v.bytes, len + 3), &h), PROXY_OK);
	ck_assert_uint_eq(h.len, len);
	expect_v4(&h);
}
END_TEST

START_TEST(reads_ipv6)
{
	static const uint8_t names[36] = { 0x20, 0x01, 0x0d,
		0xb8, [15] = 1, [31] = 1, 0xdc, 0x04, 0x02, 0x4b };
	struct v2 v;
	struct proxy_header h;

	v2_begin(&v, 0x21, 0x21);
	v2_add(&v, names, sizeof(names));
	ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
	ck_assert_str_eq(netaddr_format(&h.source.addr, text), "2001:db8::1");
	ck_assert(netaddr_is_local(&h.destination.addr));
	ck_assert_uint_eq(h.source.port, 56324);
	ck_assert_uint_eq(h.destination.port, 587);
}
END_TEST

START_TEST(reads_a_socket_in_the_file_system)
{
	static const char paths[216] = "/run/client";
	struct v2 v;
	struct proxy_header h;

	v2_begin(&v, 0x21, 0x31);
	v2_add(&v, paths, sizeof(paths));
	ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
	ck_assert(!h.is_local);
	ck_assert_int_eq(h.source.addr.family, NETADDR_UNIX);
}
END_TEST

START_TEST(skips_the_block_of_the_proxys_own)
{
	static const struct {
		int command, family;
	} kinds[] = { { 0x20, 0x00 }, { 0x20, 0x11 }, { 0x20, 0xff },
		{ 0x21, 0x00 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct v2 v;
		struct proxy_header h;

		v2_begin(&v, kinds[i].command, kinds[i].family);
		v2_add(&v, "\x03 what it likes", 16);
		ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
		ck_assert(h.is_local);
		ck_assert_uint_eq(h.len, 32);
	}
}
END_TEST

START_TEST(refuses_what_version_2_does_not_have)
{
	static const struct {
		int command, family;
	} kinds[] = { { 0x11, 0x11 }, { 0x31, 0x11 }, { 0x22, 0x11 },
		{ 0x2f, 0x11 }, { 0x00, 0x11 }, { 0x21, 0x12 }, { 0x21, 0x22 },
		{ 0x21, 0x32 }, { 0x21, 0x01 }, { 0x21, 0x10 }, { 0x21, 0x41 },
		{ 0x21, 0xff } };
	static const char zeros[216];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct v2 v;

		v2_begin(&v, kinds[i].command, kinds[i].family);
		v2_add(&v, zeros, sizeof(zeros));
		expect_bad(v2_span(&v), COUNTER_PROXY_MALFORMED);
	}
}
END_TEST

START_TEST(refuses_blocks_too_short_for_their_family)
{
	static const struct {
		int family;
		size_t len;
	} kinds[] = { { 0x11, 0 }, { 0x11, 11 }, { 0x21, 35 }, { 0x31, 215 } };
	static const char zeros[216];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct v2 v;

		v2_begin(&v, 0x21, kinds[i].family);
		v2_add(&v, zeros, kinds[i].len);
		expect_bad(v2_span(&v), COUNTER_PROXY_MALFORMED);
	}
}
END_TEST

START_TEST(caps_the_block_before_it_comes)
{
	static const char zeros[PROXY_BLOCK_MAX];
	struct v2 v;
	struct proxy_header h;

	v2_begin(&v, 0x20, 0);
	v2_add(&v, zeros, sizeof(zeros));
	ck_assert_int_eq(proxy_parse(v2_span(&v), &h), PROXY_OK);
	v2_add(&v, zeros, 1);
	expect_bad(span_make(v.bytes, 16), COUNTER_PROXY_TOO_LONG);
}
END_TEST

START_TEST(verifies_a_checksum)
{
	struct v2 v;
	struct proxy_header h;

	v2_begin_v4(&v);
	v2_tlv(&v, 0x02, "mail.example", 12);
	v2_seal(&v);
	ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
	expect_v4(&h);
	ck_assert(span_eq(h.authority, SPAN("mail.example")));
	for (size_t i = 16; i < v.len; i++) { /* whichever bit flips */
		v.bytes[i] = (char)(v.bytes[i] ^ 0x40);
		/* A TLV that changed its type is no checksum any more. */
		if (i < v.len - 7 || i >= v.len - 4)
			ck_assert_int_eq(
			    proxy_parse(v2_span(&v), &h), PROXY_BAD);
		v.bytes[i] = (char)(v.bytes[i] ^ 0x40);
	}
	v.bytes[v.len - 1] = (char)(v.bytes[v.len - 1] ^ 1);
	expect_bad(v2_span(&v), COUNTER_PROXY_CHECKSUM);
}
END_TEST

START_TEST(verifies_a_checksum_that_others_follow)
{
	struct v2 v;
	struct proxy_header h;

	v2_begin_v4(&v);
	v2_tlv(&v, 0x03, "\0\0\0\0", 4);
	size_t at = v.len - 4;
	v2_tlv(&v, 0x04, "padding", 7);
	uint32_t crc = hash_crc32c(0, v.bytes, v.len);
	for (size_t i = 0; i < 4; i++)
		v.bytes[at + i] = (char)(crc >> (24 - 8 * i));
	ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
}
END_TEST

START_TEST(refuses_checksums_of_another_form)
{
	struct v2 v;

	v2_begin_v4(&v);
	v2_tlv(&v, 0x03, "\0\0\0", 3);
	expect_bad(v2_span(&v), COUNTER_PROXY_MALFORMED);
	v2_begin_v4(&v);
	v2_seal(&v);
	v2_tlv(&v, 0x03, "\0\0\0\0", 4);
	ck_assert_int_eq(
	    proxy_parse(v2_span(&v), &(struct proxy_header){ 0 }), PROXY_BAD);
}
END_TEST

START_TEST(tells_what_the_proxy_saw)
{
	static const char ssl[] = "\x01\0\0\0\0\x21\0\x07TLSv1.3";
	struct v2 v;
	struct proxy_header h;

	v2_begin_v4(&v);
	v2_tlv(&v, 0x20, ssl, sizeof(ssl) - 1);
	v2_tlv(&v, 0xee, "", 0);
	ck_assert_int_eq(parse(v2_span(&v), &h), PROXY_OK);
	ck_assert(span_eq(h.tls_version, SPAN("TLSv1.3")));
}
END_TEST

START_TEST(refuses_cut_values)
{
	static const struct span tails[] = { { "\x02", 1 }, { "\x02\0", 2 },
		{ "\x02\0\x01", 3 },
		{ "\x02\xff\xff"
		  "x",
		    4 },
		{ "\x20\0\x04"
		  "\1\0\0\0",
		    7 },
		{ "\x20\0\x06"
		  "\1\0\0\0\0\x21",
		    9 },
		{ "\x20\0\x09"
		  "\1\0\0\0\0\x21\0\x02x",
		    12 } };

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct v2 v;

		v2_begin_v4(&v);
		v2_add(&v, tails[i].ptr, tails[i].len);
		expect_bad(v2_span(&v), COUNTER_PROXY_MALFORMED);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("proxy");
	TCase *tc = tcase_create("proxy");

	tcase_add_test(tc, reads_a_line);
	tcase_add_test(tc, reads_the_longest_line);
	tcase_add_test(tc, sees_ipv4_inside_ipv6);
	tcase_add_test(tc, keeps_the_socket_when_the_client_is_unknown);
	tcase_add_test(tc, refuses_lines_that_are_not_exact);
	tcase_add_test(tc, gives_a_line_up_at_its_limit);
	tcase_add_test(tc, tells_at_once_what_is_no_header);
	tcase_add_test(tc, reads_a_block);
	tcase_add_test(tc, reads_ipv6);
	tcase_add_test(tc, reads_a_socket_in_the_file_system);
	tcase_add_test(tc, skips_the_block_of_the_proxys_own);
	tcase_add_test(tc, refuses_what_version_2_does_not_have);
	tcase_add_test(tc, refuses_blocks_too_short_for_their_family);
	tcase_add_test(tc, caps_the_block_before_it_comes);
	tcase_add_test(tc, verifies_a_checksum);
	tcase_add_test(tc, verifies_a_checksum_that_others_follow);
	tcase_add_test(tc, refuses_checksums_of_another_form);
	tcase_add_test(tc, tells_what_the_proxy_saw);
	tcase_add_test(tc, refuses_cut_values);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
