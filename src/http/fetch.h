/*
 * One small GET on the calling thread, for what is needed now and then and
 * not by a loop. Blocks: pool threads only. Checks certificates, follows no
 * redirects, wants status 200.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <http/http.h>

enum {
	HTTP_FETCH_TIMEOUT_MS = 10000
};

/*
 * The body is appended to out, up to its maximum. 0, or a negative errno with
 * e saying what went wrong. The settings' max_connections does not matter.
 */
int http_fetch(const char *url, const struct http_settings *settings,
    struct buf *out, struct err *e);
