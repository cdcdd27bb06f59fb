/* Names of attachments that a provider will take and a reader understand. */
#pragma once

#include <base/arena.h>
#include <base/span.h>

/*
 * A safe file name from the one in the message (valid UTF-8, may be empty):
 * no directories, no controls, at most 255 bytes; `attachment.<ext>` by type
 * when nothing is left. ptr NULL for memory.
 */
struct span mime_filename(struct arena *a, struct span name, struct span type);
