/*
 * Sockets that the service manager opened for us and keeps open while we
 * restart (systemd's socket activation): $LISTEN_FDS descriptors from 3 on,
 * named in $LISTEN_FDNAMES. Main thread, before others exist.
 */
#pragma once

#include <base/err.h>
#include <net/listener.h>

struct activation {
	struct listener_set set;
	const char **names; /* parallel; "" = without */
	char *text;         /* where they stand */
};

/*
 * Take them, if they are meant for this process, and forget the variables, so
 * that no child takes them for its own. 0 or a negative errno with e filled.
 */
int activation_init(struct activation *a, struct err *e);
/*
 * Move to out the sockets that have the name of a listener, or else those at
 * its address. 0 or -ENOMEM.
 */
int activation_take(struct activation *a, const char *name, const char *address,
    struct listener_set *out);
/* Close what nobody took, and say so in the log. */
void activation_finish(struct activation *a);
