/*
 * Passwords that somebody else verifies: Cyrus saslauthd, for PAM, LDAP and
 * what else it knows. Private to auth.
 */
#pragma once

#include <base/span.h>

enum {
	SASLAUTHD_TIMEOUT_MS = 15000 /* for all of it; PAM delays refusals */
};

/*
 * Ask the daemon at this socket. A name a@b is asked as a in the realm b, as
 * Cyrus' own library does. 0, -EACCES when it says no, else a negative errno.
 * Blocks: pool threads only.
 */
int saslauthd_ask(const char *path, struct span name, struct span password);
