/*
 * What direct mode charged to users, brought to the store once a second, so
 * that daily counts survive a restart. Of other modes each accept carries its
 * own. A crash forgets what the last second charged.
 */
#pragma once

struct charges;
struct loop;
struct quota;
struct store;

/* quota and store: borrowed. Main loop. NULL for memory. */
struct charges *charges_start(
    struct loop *l, struct quota *quota, struct store *store);
/* Before the loop ends. */
void charges_stop(struct charges *c);
/*
 * What sessions have charged since, once they are gone; store_close then makes
 * it durable. Frees c, and accepts NULL.
 */
void charges_finish(struct charges *c);
