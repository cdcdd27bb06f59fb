/*
 * Answers in the forms the endpoint and the sandbox give: text and JSON,
 * never to be stored by a cache.
 */
#pragma once

#include <admin/httpd.h>
#include <base/span.h>

#include <jansson.h>

void reply_text(struct httpd_request *r, int status, struct span text);
/* Takes the reference; NULL (no memory) is answered 500. */
void reply_json(struct httpd_request *r, int status, json_t *value);
/* {"error": why} */
void reply_error(struct httpd_request *r, int status, const char *why);
/*
 * A JSON string of any bytes: what is not UTF-8 is replaced by question
 * marks. NULL for memory.
 */
json_t *reply_string(struct span text);
/* RFC 3339, or null for 0. */
json_t *reply_time(int64_t wall_ms);
