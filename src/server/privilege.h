/*
 * What the process may still do once it is set up: never root after start,
 * no core dumps with credentials in them. Main thread, before
 * other threads exist.
 */
#pragma once

#include <base/err.h>

#include <stddef.h>

/* First thing in main: fds 0-2, umask, no core file, no new privileges. */
void privilege_harden(void);
/*
 * Become account `user` when started as root and make sure that root cannot
 * be regained; NULL keeps the present account, which root may not do unless
 * the configuration says `user: root`. No other process of the account may
 * trace this one then. 0 or a negative errno with e filled.
 */
int privilege_drop(const char *user, struct err *e);
/*
 * Make directory path when it is missing and, when started as root, give it to
 * `user`, so that it can be opened after privilege_drop. 0 or a negative errno
 * with e filled.
 */
int privilege_give_directory(const char *path, const char *user, struct err *e);
/* The same for a socket or a folder that is there. */
int privilege_give_socket(const char *path, const char *user, struct err *e);
/*
 * Raise the limit on open files to what the kernel allows. How many of them
 * sessions may have: three quarters of what the process does not hold anyway,
 * since the store, the way out and the probes must go on when clients have
 * taken all they can.
 */
size_t privilege_session_ceiling(size_t workers, size_t listeners);
