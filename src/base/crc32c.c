/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78): with the processor's
 * instruction where it has one, else eight bytes at a time from tables built
 * at first use.
 */
#include "crc32c_internal.h"

#include <base/hash.h>

#include <pthread.h>

#define POLYNOMIAL UINT32_C(0x82f63b78) /* bit 31 is x^0 */

static uint32_t tables[8][256];

static void fill_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		tables[0][i] = crc;
	}
	for (size_t t = 1; t < 8; t++) {
		for (size_t i = 0; i < 256; i++) {
			uint32_t crc = tables[t - 1][i];
			tables[t][i] = crc >> 8 ^ tables[0][crc & 0xff];
		}
	}
}

static uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

uint32_t crc32c_table(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *in = data;

	(void)pthread_once(&once, fill_tables);
	crc = ~crc;
	for (; len >= 8; len -= 8, in += 8) {
		uint32_t a = crc ^ load_le32(in), b = load_le32(in + 4);
		crc = tables[7][a & 0xff] ^ tables[6][a >> 8 & 0xff] ^
		      tables[5][a >> 16 & 0xff] ^ tables[4][a >> 24] ^
		      tables[3][b & 0xff] ^ tables[2][b >> 8 & 0xff] ^
		      tables[1][b >> 16 & 0xff] ^ tables[0][b >> 24];
	}
	for (; len > 0; len--, in++)
		crc = crc >> 8 ^ tables[0][(crc ^ *in) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

bool crc32c_has_hardware(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) uint32_t crc32c_hardware(
    uint32_t crc, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint64_t state = (uint32_t)~crc, word;

	for (; len >= 8; len -= 8, in += 8) {
		memcpy(&word, in, 8);
		state = _mm_crc32_u64(state, word);
	}
	uint32_t tail = (uint32_t)state;
	for (; len > 0; len--, in++)
		tail = _mm_crc32_u8(tail, *in);
	return ~tail;
}

#else

bool crc32c_has_hardware(void)
{
	return false;
}

uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t len)
{
	return crc32c_table(crc, data, len);
}

#endif

uint32_t hash_crc32c(uint32_t crc, const void *data, size_t len)
{
	return crc32c_has_hardware() ? crc32c_hardware(crc, data, len)
				     : crc32c_table(crc, data, len);
}

/* Modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
	}
	return product;
}

/* Bytes behind a multiply its CRC by x^8 each. */
uint32_t hash_crc32c_join(uint32_t a, uint32_t b, uint64_t len_b)
{
	uint32_t power = UINT32_C(1) << (31 - 8);

	for (; len_b > 0; len_b >>= 1) {
		if (len_b & 1)
			a = multiply(a, power);
		power = multiply(power, power);
	}
	return a ^ b;
}
