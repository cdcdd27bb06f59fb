/* The classify function of the mailjet module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void mailjet_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
