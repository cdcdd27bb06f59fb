/* Signals, delivered as calls on the main loop. */
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
