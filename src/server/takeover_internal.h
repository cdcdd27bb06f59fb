/*
 * What the two sides of a takeover say to each other, in packets over a
 * SOCK_SEQPACKET socket. The running one: for each address
 * "<kept or not><name> <address>" with some descriptors (SCM_RIGHTS), several
 * times if they are many, then the end. The new one: "go". The end of the
 * connection is the end of the store's use.
 */
#pragma once

#include <server/takeover.h>

#include <stdio.h>
#include <sys/un.h>

enum {
	TAKEOVER_FDS_MAX = 64, /* per packet; the kernel allows 253 */
	TAKEOVER_TEXT_MAX = 512,
	TAKEOVER_KEPT = 'k',
	TAKEOVER_OWN = 'o',
	TAKEOVER_END = 'e'
};

#define TAKEOVER_GO "go"

/* False when the path is too long for a socket. */
bool takeover_name(const char *spool, struct sockaddr_un *sa);
