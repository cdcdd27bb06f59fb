/*
 * Access tokens of the gmail module: a service account that acts for a user
 * of its Workspace.
 */
#pragma once

#include <gmail_settings.h>
#include <postern/provider.h>

/* NULL, or what is wrong with the key (static text). */
const char *gmail_key_check(const struct gmail_settings *s);
int gmail_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r);
