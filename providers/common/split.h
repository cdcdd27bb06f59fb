/*
 * Envelope recipients sorted into the lists of a JSON API: such an API mails
 * to exactly the addresses of its To, Cc and Bcc and builds the header from
 * the same lists, so the header's lists are cut down to the envelope.
 */
#pragma once

#include <postern/mail.h>
#include <postern/provider.h>

struct split {
	const struct postern_address *to, *cc, *bcc;
	size_t to_count, cc_count, bcc_count;
};

/*
 * Needs mail->content. Every recipient is in exactly one list: To and Cc in
 * the order of the header and with its display names, the rest in Bcc. Header
 * addresses that are no recipient vanish. 0 or -ENOMEM.
 */
int split_recipients(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r,
    struct split *out);
