/*
 * Once a second: what is left of space, inodes and the rest, for
 * policy/pressure. On the main loop, so that no session waits for it.
 */
#pragma once

struct config;
struct loop;
struct pressure;
struct readings;
struct store;

/* The first ones are taken at once. NULL for memory. */
struct readings *readings_start(
    struct loop *l, struct config *c, struct store *store);
/* What they are for; theirs. */
struct pressure *readings_pressure(struct readings *r);
/* After a reload: levels follow at once. */
void readings_set_config(struct readings *r, struct config *c);
/* Before the loop ends. */
void readings_stop(struct readings *r);
void readings_free(struct readings *r); /* accepts NULL */
