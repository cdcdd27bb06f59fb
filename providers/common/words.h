/* Display names as encoded words (RFC 2047), for APIs that damage others. */
#pragma once

#include <common/writer.h>

/*
 * Append text to the string that is being written: as it is when it is ASCII,
 * else as words of at most 75 characters in base64.
 */
void words_write(struct writer *w, struct postern_str text);
