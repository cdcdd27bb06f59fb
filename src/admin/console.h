/*
 * What operators may do, at the unix socket only. Main loop; each function
 * answers r, perhaps later.
 */
#pragma once

struct admin;
struct httpd_request;

/* Read the configuration again: 200, or 422 with what is wrong. */
void console_reload(struct admin *a, struct httpd_request *r);
