/* A loop in a thread of its own, and calls into it that wait. */
#pragma once

#include <loop/loop.h>

/* Starts the thread; aborts the test on failure. */
struct loop *onloop_start(void);
/* Run fn(ctx) on the loop's thread and wait until it returned. */
void onloop_call(struct loop *l, void (*fn)(void *ctx), void *ctx);
/*
 * The same for what ends later: fn starts it and passes done and its ctx on
 * as the completion; waits until done was called.
 */
void onloop_await(struct loop *l,
    void (*fn)(void *ctx, void (*done)(void *), void *done_ctx), void *ctx);
/* Stop, join, free. */
void onloop_stop(struct loop *l);
