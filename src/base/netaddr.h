/*
 * Addresses of peers and networks of them, as policy compares them: apart
 * from sockets, ports and names. An IPv4 address inside IPv6 (::ffff:a.b.c.d)
 * is that IPv4 address everywhere here. Pure.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

enum netaddr_family {
	NETADDR_NONE = 0, /* not known */
	NETADDR_V4,
	NETADDR_V6,
	NETADDR_UNIX /* a process on this machine */
};

enum {
	NETADDR_TEXT_SIZE = 46 /* with NUL */
};

/* Zeroed: not known. Bytes a family does not use are zero. */
struct netaddr {
	uint8_t family; /* enum netaddr_family */
	uint8_t bytes[16];
};

/* Addresses whose first bits are those of base; the others are zero. */
struct network {
	struct netaddr base;
	uint8_t bits;
};

struct netaddr netaddr_from_sockaddr(const struct sockaddr *sa);
/* 4 bytes, or 16 of IPv6, in network order. */
struct netaddr netaddr_from_bytes(const void *bytes, bool is_v6);
/* 192.0.2.1 or 2001:db8::1, without brackets, port or zone. */
bool netaddr_parse(struct span s, struct netaddr *out);
/* As above; "local" for UNIX, "unknown" for NONE. Returns out. */
const char *netaddr_format(
    const struct netaddr *a, char out[NETADDR_TEXT_SIZE]);
bool netaddr_eq(const struct netaddr *a, const struct netaddr *b);
/* 127.0.0.0/8, ::1, or a process on this machine. */
bool netaddr_is_local(const struct netaddr *a);

/*
 * An address, an address/bits, or "unix" for what comes through a socket in
 * the file system. False also when bits behind the prefix are set.
 */
bool network_parse(struct span s, struct network *out);
/* The network of that size a lies in; v6_bits is for IPv6, 32 for IPv4. */
struct network network_of(const struct netaddr *a, unsigned v6_bits);
bool network_has(const struct network *n, const struct netaddr *a);
bool network_list_has(
    const struct network *list, size_t count, const struct netaddr *a);
