#include <common/base64.h>

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a digit, or -1. */
static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* How many '=' the last group ends with. */
static size_t padding_of(struct postern_str text)
{
	size_t n = 0;

	while (n < 2 && n < text.len && text.ptr[text.len - 1 - n] == '=')
		n++;
	return n;
}

bool base64_decode(
    struct postern_str text, uint8_t *out, size_t max, size_t *out_len)
{
	size_t digits = text.len - padding_of(text), len = 0;
	uint32_t bits = 0;
	unsigned count = 0;

	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < digits; i++) {
		int value = value_of(text.ptr[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (len == max)
			return false;
		out[len++] = (uint8_t)(bits >> count);
		bits &= (1u << count) - 1;
	}
	*out_len = len;
	return bits == 0;
}

const char *base64_url(const struct postern_host *host,
    struct postern_request *r, struct postern_str data)
{
	const char *standard = host->base64(r, data);
	size_t len = standard ? strcspn(standard, "=") : 0;
	char *out = host->alloc(r, len + 1);

	for (size_t i = 0; standard && out && i < len; i++) {
		char c = standard[i];
		out[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	return standard ? out : NULL;
}
