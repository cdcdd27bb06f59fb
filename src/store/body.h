/*
 * A body that is too large for memory: a file of its own in the store, filled
 * while the content arrives, on threads of the store. It becomes part of a
 * message, which is then read from the file and can be accepted without
 * another copy. What is never accepted leaves nothing behind.
 *
 * All functions on the loop it was made for.
 */
#pragma once

#include <base/buf.h>
#include <store/store.h>

#include <stdbool.h>

struct store_body;

/*
 * The file is made by the first write. is_volatile: it will not be accepted,
 * has no name and is never synced (direct mode). NULL for memory, or from an
 * engine without files.
 */
struct store_body *store_body_new(
    struct store *s, struct loop *l, bool is_volatile);
/*
 * Append the bytes of data, whose memory is taken: it is left empty. One
 * write at a time. on_written runs later, once: 0, -ENOSPC, -EIO, or -ENOMEM
 * (also no descriptor); after a failure the body can only be dropped.
 */
void store_body_write(struct store_body *b, struct buf *data,
    void (*on_written)(void *ctx, int rc), void *ctx);
/*
 * A message of header (as for message_new) and what was written. Takes both
 * over. NULL for memory: nothing was taken.
 */
struct message *store_body_message(struct store_body *b, struct buf *header);
/* Give it up, also during a write, whose on_written will not run. Accepts
 * NULL. */
void store_body_drop(struct store_body *b);
