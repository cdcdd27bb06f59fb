/*
 * Strict UTF-8 decoding: whatever is stored, logged or sent as text passes
 * through here, so nothing a peer calls text can carry a second meaning.
 */
#include <base/utf8.h>

/* Length and payload of a lead byte; 0 for a byte that cannot lead. */
static size_t lead(uint8_t byte, uint32_t *payload)
{
	if (byte < 0x80) {
		*payload = byte;
		return 1;
	}
	if (byte >= 0xc2 && byte <= 0xdf) {
		*payload = byte & 0x1f;
		return 2;
	}
	if (byte >= 0xe0 && byte <= 0xef) {
		*payload = byte & 0x0f;
		return 3;
	}
	if (byte >= 0xf0 && byte <= 0xf4) {
		*payload = byte & 0x07;
		return 4;
	}
	return 0;
}

size_t utf8_decode(struct span s, uint32_t *out_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value = 0;
	size_t len = s.len ? lead((uint8_t)s.ptr[0], &value) : 0;

	if (len == 0 || len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		uint8_t byte = (uint8_t)s.ptr[i];
		if ((byte & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte & 0x3f);
	}
	if (value < least[len] || value > 0x10ffff)
		return 0;
	if (value >= 0xd800 && value <= 0xdfff)
		return 0;
	*out_char = value;
	return len;
}
