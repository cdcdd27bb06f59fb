/*
 * Words of the configuration for what a message holds that not every provider
 * can carry: signed, encrypted, dkim, calendar, ...
 */
#pragma once

#include <base/span.h>

/* Bits of POSTERN_CARRIES_*; 0 when there is no such word. */
unsigned content_bits(struct span word);
/* The words, NULL behind the last. */
extern const char *const content_words[];
