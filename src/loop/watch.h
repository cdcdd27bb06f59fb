/*
 * A descriptor of somebody else's, watched for input: how a library with its
 * own epoll set (libmicrohttpd) lives on a loop. Own thread only.
 */
#pragma once

struct loop;
struct loop_watch;

/*
 * Call on_ready whenever fd is readable, until the watch is closed. fd stays
 * the caller's and must outlive the watch. NULL for memory or a descriptor
 * that cannot be polled.
 */
struct loop_watch *loop_watch_start(
    struct loop *l, int fd, void (*on_ready)(void *ctx), void *ctx);
/*
 * Stop at once: after this on_ready does not run and fd may be closed. The
 * memory goes a turn later. Accepts NULL.
 */
void loop_watch_close(struct loop_watch *w);
