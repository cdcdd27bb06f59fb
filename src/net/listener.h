/*
 * Listening sockets. Main opens them (ports below 1024 need its privileges),
 * one per worker and address with SO_REUSEPORT; each loop then accepts on
 * its own.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

struct conn;
struct listener;
struct loop;

/*
 * Bind and listen on "host:port", "[v6]:port" or ":port" without accepting.
 * count sockets share the port. Returns 0 and fills fds, or a negative errno
 * with e filled. A port of 0 lets the kernel choose one for all.
 */
int listener_open(const char *address, int *fds, unsigned count, struct err *e);
/* Numeric port of an open socket, or a negative errno. */
int listener_port(int fd);

/*
 * Accept on l's thread; on_accept gets each new connection, not started yet,
 * and owns it. Takes ownership of fd. NULL on failure.
 */
struct listener *listener_start(struct loop *l, int fd,
    void (*on_accept)(struct conn *c, void *ctx), void *ctx);
/* Stop accepting and close; own thread. Freed by itself. Accepts NULL. */
void listener_close(struct listener *ln);
