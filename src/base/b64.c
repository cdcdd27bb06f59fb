/* Base64 and hexadecimal, strict in what they read. Any thread. */
#include <base/b64.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The two characters of every 12 bits: whole messages are encoded. */
static char pairs[4096][2];

static void fill_pairs(void)
{
	for (size_t i = 0; i < 4096; i++) {
		pairs[i][0] = alphabet[i >> 6];
		pairs[i][1] = alphabet[i & 63];
	}
}

size_t b64_encode(const void *data, size_t len, char *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *in = data;
	char *at = out;

	(void)pthread_once(&once, fill_pairs);
	for (; len >= 3; len -= 3, in += 3, at += 4) {
		uint32_t word =
		    (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		memcpy(at, pairs[word >> 12], 2);
		memcpy(at + 2, pairs[word & 4095], 2);
	}
	if (len > 0) {
		unsigned second = len > 1 ? in[1] : 0;
		*at++ = alphabet[in[0] >> 2];
		*at++ = alphabet[(in[0] & 3u) << 4 | second >> 4];
		*at++ = len > 1 ? alphabet[(second & 15) << 2] : '=';
		*at++ = '=';
	}
	return (size_t)(at - out);
}

/* The value of a character, or something with bit 6 set. */
static uint32_t value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : 64;
}

/* Decode the last four characters, of which pad are '='. */
static ptrdiff_t decode_last(const char *in, size_t pad, uint8_t *out)
{
	uint32_t a = value_of(in[0]), b = value_of(in[1]);
	uint32_t c = pad > 1 ? 0 : value_of(in[2]);
	uint32_t d = pad > 0 ? 0 : value_of(in[3]);

	if ((a | b | c | d) & 64)
		return -EINVAL;
	if ((pad == 2 && b & 15) || (pad == 1 && c & 3))
		return -EINVAL;
	uint32_t word = a << 18 | b << 12 | c << 6 | d;
	for (size_t i = 0; i + pad < 3; i++)
		out[i] = (uint8_t)(word >> (16 - 8 * i));
	return (ptrdiff_t)(3 - pad);
}

ptrdiff_t b64_decode(struct span text, void *out)
{
	const char *in = text.ptr;
	uint8_t *at = out;
	size_t pad = 0;

	if (text.len == 0)
		return 0;
	if (text.len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && in[text.len - 1 - pad] == '=')
		pad++;
	for (size_t left = text.len; left > 4; left -= 4, in += 4, at += 3) {
		uint32_t a = value_of(in[0]), b = value_of(in[1]);
		uint32_t c = value_of(in[2]), d = value_of(in[3]);
		if ((a | b | c | d) & 64)
			return -EINVAL;
		at[0] = (uint8_t)(a << 2 | b >> 4);
		at[1] = (uint8_t)(b << 4 | c >> 2);
		at[2] = (uint8_t)(c << 6 | d);
	}
	ptrdiff_t last = decode_last(in, pad, at);
	return last < 0 ? last : (at - (uint8_t *)out) + last;
}

/* The character base64 has in its place; '=' for one that is neither's. */
static char from_url(char c)
{
	if (c == '-')
		return '+';
	if (c == '_')
		return '/';
	return c == '+' || c == '/' ? '=' : c;
}

ptrdiff_t b64url_decode(struct span text, void *out)
{
	uint8_t *at = out;

	if (text.len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t n = text.len - i < 4 ? text.len - i : 4;
		char group[4] = { '=', '=', '=', '=' };

		for (size_t j = 0; j < n; j++)
			group[j] = from_url(text.ptr[i + j]);
		ptrdiff_t len = decode_last(group, 4 - n, at);
		if (len < 0)
			return len;
		at += len;
	}
	return at - (uint8_t *)out;
}

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}
