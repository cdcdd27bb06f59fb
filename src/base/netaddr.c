#include <base/netaddr.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
	V4_BITS = 32,
	V6_BITS = 128,
	MAPPED_BYTES = 12,
	MAPPED_BITS = 8 * MAPPED_BYTES
};

static const uint8_t mapped[MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };

static struct netaddr from_v4(const void *bytes)
{
	struct netaddr a = { .family = NETADDR_V4 };

	memcpy(a.bytes, bytes, sizeof(struct in_addr));
	return a;
}

static struct netaddr from_v6(const void *bytes)
{
	struct netaddr a = { .family = NETADDR_V6 };

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return from_v4((const uint8_t *)bytes + sizeof(mapped));
	memcpy(a.bytes, bytes, sizeof(struct in6_addr));
	return a;
}

struct netaddr netaddr_from_bytes(const void *bytes, bool is_v6)
{
	return is_v6 ? from_v6(bytes) : from_v4(bytes);
}

struct netaddr netaddr_from_sockaddr(const struct sockaddr *sa)
{
	switch (sa->sa_family) {
	case AF_INET:
		return from_v4(
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	case AF_INET6:
		return from_v6(&((const struct sockaddr_in6 *)(const void *)sa)
				    ->sin6_addr);
	case AF_UNIX:
		return (struct netaddr){ .family = NETADDR_UNIX };
	default:
		return (struct netaddr){ .family = NETADDR_NONE };
	}
}

bool netaddr_parse(struct span s, struct netaddr *out)
{
	char text[NETADDR_TEXT_SIZE];
	uint8_t bytes[sizeof(struct in6_addr)];

	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, 0, s.len))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1)
		*out = from_v4(bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*out = from_v6(bytes);
	else
		return false;
	return true;
}

const char *netaddr_format(const struct netaddr *a, char out[NETADDR_TEXT_SIZE])
{
	const char *word = a->family == NETADDR_UNIX ? "local" : "unknown";

	if (a->family == NETADDR_V4)
		(void)inet_ntop(AF_INET, a->bytes, out, NETADDR_TEXT_SIZE);
	else if (a->family == NETADDR_V6)
		(void)inet_ntop(AF_INET6, a->bytes, out, NETADDR_TEXT_SIZE);
	else
		(void)snprintf(out, NETADDR_TEXT_SIZE, "%s", word);
	return out;
}

bool netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool netaddr_is_local(const struct netaddr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	switch (a->family) {
	case NETADDR_UNIX:
		return true;
	case NETADDR_V4:
		return a->bytes[0] == 127;
	case NETADDR_V6:
		return memcmp(a->bytes, loopback, sizeof(loopback)) == 0;
	default:
		return false;
	}
}

static unsigned bits_of(uint8_t family)
{
	switch (family) {
	case NETADDR_V4:
		return V4_BITS;
	case NETADDR_V6:
		return V6_BITS;
	default:
		return 0;
	}
}

/* Zero what stands behind the first bits. */
static void mask(struct netaddr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			a->bytes[i] &= (uint8_t)(0xff00u >> keep);
	}
}

/* "::ffff:10.0.0.0/104" is 10.0.0.0/8; a prefix that is cut is neither. */
static bool unmap_bits(
    struct span host, struct netaddr *a, unsigned long long *bits)
{
	if (a->family != NETADDR_V4 || span_index(host, ':') < 0)
		return true;
	if (*bits < MAPPED_BITS)
		return false;
	*bits -= MAPPED_BITS;
	return true;
}

bool network_parse(struct span s, struct network *out)
{
	struct span rest = s, host = span_cut(&rest, '/');
	struct netaddr a, masked;
	unsigned long long bits;

	if (span_eq(s, SPAN("unix"))) {
		*out = (struct network){ .base.family = NETADDR_UNIX };
		return true;
	}
	if (!netaddr_parse(host, &a))
		return false;
	bits = bits_of(a.family);
	if (rest.ptr && (!span_parse_u64(rest, V6_BITS, &bits) ||
			    !unmap_bits(host, &a, &bits)))
		return false;
	if (bits > bits_of(a.family))
		return false;
	masked = a;
	mask(&masked, (unsigned)bits);
	if (!netaddr_eq(&a, &masked))
		return false;
	*out = (struct network){ .base = a, .bits = (uint8_t)bits };
	return true;
}

struct network network_of(const struct netaddr *a, unsigned v6_bits)
{
	unsigned bits = a->family == NETADDR_V6 ? v6_bits : bits_of(a->family);
	struct network n = { .base = *a, .bits = (uint8_t)bits };

	mask(&n.base, bits);
	return n;
}

bool network_has(const struct network *n, const struct netaddr *a)
{
	struct netaddr masked = *a;

	if (a->family == NETADDR_NONE)
		return false;
	mask(&masked, n->bits);
	return netaddr_eq(&masked, &n->base);
}

bool network_list_has(
    const struct network *list, size_t count, const struct netaddr *a)
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&list[i], a))
			return true;
	return false;
}
