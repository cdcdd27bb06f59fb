/*
 * Mailboxes and paths of RFC 5321 4.1.2 and, for UTF-8, RFC 6531 3.3. Pure:
 * spans into what was parsed.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>

/* RFC 5321 4.5.3.1.1-3, in octets. */
enum {
	SMTP_LOCAL_MAX = 64,
	SMTP_DOMAIN_MAX = 255,
	SMTP_PATH_MAX = 256,
	SMTP_LABEL_MAX = 63
};

struct smtp_address {
	struct span whole; /* addr-spec; empty for the null path */
	struct span local, domain;
	bool is_literal; /* the domain is [..] */
	bool is_utf8;    /* holds a byte above 127 */
};

enum smtp_address_result {
	SMTP_ADDRESS_OK = 0,
	SMTP_ADDRESS_NO_PATH, /* not even "<" there */
	SMTP_ADDRESS_BAD
};

/* An addr-spec that takes the whole of s. */
enum smtp_address_result smtp_address_parse(
    struct span s, struct smtp_address *out);
/*
 * A path at the start of s; "<>" gives an empty address. A source route is
 * checked and left out. *out_rest is what follows ">", which is nothing or
 * starts with a space.
 */
enum smtp_address_result smtp_address_parse_path(
    struct span s, struct smtp_address *out, struct span *out_rest);
/*
 * The same without brackets, as old devices send it: an addr-spec up to a
 * space or the end, never the null path.
 */
enum smtp_address_result smtp_address_parse_bare(
    struct span s, struct smtp_address *out, struct span *out_rest);
/* A domain with a dot, or a literal (RFC 6409 4.2). */
bool smtp_address_is_qualified(const struct smtp_address *a);
