/*
 * What steers a message at SendGrid, in v3's words: the X-SMTPAPI field of its
 * SMTP relay, and mail->controls, which goes before.
 */
#pragma once

#include <common/letter.h>

/*
 * Append it as members of the request, with is_sandbox one that has it checked
 * but not sent. 0, -EINVAL after refusing, or another
 * negative errno.
 */
int sendgrid_add_controls(struct letter *l, bool is_sandbox);
