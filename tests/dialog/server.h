/* A worker in this process: loop, listener and SMTP service over the fakes. */
#pragma once

#include "settings.h"

#include <base/counters.h>
#include <smtp/session.h>

struct server {
	struct settings *settings;
	struct loop *loop;
	struct listener *listener;
	struct smtp_service service;
	struct counters counters;
	int fd, port;
};

/* certs: of the listener; ownership stays. */
void server_start(struct server *s, struct settings *settings,
    const struct config_tls *certs);
/* Drain: 421 for who is idle. */
void server_drain(struct server *s);
/* Sessions that have not ended. */
size_t server_sessions(struct server *s);
/* Wait until that many messages were handed over; false after 20 s. */
bool server_awaits_submitted(struct server *s, size_t count);
/* Abort what is left and stop. */
void server_stop(struct server *s);
