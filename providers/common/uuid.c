/* See uuid.h: bytes of a digest, with version and variant set. */
#include <common/uuid.h>

#include <common/str.h>

#include <stdio.h>

void uuid_of(
    const struct postern_host *host, const char *text, char out[UUID_SIZE])
{
	uint8_t b[32];

	host->sha256(str_of(text), b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	(void)snprintf(out, UUID_SIZE,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
}
