/* The X-SMTPAPI header of SendGrid's SMTP relay, said in v3's words. */
#pragma once

#include <common/letter.h>

/*
 * Append what the message's X-SMTPAPI asks for as members of the request.
 * 0, -EINVAL after refusing, or another negative errno.
 */
int sendgrid_add_smtpapi(struct letter *l);
