/* The Received field of a submission (RFC 5321 4.4), for header_rewrite. */
#pragma once

#include <base/buf.h>
#include <mail/header.h>

/* Append the whole field, folded, with its CRLF. 0 or a negative errno. */
int received_add(const struct header_stamp *stamp, struct buf *out);
