/*
 * How an address to listen on is written: host:port, [v6]:port, :port for
 * every address of the machine, or unix:/path. Pure.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	HOSTPORT_HOST_SIZE = 256
};

struct hostport {
	char host[HOSTPORT_HOST_SIZE]; /* without brackets; "" = every one */
	bool is_bracketed;             /* so it must be IPv6 */
	uint16_t port;
};

/* False for anything else, also an IPv6 address without its brackets. */
bool hostport_parse(struct span s, struct hostport *out);
/* The path of unix:/path; NULL when address is of another kind. */
const char *hostport_unix_path(const char *address);
