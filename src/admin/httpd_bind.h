/* The listening socket of httpd. */
#pragma once

#include <base/err.h>

/*
 * Bind and listen on "127.0.0.1:8587", "[::1]:8587", ":8587" (all addresses)
 * or "localhost:8587". Returns a descriptor, which is non-blocking, and its
 * port; or a negative errno with e filled.
 */
int httpd_bind(const char *address, int *out_port, struct err *e);
