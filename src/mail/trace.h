/*
 * Received fields that came with a message: what they tell about its way.
 * Pure. The field this server adds is in mail/received.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>

/* Whether this server, under that name, wrote the field. */
bool trace_is_ours(struct span value, const char *hostname);
/*
 * Whether it names an address of a private network, of this machine or of one
 * link (RFC 1918, 4193, 3927, 4291), as Received writes them: [192.0.2.1] or
 * [IPv6:2001:db8::1].
 */
bool trace_is_internal(struct span value);
