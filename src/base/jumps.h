/*
 * The wall clock is sometimes set, by minutes or by days. The monotonic clock
 * tells: what was set is remembered here, so that ages and waits that began
 * before are not wrong by as much. Any thread; one mutex, held for a few
 * comparisons.
 */
#pragma once

#include <stdint.h>

/*
 * Compare the clocks. Called at least every few seconds, so that their slow
 * drifting apart is no jump. One of more than 5 s is logged (clock_jumped).
 */
void jumps_look(void);
/*
 * How long ago a wall time of this process's life or before was. Never more
 * than has passed while the process ran; less than 0 when it is still to come.
 * Looks first.
 */
int64_t jumps_age_ms(int64_t since_ms);
/*
 * What a process before this one left says that it was then_ms once. If that
 * is still to come, the clock was set back since.
 */
void jumps_saw(int64_t then_ms);
/* By how much the wall clock was set back in all. */
int64_t jumps_back_ms(void);
/* How often it was set. */
uint64_t jumps_count(void);
/* Tests only: as a new process. */
void jumps_forget(void);
