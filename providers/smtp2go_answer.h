/* The classify function of the smtp2go module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void smtp2go_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
