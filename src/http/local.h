/*
 * One request to a server of this machine, at a unix socket, on the calling
 * thread. For commands: it blocks.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>

enum {
	HTTP_LOCAL_TIMEOUT_MS = 120 * 1000
};

struct http_local {
	const char *socket; /* path */
	const char *method;
	const char *path; /* with query, encoded */
	struct span body; /* JSON; empty: none */
};

/*
 * The answer's body is appended to out, up to its maximum. Its status, or a
 * negative errno with e filled; -ECONNREFUSED: nobody answers there.
 */
int http_local_ask(const struct http_local *h, struct buf *out, struct err *e);
/* Percent-encode s, for a part of a path or query, at the end of out. */
int http_local_encode(struct span s, struct buf *out);
