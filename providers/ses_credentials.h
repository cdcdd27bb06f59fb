/* Where the ses module gets its keys; see the top of ses_credentials.c. */
#pragma once

#include <postern/provider.h>
#include <ses_settings.h>

enum {
	SES_STATE_SIZE = 1024
};

/* As struct postern_provider has them. */
const char *ses_credentials_check(const struct ses_settings *s);
int ses_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r);
