/* Where a body lies. */
#pragma once

#include <stdint.h>

struct place {
	uint32_t segment; /* 0 = nowhere */
	uint64_t offset, size;
	uint64_t header_size; /* of size, the part up to the empty line */
	uint32_t crc;         /* CRC32C over all of it */
};
