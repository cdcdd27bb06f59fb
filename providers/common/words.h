/* Display names as encoded words (RFC 2047), where UTF-8 gets damaged. */
#pragma once

#include <common/text.h>
#include <common/writer.h>

/*
 * Append text as words of at most 75 characters in base64, with that between
 * two of them: white space, or a fold.
 */
void words_add(struct text *t, struct postern_str text, const char *between);
/*
 * Append text to the string that is being written: as it is when it is ASCII,
 * else as words.
 */
void words_write(struct writer *w, struct postern_str text);
