/* The classify function of the sendgrid module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

/* is_sandbox: messages are only checked, as the settings ask for. */
void sendgrid_classify(bool is_sandbox, const struct postern_response *response,
    struct postern_outcome *out);
