/* Is this a message a provider would take as MIME? Pure. */
#pragma once

#include <base/span.h>

/*
 * NULL when it is, else what is wrong: a header and an empty line, a From,
 * no field twice that may stand once, no line above 998 octets.
 */
const char *mime_check(struct span message);
/* First field of that name, trimmed; ptr NULL when absent. */
struct span mime_check_field(struct span message, struct span name);
