/* A line taken apart into verb and arguments. Pure. */
#pragma once

#include <base/span.h>

struct smtp_command {
	struct span verb; /* may be empty or anything printable */
	struct span args; /* without outer spaces; "" when absent */
};

/*
 * 0, or -EILSEQ for a byte no command may hold: controls, and what is not
 * UTF-8. The spans borrow line.
 */
int smtp_command_parse(struct span line, struct smtp_command *out);
/*
 * Whether a first line comes from a program that speaks something else: an
 * HTTP request, or a header line of one.
 */
bool smtp_command_is_foreign(const struct smtp_command *cmd);
