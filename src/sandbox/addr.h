/* Mail addresses as providers' APIs take them: ASCII only. Pure. */
#pragma once

#include <base/span.h>

#include <stdbool.h>

/*
 * "a@b.example" or "Name <a@b.example>", perhaps with a comment behind: sets
 * *out to the address inside text. False when it is none.
 */
bool addr_parse(struct span text, struct span *out);
/*
 * Cut the next element off a comma-separated list; commas in quotes do not
 * count. As span_cut: rest->ptr is NULL after the last.
 */
struct span addr_next(struct span *rest);
