#pragma once

#include <postern/outcome.h>

void mailgun_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
