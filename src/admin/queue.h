/*
 * The queue and the history, as lists: /api/v1/queue and /api/v1/messages.
 * Main loop.
 */
#pragma once

#include <base/err.h>
#include <base/id.h>

struct admin;
struct httpd_request;

/* A page of what waits, newest first. */
void queue_list(struct admin *a, struct httpd_request *r);
/* The same of all there is, finished ones too. */
void queue_list_all(struct admin *a, struct httpd_request *r);
/* The id to go on after: all 0xff for NULL. 0, or -EINVAL with e filled. */
int queue_cursor(const char *text, struct id *out, struct err *e);
