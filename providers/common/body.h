/*
 * Pieces of JSON appended to a request's body. Failures stick in the request
 * and come out of any later service, so most calls need no check.
 */
#pragma once

#include <common/str.h>
#include <postern/provider.h>

/* JSON text as it is. */
static inline int body_add(const struct postern_host *host,
    struct postern_request *r, const char *json)
{
	return host->body(r, json, strlen(json));
}

/* A string with its quotes, escaped. */
static inline int body_add_string(const struct postern_host *host,
    struct postern_request *r, struct postern_str s)
{
	(void)host->body(r, "\"", 1);
	(void)host->body_json(r, s);
	return host->body(r, "\"", 1);
}

/* prefix, then a string: for a member after its comma. */
static inline int body_add_member(const struct postern_host *host,
    struct postern_request *r, const char *prefix, struct postern_str s)
{
	(void)body_add(host, r, prefix);
	return body_add_string(host, r, s);
}
