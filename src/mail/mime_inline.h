/* Which parts the HTML of a message shows, for mail/mime. Pure. */
#pragma once

#include <mail/mime.h>

#include <stdbool.h>
#include <stddef.h>

/*
 * Set is_inline of those parts that html names by a cid: URL, where is_allowed
 * lets them be. 0 or -ENOMEM.
 */
int mime_inline_mark(struct span html, struct mime_part *parts,
    const bool *is_allowed, size_t count);
