#include <base/crc32c_internal.h>
#include <base/hash.h>

#include <support/unit.h>

static uint8_t bytes[1024];

static void setup(void)
{
	uint32_t random = 1;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		random = random * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(random >> 24);
	}
}

/* RFC 3720 B.4 and the usual check value. */
START_TEST(gives_the_published_values)
{
	uint8_t block[32] = { 0 };

	ck_assert_uint_eq(hash_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(hash_crc32c(0, block, 32), 0x8a9136aa);
	memset(block, 0xff, 32);
	ck_assert_uint_eq(hash_crc32c(0, block, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		block[i] = i;
	ck_assert_uint_eq(hash_crc32c(0, block, 32), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		block[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(hash_crc32c(0, block, 32), 0x113fdb5c);
	ck_assert_uint_eq(hash_crc32c(0, NULL, 0), 0);
}
END_TEST

START_TEST(tables_and_hardware_agree)
{
	if (!crc32c_has_hardware())
		return;
	for (size_t start = 0; start < 16; start++) {
		for (size_t len = 0; len + start <= 200; len++)
			ck_assert_uint_eq(
			    crc32c_table((uint32_t)len, bytes + start, len),
			    crc32c_hardware((uint32_t)len, bytes + start, len));
	}
	ck_assert_uint_eq(crc32c_table(0, bytes, sizeof(bytes)),
	    crc32c_hardware(0, bytes, sizeof(bytes)));
}
END_TEST

START_TEST(continues_where_it_was)
{
	uint32_t whole = hash_crc32c(0, bytes, sizeof(bytes));

	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t crc = hash_crc32c(0, bytes, cut);
		crc = hash_crc32c(crc, bytes + cut, sizeof(bytes) - cut);
		ck_assert_uint_eq(crc, whole);
		crc = crc32c_table(0, bytes, cut);
		crc = crc32c_table(crc, bytes + cut, sizeof(bytes) - cut);
		ck_assert_uint_eq(crc, whole);
	}
}
END_TEST

START_TEST(sees_every_flipped_bit)
{
	uint32_t whole = hash_crc32c(0, bytes, 128);

	for (size_t bit = 0; bit < 128 * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(hash_crc32c(0, bytes, 128), whole);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(joins_the_sums_of_two_parts)
{
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 61) {
		size_t rest = sizeof(bytes) - cut;
		ck_assert_uint_eq(hash_crc32c_join(hash_crc32c(0, bytes, cut),
				      hash_crc32c(0, bytes + cut, rest), rest),
		    hash_crc32c(0, bytes, sizeof(bytes)));
	}
	ck_assert_uint_eq(hash_crc32c_join(0x1234, 0, 0), 0x1234);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/crc32c");
	TCase *t = tcase_create("crc32c");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, gives_the_published_values);
	tcase_add_test(t, tables_and_hardware_agree);
	tcase_add_test(t, continues_where_it_was);
	tcase_add_test(t, sees_every_flipped_bit);
	tcase_add_test(t, joins_the_sums_of_two_parts);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
