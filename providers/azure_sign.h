/* Signing a request with an access key of Azure Communication Services. */
#pragma once

#include <postern/provider.h>

#include <stdbool.h>

/* Whether it is base64 of a length that keys have. */
bool azure_is_key(struct postern_secret access_key);
/*
 * Add the fields that prove it: date, digest of the body as it is now, and
 * signature. url: of this POST; now: wall clock, seconds. 0 or a negative
 * errno.
 */
int azure_sign(const char *url, struct postern_secret access_key, int64_t now,
    const struct postern_host *host, struct postern_request *r);
