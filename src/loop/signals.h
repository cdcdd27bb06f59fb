/*
 * Signals, delivered as calls on the main loop. Until it watches SIGTERM,
 * SIGINT and SIGHUP, and after that, what is here keeps them from doing what
 * the kernel does by default: nothing at all for process 1 of a container, the
 * end for any other.
 */
#pragma once

struct loop;
struct signals;

/*
 * Watch signum (SIGTERM, SIGHUP, ...) on loop l, own thread. on_signal runs
 * on the loop. NULL on failure.
 */
struct signals *signals_watch(struct loop *l, int signum,
    void (*on_signal)(int signum, void *ctx), void *ctx);
/* Stop watching; own thread. Accepts NULL. */
void signals_close(struct signals *s);

/*
 * First of all: SIGTERM and SIGINT end the process, with exit code 0, as there
 * is nothing to wind up yet; SIGHUP waits. Main thread.
 */
void signals_start(void);
/*
 * All three wait, in this thread and those it starts: for signals_release, by
 * when they are watched; or for the end of the process.
 */
void signals_hold(void);
void signals_release(void);
