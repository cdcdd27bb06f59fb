/*
 * The listening sockets of the process. They were opened here, or by the
 * service manager (activation.h), or came from the process that served before
 * (takeover.h). Main opens and holds them; a worker gets duplicates of those
 * it is to accept on. Main thread.
 */
#pragma once

#include <base/err.h>

#include <stdbool.h>
#include <stddef.h>

struct config;
struct takeover;

struct port {
	size_t listener; /* in config->listeners */
	int fd;
	/* The service manager has it, too: who waits there loses nothing by
	 * our end, and the next process answers. */
	bool is_kept;
};

struct ports {
	struct config *config;
	struct port *all;
	size_t count;
	bool is_handed_over; /* others accept on them from now on */
};

/*
 * share: how many workers there will be. from may be NULL. 0, or a negative
 * errno with e filled; then the process is expected to end.
 */
int ports_open(struct ports *p, struct config *config, unsigned share,
    struct takeover *from, struct err *e);
/*
 * The sockets of one worker: each address is served by all workers, through
 * sockets of their own where there are enough. *out is count long, to be freed;
 * the descriptors are the worker's. 0 or a negative errno.
 */
int ports_share(const struct ports *p, unsigned worker, unsigned workers,
    struct port **out, size_t *count);
/*
 * Those for another configuration while old are in use: of a listener that
 * keeps its address the same sockets, duplicated; others are opened. 0, or a
 * negative errno with e naming the listener, and *p has nothing.
 */
int ports_follow(struct ports *p, struct config *config,
    const struct ports *old, unsigned share, struct err *e);
/* next takes the place of p: what only p had is closed. next is empty then. */
void ports_replace(struct ports *p, struct ports *next);
/* Give up what ports_follow made. */
void ports_forget(struct ports *next, const struct ports *old);
/*
 * Close ours, not those of workers; files of unix: addresses go, unless other
 * processes serve them now. Idempotent.
 */
void ports_close(struct ports *p);
