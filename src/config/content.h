/*
 * Words of the configuration that stand for bits: what a message holds that
 * not every provider can carry (signed, encrypted, dkim, ...), and which fields
 * that steer providers a user may write.
 */
#pragma once

#include <base/span.h>

struct content_word {
	const char *word; /* NULL behind the last */
	unsigned bits;
};

extern const struct content_word content_words[];    /* POSTERN_CARRIES_* */
extern const struct content_word content_controls[]; /* CONFIG_CONTROL_* */

/* 0 when there is no such word in the table. */
unsigned content_bits(const struct content_word *table, struct span word);
