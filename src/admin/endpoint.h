/* Which path is answered by what. Main loop. */
#pragma once

struct admin;
struct err;
struct httpd_request;

/* Listen on the configured address. 0 or a negative errno with e filled. */
int endpoint_start(struct admin *a, struct err *e);
