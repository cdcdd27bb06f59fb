/* Recipients as a provider without an envelope finds them. */
#pragma once

#include <sandbox/letter.h>

#include <stdbool.h>
#include <stddef.h>

/*
 * Add all that the fields To, Cc and Bcc of l's message name, each as often as
 * they do; what is no address is passed over. False for memory.
 */
bool addressed_take(struct letter *l, size_t *out_count);
