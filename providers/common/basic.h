/* HTTP Basic authentication (RFC 7617). */
#pragma once

#include <postern/provider.h>

/* Add the Authorization header. 0 or a negative errno. */
int basic_authorize(const struct postern_host *host, struct postern_request *r,
    const char *user, struct postern_secret password);
