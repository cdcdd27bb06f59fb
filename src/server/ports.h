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
 * Give files of unix: addresses the permissions that the configuration says:
 * new ones have none for others, those that are taken over may have any. Call
 * it without privileges, as who owns the folder could put something else in
 * their place.
 */
void ports_set_modes(const struct ports *p);
/*
 * Those for another configuration, in two steps. First open those of listeners
 * whose address none of `present` has, the configuration of the ports in use:
 * any thread, as the addresses of names are looked up. 0, or a negative errno
 * with e naming the listener, and *p has nothing.
 */
int ports_open_new(struct ports *p, struct config *config,
    const struct config *present, unsigned share, struct err *e);
/*
 * Then add duplicates of the old ones for listeners that keep their address.
 * 0 or a negative errno; give p up then.
 */
int ports_keep(struct ports *p, const struct ports *old);
/* Give up what these two made, while present is in use. */
void ports_forget(struct ports *p, const struct config *present);
/*
 * next, which these two made, takes the place of p: what only p had is closed.
 * next is empty then.
 */
void ports_replace(struct ports *p, struct ports *next);
/*
 * Close ours, not those of workers; files of unix: addresses go, unless other
 * processes serve them now. Idempotent.
 */
void ports_close(struct ports *p);
