/* The classify function of the azure module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void azure_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
