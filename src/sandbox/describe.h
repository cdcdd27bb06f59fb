/* A letter as JSON for people and tests: decoded only when asked. */
#pragma once

#include <sandbox/letter.h>

#include <jansson.h>

/*
 * {id, provider, provider_id, received_at, sender, recipients, subject, size,
 * text}; subject and text are null where the message has none. NULL for
 * memory.
 */
json_t *describe_letter(const struct letter *l);
/* The same with all that can be said: decoded, as decode_letter has it. */
json_t *describe_whole(const struct letter *l);
