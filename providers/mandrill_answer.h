/* The classify function of the mandrill module. */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

void mandrill_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);
