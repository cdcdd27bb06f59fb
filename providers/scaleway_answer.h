/* The classify function of the scaleway module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void scaleway_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
