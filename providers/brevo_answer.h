/* The classify function of the brevo module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void brevo_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
