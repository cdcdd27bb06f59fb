/* What the store remembers of counts that limits go by. */
#pragma once

#include <base/err.h>

struct config;
struct quota;
struct store;
struct store_pending;

/*
 * At start, before loops run: messages of users to quota, recipients of
 * providers to the accounts of config. 0, or a negative errno with e filled.
 */
int restore_counts(struct store *store, struct quota *quota,
    struct config *config, struct err *e);
/*
 * And of a message that the last run left, what was on its way: how it ended
 * nobody knows, so it counts. The ledger says so when the message is looked at
 * again. Any thread.
 */
void restore_started(
    const struct config *config, const struct store_pending *p);
