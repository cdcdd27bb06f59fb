/*
 * What the last run left in the store, given to the workers while they serve
 * already: a start does not take longer because there is more. A thread walks
 * the store and hands slices to the workers, a few at a time.
 */
#pragma once

#include <base/err.h>

struct backlog;
struct store;
struct worker;

/*
 * Before workers start: takes note of what is there. workers and store are
 * borrowed. NULL with e filled.
 */
struct backlog *backlog_new(struct store *store, struct worker **workers,
    unsigned worker_count, struct err *e);
/* 0 or a negative errno. */
int backlog_start(struct backlog *b);
/* Before the store is closed: end it if it still goes on. Accepts NULL. */
void backlog_stop(struct backlog *b);
/* After worker_free, who may still have slices. Accepts NULL. */
void backlog_free(struct backlog *b);
