/*
 * The TLS contexts of one worker: one for each policy and client_auth that a
 * listener speaks, shared by those that agree. Sessions keep the context they
 * began with; the set may be replaced under them.
 */
#pragma once

#include <base/err.h>

struct config;
struct config_listener;
struct tls_ctx;
struct tls_files;
struct tls_set;

/*
 * For all listeners of c with TLS. Any thread, before it is in use; then only
 * the worker's. NULL with e filled.
 */
struct tls_set *tls_set_new(
    const struct tls_files *files, const struct config *c, struct err *e);
void tls_set_free(struct tls_set *s); /* accepts NULL */
/* Borrowed; NULL when s is NULL or knows nothing of what l wants. */
struct tls_ctx *tls_set_find(const struct tls_set *s, const struct config *c,
    const struct config_listener *l);
