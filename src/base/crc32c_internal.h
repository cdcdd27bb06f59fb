/* The two ways of computing a CRC32C, for hash_crc32c and its test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both continue a finished CRC, like hash_crc32c. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t len);
/* Only where crc32c_has_hardware(). */
uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t len);
bool crc32c_has_hardware(void);
