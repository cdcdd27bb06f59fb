/*
 * X-MSYS-API: the field with JSON in it by which applications steer
 * SparkPost's SMTP service. Its REST API does not read it.
 */
#pragma once

#include <postern/provider.h>

#include <jansson.h>

/*
 * What the field of this message says, and mail->controls, which goes before,
 * as an object in *out; json_decref it. 0 or what build is to return.
 */
int sparkpost_read_msys(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r, json_t **out);
/* Its options with a counterpart, and of the right type, set in options. */
void sparkpost_set_options(const json_t *api, json_t *options);
