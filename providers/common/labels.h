/*
 * Tags and metadata of mail->controls as pairs of name and value, for APIs that
 * take only letters, digits, - and _ in both: SES and Resend.
 */
#pragma once

#include <common/writer.h>

/* Why it has no place there, for the client, or NULL. */
const char *labels_check(const struct postern_controls *controls);
/*
 * Elements of a list that is open, with members of these names: metadata as it
 * is, tags as tag, tag_2 and so on.
 */
void labels_add(struct writer *w, const struct postern_controls *controls,
    const char *name, const char *value);
