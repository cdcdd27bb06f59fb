/*
 * What steers a message at Mailgun, as fields of the form: X-Mailgun-* of its
 * SMTP relay, and mail->controls, which goes before.
 */
#pragma once

#include <common/form.h>

/* As the module's table has it. */
extern const char *const mailgun_control_fields[];
/* 0 or what build is to return: -EINVAL after refusing. */
int mailgun_add_options(const struct form *f, const struct postern_mail *mail);
