/* Metadata of mail->controls where it is an object of JSON. Pure. */
#pragma once

#include <postern/mail.h>

#include <jansson.h>

/* Set it in object, over what is there; not postern_id, which is ours. */
void metadata_add(json_t *object, const struct postern_controls *controls);
/* Bytes of object as JSON. */
size_t metadata_size(const json_t *object);
