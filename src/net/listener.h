/*
 * Listening sockets. Main opens them (ports below 1024 need its privileges),
 * or gets them from elsewhere; then each loop accepts on its own. Opening is
 * in listener_open.c.
 */
#pragma once

#include <base/err.h>

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct listener;
struct loop;

/* Open sockets, not accepted on yet. Zeroed: none. */
struct listener_set {
	int *fds;
	size_t count;
};

/* Takes ownership of fd; on failure (-ENOMEM) it is closed. */
int listener_set_add(struct listener_set *set, int fd);
/* Close them all. */
void listener_set_finish(struct listener_set *set);

/*
 * Bind and listen on an address as base/hostport.h has it, and on each one
 * that a name stands for; the sockets are added to out. Of each address there
 * are share sockets that share it, so that as many loops may accept; but one
 * of a unix: address, whose file has the permissions that the umask leaves. One
 * that a dead process left there is replaced. A port of 0 lets the kernel
 * choose one. 0, or a negative errno with e filled and nothing added.
 */
int listener_open(const char *address, unsigned share, struct listener_set *out,
    struct err *e);
/*
 * Whether fd, which another process opened, is bound to address. It is, too,
 * when address is ":port" and fd is bound to all addresses of either family.
 */
bool listener_is_at(int fd, const char *address);
/* Make a socket of another process ours: -EINVAL when it does not listen. */
int listener_adopt(int fd);
/* Numeric port of an open socket, 0 of a unix one, or a negative errno. */
int listener_port(int fd);

/*
 * Accept on l's thread; on_accept gets each new connection, not started yet,
 * and owns it. Takes ownership of fd. NULL on failure.
 */
struct listener *listener_start(struct loop *l, int fd,
    void (*on_accept)(struct conn *c, void *ctx), void *ctx);
/*
 * Accept all who wait now. Closing the last descriptor of a socket would reset
 * them, who believe to be connected.
 */
void listener_drain(struct listener *ln);
/* Stop accepting and close; own thread. Freed by itself. Accepts NULL. */
void listener_close(struct listener *ln);
