/*
 * A bound on what a MIME parser will be made to build, found before it runs:
 * a parser's cost lies in parts and header fields, and a message of a few
 * megabytes can hold millions of either.
 */
#pragma once

#include <mail/message.h>

/*
 * 0, or -E2BIG when the message may hold more parts or header fields than any
 * honest one, or addresses that harm the parser. It can err only to the side
 * of counting too many. Reads a body that lies elsewhere piece by piece:
 * another negative errno when it cannot. Any thread.
 */
int mime_guard_check(const struct message *m);
