/*
 * What a letter says, whichever API brought it: a message by the mail view,
 * JSON as the spelling of its provider has it. Nothing is kept: each call
 * takes the letter apart anew.
 */
#pragma once

#include <base/buf.h>
#include <sandbox/letter.h>

#include <jansson.h>

#include <stdbool.h>

/*
 * {from, reply_to, to, cc, bcc: lists of {name, address}; subject, text, html:
 * null where there is none; headers: list of [name, value]; parts: list of
 * {index, name, type, disposition, content_id, size}, null for what was not
 * told; tags: list; metadata: object; error: why there is nothing in it, or
 * null}. Where the API has no place for bcc, those who are in neither of the
 * other lists. NULL for memory.
 */
json_t *decode_letter(const struct letter *l);
/*
 * See to it that l->from (an address) and l->subject are there, cut short, ""
 * where there is none, so that a list decodes a letter once. False for memory.
 */
bool decode_brief(struct letter *l);
/* The bytes of a part. 0, -ENOENT for none of this index, or another errno. */
int decode_part(const struct letter *l, size_t index, struct buf *out);
