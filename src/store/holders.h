/*
 * How much of what waits in the store is whose, exactly: counted at start,
 * then with every commit. Any thread looks; one at a time changes it (the
 * writer, or who has the memory store's lock).
 */
#pragma once

#include <store/store.h>

struct holder;
struct holders;

struct holders *holders_new(void);    /* NULL for memory */
void holders_free(struct holders *h); /* accepts NULL */
/*
 * One more message; that of "", an event, is nobody's. For want of memory it
 * is not counted.
 */
void holders_add(struct holders *h, struct span user, uint64_t bytes);
/* NULL when nothing is known to be theirs. Valid until it is unpinned. */
struct holder *holders_pin(struct holders *h, struct span user);
/* holder may be NULL. */
void holders_unpin(struct holders *h, struct holder *holder);
/* One message fewer of a pinned one; holder may be NULL. */
void holders_drop(struct holders *h, struct holder *holder, uint64_t bytes);
void holders_look(struct holders *h, struct span user, struct store_held *out);
