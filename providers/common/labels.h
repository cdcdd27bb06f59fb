/*
 * Tags and metadata of mail->controls as pairs of name and value, for APIs that
 * take only letters, digits, - and _ in both: SES and Resend.
 */
#pragma once

#include <common/writer.h>

#include <stdbool.h>

/* Why it has no place there, for the client, or NULL. */
const char *labels_check(const struct postern_controls *controls);
/*
 * Elements of a list that is open, with members of these names: metadata as it
 * is, tags as tag, tag_2 and so on, but for names that metadata has. None is
 * postern_id, which is ours.
 */
void labels_add(struct writer *w, const struct postern_controls *controls,
    const char *name, const char *value);
/* One element, whose members are called so. */
void labels_pair(struct writer *w, const char *const members[2],
    struct postern_str name, struct postern_str value);
/* Whether one of them has that name. */
bool labels_have(
    const struct postern_controls *controls, struct postern_str name);
