/* The X-SMTPAPI header of SendGrid's SMTP relay, said in v3's words. */
#pragma once

#include <postern/mail.h>
#include <postern/provider.h>

/*
 * Append what the message's X-SMTPAPI asks for as members of the request,
 * each after a comma. 0, -EINVAL after refusing, or another negative errno.
 */
int sendgrid_add_smtpapi(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r);
