/*
 * The addresses of a From or Sender field, for the question whether a user
 * may write in that name. Strict: what is not understood beyond doubt is an
 * error, because another parser might read it differently. Pure.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>

/*
 * Calls is_allowed for each addr-spec in an unfolded field value. 0 when all
 * are, -EACCES when one is not, -EINVAL when the value is not understood or
 * names nobody.
 */
int smtp_author_check(struct span value,
    bool (*is_allowed)(struct span address, void *ctx), void *ctx);
