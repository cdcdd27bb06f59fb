/* What operators do to messages that wait. Main loop. */
#pragma once

struct admin;
struct httpd_request;

/* POST /api/v1/queue/{id}/{action}: one message. */
void action_one(struct admin *a, struct httpd_request *r);
/* POST /api/v1/queue/actions: all that a filter means, a part at a time. */
void action_many(struct admin *a, struct httpd_request *r);

#define ACTION_PATH "/api/v1/queue/"
