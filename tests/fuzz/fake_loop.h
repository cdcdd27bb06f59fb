/*
 * A loop without a thread, descriptors or a clock of its own: the functions of
 * loop/loop.h that a session calls, driven by the target. Time, that of
 * base/clock.h too, passes when the target says so: an input always does the
 * same. One at a time.
 */
#pragma once

#include <loop/loop.h>

/* NULL for memory; freed by fake_loop_free when no timer is armed. */
struct loop *fake_loop_new(void);
void fake_loop_free(struct loop *l);
/* Run what was posted until nothing is. */
void fake_loop_settle(struct loop *l);
/*
 * Go on to the next timer if it is due within ms, and fire it. False when
 * there is none.
 */
bool fake_loop_skip(struct loop *l, uint64_t ms);
bool fake_loop_is_idle(const struct loop *l);
