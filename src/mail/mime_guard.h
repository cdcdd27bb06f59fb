/*
 * A bound on what a MIME parser will be made to build, found before it runs:
 * a parser's cost lies in parts and header fields, and a message of a few
 * megabytes can hold millions of either.
 */
#pragma once

#include <base/span.h>

/*
 * 0, or -E2BIG when the message may hold more parts or header fields than any
 * honest one, or addresses that harm the parser. It can err only to the side
 * of counting too many.
 */
int mime_guard_check(struct span header, struct span body);
