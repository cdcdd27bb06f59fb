/* The classify function of the ses module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void ses_classify(const void *settings, const struct postern_response *response,
    struct postern_outcome *out);
