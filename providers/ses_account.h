/* The inquire function of the ses module. */
#pragma once

#include <postern/provider.h>

int ses_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r);
