/* What the replies of an SMTP server mean. */
#pragma once

#include <postern/outcome.h>

void smtp_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
