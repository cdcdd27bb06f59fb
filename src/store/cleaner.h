/*
 * Moves the last live bodies out of mostly empty segments, so that a few
 * stuck messages do not keep gigabytes. In small steps between batches, on
 * the writer's thread.
 */
#pragma once

#include <store/disk.h>

struct cleaner;

struct cleaner *cleaner_new(struct disk *d); /* NULL for memory */
void cleaner_free(struct cleaner *c);        /* accepts NULL */
/* One step. 1: there is more to do; 0: nothing; or a negative errno. */
int cleaner_step(struct cleaner *c);
