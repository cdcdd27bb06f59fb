/* The classify function of the sparkpost module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void sparkpost_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
