/*
 * Which name has which place in struct counters; see config_keep_slots. One
 * table is shared by all snapshots that follow each other and goes with the
 * last of them.
 */
#pragma once

#include <config/config.h>

struct slots;

struct slots *slots_new(void);    /* nobody uses it yet; NULL for memory */
void slots_free(struct slots *s); /* one that nobody ever used */
/*
 * Give c places in the table: those of the same names, else free ones, which
 * are its new_slots. 0, or -EBUSY, and nothing has changed. Main thread.
 */
int slots_take(struct slots *s, struct config *c);
/* c needs its places no more; the last one frees the table. Any thread. */
void slots_leave(struct slots *s, const struct config *c);
