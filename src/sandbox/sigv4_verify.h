/*
 * The other side of AWS Signature Version 4: recompute what a request should
 * have been signed with. Written apart from the signer in the SES module on
 * purpose: two implementations that agree check each other. Pure.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stddef.h>
#include <stdint.h>

struct sigv4_header {
	const char *name, *value;
};

/* As it came over the wire. */
struct sigv4_request {
	const char *method;
	struct span path, query;
	const struct sigv4_header *headers;
	size_t header_count;
	struct span body;
};

struct sigv4_keys {
	const char *key_id, *secret, *service;
};

enum sigv4_verdict {
	SIGV4_OK = 0,
	SIGV4_MISSING,     /* no Authorization header */
	SIGV4_INCOMPLETE,  /* malformed, or does not sign what it must */
	SIGV4_UNKNOWN_KEY, /* of another account */
	SIGV4_EXPIRED,     /* more than 15 minutes behind or ahead */
	SIGV4_MISMATCH
};

/*
 * The query is taken in the order it came, so a client must send it sorted.
 * On a verdict other than OK why says what was found.
 */
enum sigv4_verdict sigv4_verify(const struct sigv4_request *r,
    const struct sigv4_keys *keys, int64_t now_s, struct err *why);
