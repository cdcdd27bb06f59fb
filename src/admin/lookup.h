/* "Where is my mail?": /api/v1/messages/{id}. Main loop. */
#pragma once

#include <base/span.h>
#include <store/store.h>

#include <jansson.h>

struct admin_services;
struct httpd_request;
struct loop;

enum {
	LOOKUP_SCHEMA_VERSION = 1 /* keys are only ever added */
};

/*
 * Answer r with what the stores know of this message: 200, 400 for what is no
 * id, 404, or 503 when they cannot say now. The stores must outlive the
 * answer, which comes later.
 */
void lookup_start(struct loop *l, const struct admin_services *services,
    struct span id, struct httpd_request *r);
/* What a message is: "mail", "report" to a sender, "event" for the webhook. */
const char *lookup_kind(const struct store_entry *e);
/* What is shown of a recipient. NULL for memory. */
json_t *lookup_recipient(const struct store_recipient *to);
