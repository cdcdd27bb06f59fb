/*
 * The token endpoints of fakes: forms read, access tokens made and told apart
 * from others. A token holds who issued it and when it ends, and a code over
 * both, so none is kept.
 */
#pragma once

#include <sandbox/fake.h>

#include <stdbool.h>

enum {
	OAUTH_VALUE_SIZE = 4096,
	OAUTH_LIFETIME_S = 3599 /* as Microsoft and Google have it */
};

/*
 * The value of a field of a form, decoded and NUL-terminated. False when it is
 * missing, there twice, malformed or too long.
 */
bool oauth_field(struct span form, const char *name, char *out, size_t size);
/* {"error", "error_description"} */
void oauth_refuse(struct fake_answer *out, int status, const char *error,
    const char *description);
/* A fresh token of that issuer. */
void oauth_grant(struct fake_answer *out, const char *issuer);
/* Whether r comes with "Bearer", and a token of that issuer before its end. */
bool oauth_is_authorized(struct httpd_request *r, const char *issuer);
