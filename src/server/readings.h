/*
 * Once a second: what is left of space, inodes and the rest, for
 * policy/pressure. On the main loop, so that no session waits for it.
 *
 * The allocator keeps what was freed for itself where anything that is still
 * in use lies behind it: after a load that has gone the process may look as
 * large as at its peak, and the marks of memory would hold for ever. So near
 * a mark a thread of the pool tells it to give back all it can.
 */
#pragma once

struct blocking;
struct config;
struct loop;
struct pressure;
struct readings;
struct store;

/*
 * The first ones are taken at once. pool: borrowed, freed between
 * readings_stop and readings_free. NULL for memory.
 */
struct readings *readings_start(struct loop *l, struct config *c,
    struct store *store, struct blocking *pool);
/* What they are for; theirs. */
struct pressure *readings_pressure(struct readings *r);
/* After a reload: levels follow at once. */
void readings_set_config(struct readings *r, struct config *c);
/* Before the loop ends. */
void readings_stop(struct readings *r);
void readings_free(struct readings *r); /* accepts NULL */
