/* What decode.c and decode_json.c share. */
#pragma once

#include <base/buf.h>
#include <sandbox/letter.h>

#include <jansson.h>

struct mime_addresses;
struct spelling;

/* Put value there, or null for NULL. Takes the reference. */
void decode_set(json_t *out, const char *key, json_t *value);
/* A string, or NULL when it has no bytes. */
json_t *decode_text(struct span text);
/* The text of a header's value, its encoded words decoded; NULL for memory. */
json_t *decode_words(struct span text);
/* Add {name, address} of each. */
void decode_add_people(json_t *list, const struct mime_addresses *people);
/* Add who a line says, as one of a header: "Ann <a@b.example>, c@d.example". */
void decode_add_line(json_t *list, struct span line);

/* decode_json.c: fill what decode_letter gives from an API's JSON. */
void decode_json(json_t *out, const struct spelling *s, struct span raw);
int decode_json_part(
    const struct spelling *s, struct span raw, size_t index, struct buf *out);
