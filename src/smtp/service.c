/*
 * What the sessions of a worker have in common: how they begin, what becomes
 * of all of them under stress, and how all of them end.
 */
#include <smtp/session_internal.h>

#include <net/conn.h>
#include <net/tls_set.h>
#include <policy/peers.h>

#include <assert.h>

struct counter_listener *smtp_service_counts(
    struct smtp_service *service, const struct config_listener *l)
{
	return &service->counters->listeners[l->slot];
}

/* Stress has come or gone: who waits idly has less time, or more. */
static void follow_stress(struct smtp_service *service)
{
	bool is_stressed = peers_is_stressed(service->peers);

	if (is_stressed == service->is_stressed)
		return;
	service->is_stressed = is_stressed;
	list_for_each_safe (pos, tmp, &service->sessions) {
		smtp_session_retime(
		    container_of(pos, struct smtp_session, link));
	}
}

void smtp_session_start(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	const struct config_listener *l = CONFIG_AT(
	    service->config->listeners, struct config_listener, listener);

	if (l->proxy_protocol == CONFIG_PROXY_REQUIRED)
		smtp_door_open(service, c, listener);
	else
		smtp_service_admit(service, c, listener, false);
}

void smtp_service_admit(struct smtp_service *service, struct conn *c,
    size_t listener, bool is_probe)
{
	struct peer *peer = NULL;

	if (smtp_abuse_admit(service, c, listener, &peer) &&
	    !smtp_session_open(service, c, listener, peer, is_probe)) {
		smtp_abuse_leave(service, peer);
		smtp_abuse_refuse(service, c, listener, COUNTER_REFUSED_MEMORY);
	}
	follow_stress(service);
}

void smtp_service_left(struct smtp_service *service)
{
	follow_stress(service);
	if (--service->session_count == 0 && service->on_empty)
		service->on_empty(service->ctx);
}

void smtp_service_init(struct smtp_service *service, struct loop *loop)
{
	*service = (struct smtp_service){ .loop = loop };
	list_init(&service->sessions);
	list_init(&service->doors);
	smtp_room_init(service);
}

void smtp_service_finish(struct smtp_service *service)
{
	assert(list_is_empty(&service->sessions));
	assert(list_is_empty(&service->doors));
	smtp_service_set_tls(service, NULL);
}

void smtp_service_set_tls(struct smtp_service *service, struct tls_set *set)
{
	tls_set_free(service->tls);
	service->tls = set;
}

void smtp_service_drain(struct smtp_service *service)
{
	service->is_draining = true;
	smtp_door_abort_all(service);
	list_for_each_safe (pos, tmp, &service->sessions) {
		smtp_session_drain(
		    container_of(pos, struct smtp_session, link));
	}
}

void smtp_service_abort(struct smtp_service *service)
{
	service->is_draining = true;
	smtp_door_abort_all(service);
	list_for_each_safe (pos, tmp, &service->sessions) {
		struct smtp_session *s =
		    container_of(pos, struct smtp_session, link);

		conn_abort(s->conn, CONN_END_LOCAL);
	}
}
