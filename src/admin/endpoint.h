/* Which path is answered by what. Main loop. */
#pragma once

struct admin;
struct err;
struct httpd_request;

/*
 * Listen on the configured address and on the socket, as far as there are. 0
 * or a negative errno with e filled; the socket is taken over in any case.
 */
int endpoint_start(struct admin *a, struct err *e);
