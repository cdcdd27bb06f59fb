/*
 * What the sessions of a worker have in common: who is let in, and how all of
 * them end.
 */
#include <smtp/session_internal.h>

#include <smtp/reply.h>

#include <net/conn.h>

#include <assert.h>
#include <stdio.h>

struct counter_listener *smtp_service_counts(
    struct smtp_service *service, size_t listener)
{
	if (listener >= COUNTER_LISTENERS_MAX)
		listener = COUNTER_LISTENERS_MAX - 1;
	return &service->counters->listeners[listener];
}

/* --- refused at the door: a line, and no session --- */

static void refused_event(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
}

static void refused_closed(struct conn *c, enum conn_end why, void *ctx)
{
	(void)c;
	(void)why;
	(void)ctx;
}

static const struct conn_ops refused_ops = {
	.on_data = refused_event,
	.on_eof = refused_event,
	.on_drained = refused_event,
	.on_tls = refused_event,
	.on_closed = refused_closed,
};

static void refuse(struct smtp_service *service, struct conn *c,
    size_t listener, const char *enhanced, const char *text)
{
	const struct config_listener *l = CONFIG_AT(
	    service->config->listeners, struct config_listener, listener);
	struct smtp_reply reply = {
		.code = 421, .enhanced = enhanced, .text = text
	};
	char line[SMTP_REPLY_MAX];

	counter_add(&smtp_service_counts(service, listener)->refused, 1);
	conn_set_ops(c, &refused_ops, NULL);
	/* Before a handshake there is no way to say it. */
	if (l->tls != CONFIG_TLS_IMPLICIT)
		conn_write(c, line, smtp_reply_format(&reply, line));
	conn_close(c);
}

/* False when the connection was refused. */
static bool admit(struct smtp_service *service, struct conn *c, size_t listener)
{
	char text[128];

	if (service->is_draining) {
		refuse(service, c, listener, "4.3.2", "Shutting down");
		return false;
	}
	switch (smtp_limits_enter(
	    service->limits, conn_peer_addr(c), &service->config->smtp)) {
	case SMTP_ADMIT:
		return true;
	case SMTP_ADMIT_TOO_MANY:
		(void)snprintf(text, sizeof(text),
		    "Too many connections from %s", conn_peer(c));
		refuse(service, c, listener, "4.7.0", text);
		return false;
	case SMTP_ADMIT_FULL:
		break;
	}
	refuse(service, c, listener, "4.3.2", "Too busy, try again later");
	return false;
}

void smtp_session_start(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	if (!admit(service, c, listener))
		return;
	if (smtp_session_open(service, c, listener))
		return;
	smtp_limits_leave(service->limits, conn_peer_addr(c));
	conn_abort(c, CONN_END_MEMORY);
}

void smtp_service_init(struct smtp_service *service, struct loop *loop)
{
	*service = (struct smtp_service){ .loop = loop };
	list_init(&service->sessions);
}

void smtp_service_finish(struct smtp_service *service)
{
	assert(list_is_empty(&service->sessions));
	(void)service;
}

void smtp_service_drain(struct smtp_service *service)
{
	service->is_draining = true;
	list_for_each_safe (pos, tmp, &service->sessions) {
		smtp_session_drain(
		    container_of(pos, struct smtp_session, link));
	}
}

void smtp_service_abort(struct smtp_service *service)
{
	service->is_draining = true;
	list_for_each_safe (pos, tmp, &service->sessions) {
		struct smtp_session *s =
		    container_of(pos, struct smtp_session, link);

		conn_abort(s->conn, CONN_END_LOCAL);
	}
}
