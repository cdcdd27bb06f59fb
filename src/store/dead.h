/*
 * Bodies of messages that failed are kept for a while, so that a person can
 * look at them and have them sent after all: until they are too old, the
 * oldest go when there are too many bytes, and all of them before a full disk
 * would keep new mail out. Writer thread.
 */
#pragma once

#include <store/disk.h>

struct dead;

struct dead *dead_new(struct disk *d); /* NULL for memory */
void dead_free(struct dead *k);        /* accepts NULL */
/* Whether the body of a message that fails now is kept. */
bool dead_may_keep(struct disk *d);
/* Give up some of them. 1: there is more to do; 0; or a negative errno. */
int dead_step(struct dead *k);
/* How many empty segments are kept to be overwritten. */
size_t dead_spare(struct disk *d);
