/*
 * The message for an API that takes no envelope but mails to whom To, Cc and
 * Bcc of the message name, and takes Bcc out before it does.
 */
#pragma once

#include <postern/provider.h>

/*
 * Append the message with To and Cc cut down to the recipients of this call,
 * by the rules of split_recipients, and the others in a Bcc. These fields are
 * always written anew: what a provider would read out of others, or out of
 * ones that are malformed, is not known. Needs mail->content. 0 or a negative
 * errno.
 */
int addressed_body(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r,
    enum postern_encoding encoding);
