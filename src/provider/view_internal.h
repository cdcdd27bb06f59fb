/* A message shown through the public structs of postern/mail.h. */
#pragma once

#include <base/arena.h>
#include <mail/mime.h>
#include <postern/mail.h>
#include <provider/provider.h>

/*
 * Fill out from input and, when content is not NULL, from the parsed message.
 * Memory comes from a; the rest is borrowed from input and content. 0 or
 * -ENOMEM.
 */
int view_fill(struct arena *a, const struct provider_input *input,
    const struct mime_fields *content, struct postern_mail *out);
