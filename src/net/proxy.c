/*
 * Version 1 is a line of text, version 2 a block of bytes behind a signature
 * that no text protocol begins with. See proxy.h.
 */
#include <net/proxy.h>

#include <base/hash.h>

#include <stdint.h>

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a,
	0x51, 0x55, 0x49, 0x54, 0x0a };

enum {
	HEAD = 16, /* of version 2: signature, command, family, length */
	V4_BLOCK = 12,
	V6_BLOCK = 36,
	UNIX_BLOCK = 216,
	TLV_HEAD = 3,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	SSL_HEAD = 5 /* client flags, verify result */
};

static enum proxy_verdict bad(
    struct proxy_header *h, enum counter_proxy_error error)
{
	h->error = error;
	return PROXY_BAD;
}

/* --- version 1 --- */

/* Decimal, as the sender must write it: no sign, no leading zero. */
static bool parse_port(struct span s, uint16_t *out)
{
	unsigned long long port;

	if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0') ||
	    !span_parse_u64(s, UINT16_MAX, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

static bool parse_address(struct span s, bool is_v6, struct netaddr *out)
{
	return netaddr_parse(s, out) && (span_index(s, ':') >= 0) == is_v6;
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 587", one space between each. */
static bool parse_words(struct span rest, struct proxy_header *h)
{
	struct span family = span_cut(&rest, ' ');
	struct span from = span_cut(&rest, ' ');
	struct span to = span_cut(&rest, ' ');
	struct span from_port = span_cut(&rest, ' ');
	bool is_v6 = span_eq(family, SPAN("TCP6"));

	return (is_v6 || span_eq(family, SPAN("TCP4"))) &&
	       parse_address(from, is_v6, &h->source.addr) &&
	       parse_address(to, is_v6, &h->destination.addr) &&
	       parse_port(from_port, &h->source.port) &&
	       parse_port(rest, &h->destination.port);
}

static enum proxy_verdict parse_v1(struct span in, struct proxy_header *h)
{
	ptrdiff_t lf = span_index(span_first(in, PROXY_V1_MAX), '\n');
	struct span line;

	if (lf < 0)
		return in.len < PROXY_V1_MAX ? PROXY_MORE
					     : bad(h, COUNTER_PROXY_TOO_LONG);
	h->len = (size_t)lf + 1;
	line = span_first(in, (size_t)lf);
	if (line.ptr[line.len - 1] != '\r')
		return bad(h, COUNTER_PROXY_MALFORMED);
	line = span_from(span_first(line, line.len - 1), SPAN("PROXY ").len);
	/* What follows UNKNOWN is to be ignored up to the end of the line. */
	h->is_local = span_eq(line, SPAN("UNKNOWN")) ||
		      span_starts_with(line, SPAN("UNKNOWN "));
	if (h->is_local || parse_words(line, h))
		return PROXY_OK;
	return bad(h, COUNTER_PROXY_MALFORMED);
}

/* --- version 2 --- */

static uint8_t byte_at(struct span s, size_t at)
{
	return (uint8_t)s.ptr[at];
}

static size_t u16_at(struct span s, size_t at)
{
	return (size_t)byte_at(s, at) << 8 | byte_at(s, at + 1);
}

static uint32_t u32_at(struct span s, size_t at)
{
	return (uint32_t)u16_at(s, at) << 16 | (uint32_t)u16_at(s, at + 2);
}

/* The next of a sequence of type, length and value; false when it is cut. */
static bool take_tlv(struct span *rest, uint8_t *type, struct span *value)
{
	size_t len;

	if (rest->len < TLV_HEAD)
		return false;
	*type = byte_at(*rest, 0);
	len = u16_at(*rest, 1);
	if (rest->len - TLV_HEAD < len)
		return false;
	*value = span_first(span_from(*rest, TLV_HEAD), len);
	*rest = span_from(*rest, TLV_HEAD + len);
	return true;
}

/* Of the whole header, with zeros where the sum itself stands. */
static bool is_sum_right(struct span header, struct span sum)
{
	static const char zeros[4];
	size_t at = (size_t)(sum.ptr - header.ptr);
	struct span tail = span_from(header, at + sum.len);
	uint32_t crc = hash_crc32c(0, header.ptr, at);

	crc = hash_crc32c(crc, zeros, sizeof(zeros));
	return hash_crc32c(crc, tail.ptr, tail.len) == u32_at(sum, 0);
}

static bool parse_ssl(struct span value, struct proxy_header *h)
{
	struct span inner;
	uint8_t type;

	if (value.len < SSL_HEAD)
		return false;
	for (value = span_from(value, SSL_HEAD); value.len > 0;) {
		if (!take_tlv(&value, &type, &inner))
			return false;
		if (type == TLV_SSL_VERSION)
			h->tls_version = inner;
	}
	return true;
}

/* rest: what follows the addresses in header. */
static enum proxy_verdict parse_tlvs(
    struct span header, struct span rest, struct proxy_header *h)
{
	bool has_sum = false;
	struct span value;
	uint8_t type;

	while (rest.len > 0) {
		if (!take_tlv(&rest, &type, &value))
			return bad(h, COUNTER_PROXY_MALFORMED);
		if (type == TLV_AUTHORITY)
			h->authority = value;
		if (type == TLV_SSL && !parse_ssl(value, h))
			return bad(h, COUNTER_PROXY_MALFORMED);
		if (type != TLV_CRC32C)
			continue;
		if (has_sum || value.len != sizeof(uint32_t))
			return bad(h, COUNTER_PROXY_MALFORMED);
		has_sum = true;
		if (!is_sum_right(header, value))
			return bad(h, COUNTER_PROXY_CHECKSUM);
	}
	return PROXY_OK;
}

static void take_names(struct span block, bool is_v6, struct proxy_header *h)
{
	size_t size = is_v6 ? 16 : 4;

	h->source.addr = netaddr_from_bytes(block.ptr, is_v6);
	h->destination.addr = netaddr_from_bytes(block.ptr + size, is_v6);
	h->source.port = (uint16_t)u16_at(block, 2 * size);
	h->destination.port = (uint16_t)u16_at(block, 2 * size + 2);
}

/* A client that the proxy speaks for. */
static enum proxy_verdict parse_proxied(
    struct span header, struct proxy_header *h)
{
	struct span block = span_from(header, HEAD);
	size_t used;

	switch (byte_at(header, 13)) {
	case 0x00: /* unspecified: nothing in the block has a meaning */
		h->is_local = true;
		return PROXY_OK;
	case 0x11:
		used = V4_BLOCK;
		break;
	case 0x21:
		used = V6_BLOCK;
		break;
	case 0x31:
		used = UNIX_BLOCK;
		break;
	default: /* datagrams, or nothing that is known */
		return bad(h, COUNTER_PROXY_MALFORMED);
	}
	if (block.len < used)
		return bad(h, COUNTER_PROXY_MALFORMED);
	if (used == UNIX_BLOCK) {
		h->source.addr.family = NETADDR_UNIX;
		h->destination.addr.family = NETADDR_UNIX;
	} else {
		take_names(block, used == V6_BLOCK, h);
	}
	return parse_tlvs(header, span_from(block, used), h);
}

static enum proxy_verdict parse_v2(struct span in, struct proxy_header *h)
{
	size_t len;

	if (in.len < HEAD)
		return PROXY_MORE;
	len = u16_at(in, 14);
	if (len > PROXY_BLOCK_MAX)
		return bad(h, COUNTER_PROXY_TOO_LONG);
	if (byte_at(in, 12) != 0x20 && byte_at(in, 12) != 0x21)
		return bad(h, COUNTER_PROXY_MALFORMED);
	if (in.len < HEAD + len)
		return PROXY_MORE;
	h->len = HEAD + len;
	if (byte_at(in, 12) == 0x21)
		return parse_proxied(span_first(in, h->len), h);
	h->is_local = true; /* the block is skipped, whatever it says */
	return PROXY_OK;
}

/* --- either --- */

/* Whether in and mark agree as far as both go. */
static bool begins(struct span in, struct span mark)
{
	size_t len = in.len < mark.len ? in.len : mark.len;

	return span_eq(span_first(in, len), span_first(mark, len));
}

enum proxy_verdict proxy_parse(struct span in, struct proxy_header *out)
{
	struct span v1 = SPAN("PROXY ");
	struct span v2 = span_make(signature, sizeof(signature));

	*out = (struct proxy_header){ .len = 0 };
	if (begins(in, v1))
		return in.len < v1.len ? PROXY_MORE : parse_v1(in, out);
	if (begins(in, v2))
		return in.len < v2.len ? PROXY_MORE : parse_v2(in, out);
	return bad(out, COUNTER_PROXY_MISSING);
}
