/* The classify function of the mailersend module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void mailersend_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
