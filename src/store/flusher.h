/*
 * A thread that syncs one file while its owner does something else: bodies
 * and rows of a batch reach the disk at the same time. One owner, one file at
 * a time.
 */
#pragma once

#include <store/store_internal.h>

struct flusher;

/* NULL when there is no thread for it. */
struct flusher *flusher_new(const struct store_io *io);
void flusher_free(struct flusher *f); /* accepts NULL; nothing under way */
/* Begin fdatasync of fd, which stays open until flusher_end. */
void flusher_begin(struct flusher *f, int fd);
/* Wait for it: 0 or its negative errno. */
int flusher_end(struct flusher *f);
