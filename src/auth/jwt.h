/*
 * Tokens that say who somebody is: signed JWTs (RFC 7519, RFC 8725). Pure;
 * any thread. Private to auth.
 */
#pragma once

#include <auth/jwk.h>
#include <base/span.h>

#include <stdint.h>

enum {
	JWT_SIZE_MAX = 8192,
	JWT_SKEW_S = 60, /* by which clocks may differ */
	JWT_NAME_SIZE = 321
};

struct jwt_rules {
	const char *issuer, *audience;
	const char *claim; /* whose value is the user's name */
	int64_t now_s;     /* since 1970 */
};

enum jwt_verdict {
	JWT_GOOD = 0,
	JWT_BAD,
	JWT_UNSIGNED /* well, if there were a key that made its signature */
};

struct jwt_result {
	char name[JWT_NAME_SIZE]; /* GOOD: the claim, as it is */
	const char *why;          /* else: for the log; static */
};

/* keys NULL: there are none yet, and no token is good. */
enum jwt_verdict jwt_verify(struct span token, const struct jwk_set *keys,
    const struct jwt_rules *rules, struct jwt_result *out);
