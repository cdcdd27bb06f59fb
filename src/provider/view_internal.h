/* A message shown through the public structs of postern/mail.h. */
#pragma once

#include <base/arena.h>
#include <mail/mime.h>
#include <postern/mail.h>
#include <provider/provider.h>

/*
 * The header of a message without fields that steer providers, but for those
 * that wanted names (struct postern_provider, control_fields; NULL: none). It
 * lies in a, or is the one given. 0 or -ENOMEM.
 */
int view_header(struct arena *a, struct span header, const char *const *wanted,
    struct span *out);
/* What p says of itself. */
const char *const *view_control_fields(const struct postern_provider *p);
/*
 * Fill out, but for raw_size, from input with a header as view_header made it,
 * and, when content is not NULL, from the parsed message. Memory comes from a;
 * the rest is borrowed from input and content. 0 or -ENOMEM.
 */
int view_fill(struct arena *a, const struct provider_input *input,
    struct span header, const struct mime_fields *content,
    struct postern_mail *out);
/* What fields X-Postern-* of a header ask for. 0 or -ENOMEM. */
int view_controls(
    struct arena *a, struct span header, const struct postern_controls **out);
