/* Which header fields of a message may be given to a JSON API. */
#pragma once

#include <postern/mail.h>

#include <stdbool.h>

/*
 * Whether a field carries something for the reader that the API does not say
 * otherwise: custom X- fields, threading, lists, priority. Those that steer
 * other providers are not in what a module sees.
 */
bool field_may_pass(struct postern_str name);
/* Prefixes end in '-', the rest is exact; NULL behind the last, or no list. */
bool field_is_in(struct postern_str name, const char *const *list);
/* Each is a prefix, as control_fields are. */
bool field_begins(struct postern_str name, const char *const *list);
/* The first field that is in that list, or NULL. */
const struct postern_header *field_find(
    const struct postern_mail *mail, const char *const *list);
