/*
 * The fields by which Mandrill is steered, as they stand before the message:
 * its API has no other place for them. mail->controls becomes X-MC-Tags,
 * X-MC-Metadata and X-MC-Track.
 */
#pragma once

#include <postern/provider.h>

/*
 * Whole lines in *out; subaccount is that of the settings, or NULL. 0, or what
 * build is to return.
 */
int mandrill_make_fields(const char *subaccount,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r, struct postern_str *out);
