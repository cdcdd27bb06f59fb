/*
 * One thread with one uv_loop: the home of connections, transfers and
 * deliveries. loop_post, loop_stop and loop_turns are for any thread.
 */
#pragma once

#include <base/heap.h>
#include <loop/task.h>

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct uv_loop_s;

/* index: 0.. for workers, shown in thread names; NULL for memory or -EMFILE. */
struct loop *loop_new(unsigned index);
/* After the thread has ended and every handle is closed. Accepts NULL. */
void loop_free(struct loop *l);
unsigned loop_index(const struct loop *l);

/* Run in a thread of its own until loop_stop. 0 or a negative errno. */
int loop_start(struct loop *l);
/* Run in the calling thread until loop_stop. */
void loop_run(struct loop *l);
/*
 * Any thread. The loop ends once no handle is left open but its own; who
 * owns handles closes them first. Tasks already posted still run.
 */
void loop_stop(struct loop *l);
/* Join the thread started by loop_start. */
void loop_join(struct loop *l);
/*
 * After the end, before loop_free: run on the calling thread what pools and
 * the store posted too late, so that the owners can free it.
 */
void loop_run_late(struct loop *l);

/*
 * Any thread: run t on the loop, in order of posting. Never runs it inside
 * this call, also not when called on the loop's own thread.
 */
void loop_post(struct loop *l, struct task *t);
/* The loop whose thread this is, or NULL. */
struct loop *loop_current(void);
/* Monotonic ms, refreshed once per turn of the loop. Own thread only. */
uint64_t loop_now(const struct loop *l);
/*
 * Run t once at the end of the present turn, before the loop waits: flushes
 * that gather what one turn produced. Own thread only.
 */
void loop_defer(struct loop *l, struct task *t);
/* For net and http, who own uv handles. */
struct uv_loop_s *loop_uv(struct loop *l);
/* Turns completed: the watchdog sees a stuck loop. Any thread. */
uint64_t loop_turns(const struct loop *l);

/*
 * A timer embedded in its owner; no handle, no close callback. All functions
 * on the loop's thread. The owner stops it before it goes away.
 */
struct loop_timer {
	struct heap_node node;
	void (*fire)(struct loop_timer *t);
};

void loop_timer_init(struct loop_timer *t, void (*fire)(struct loop_timer *t));
/* (Re)arm: fire once, delay_ms from now. */
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms);
/* Fine when it is not armed; after this fire does not run. */
void loop_timer_stop(struct loop *l, struct loop_timer *t);
static inline bool loop_timer_is_armed(const struct loop_timer *t)
{
	return heap_has(&t->node);
}
