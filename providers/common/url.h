/* Joining the address of an API: a base that may be overridden, and a path. */
#pragma once

#include <postern/provider.h>

/* base without its final slash, then path; NULL for memory. */
const char *url_join(const struct postern_host *host, struct postern_request *r,
    const char *base, const char *path);
/* What a client sends as Host for a URL: the authority without user. */
struct postern_str url_host(const char *url);
/* From the slash after the authority on; "/" when there is none. */
const char *url_path(const char *url);
