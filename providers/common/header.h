/* Fields of a message's header, looked up. */
#pragma once

#include <common/str.h>
#include <postern/mail.h>

/* The value of the first field of this name; ptr NULL when there is none. */
static inline struct postern_str header_value(
    const struct postern_mail *mail, const char *name)
{
	for (size_t i = 0; i < mail->header_count; i++) {
		if (str_ieq(mail->headers[i].name, str_of(name)))
			return mail->headers[i].value;
	}
	return str_make(NULL, 0);
}
