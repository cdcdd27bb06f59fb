/*
 * The unix socket of operators. It is made by the account of the server, after
 * what another process hands over, so its folder must be that account's. A
 * server without it serves all the same.
 */
#pragma once

struct config;

/* Before privileges are dropped: make a folder that is missing. */
void admin_socket_prepare(const struct config *c);
/* One that listens, or -1; the log says why. */
int admin_socket_open(const struct config *c);
