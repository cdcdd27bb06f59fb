/* Which header fields of a message may be given to a JSON API. */
#pragma once

#include <postern/field.h>

#include <stdbool.h>

/*
 * Whether a field carries something for the reader that the API does not say
 * otherwise: custom X- fields, threading, lists, priority. Fields that steer
 * some provider never pass; they can hold private metadata.
 */
bool field_may_pass(struct postern_str name);
