/*
 * The door of a listener behind a proxy: a connection waits here until its
 * PROXY header has said who the client is, and only then is let in or not.
 * Nothing is sent before. One whose header is bad, late or not its sender's
 * to give is dropped without a word.
 */
#include <smtp/session_internal.h>

#include <base/log.h>
#include <net/conn.h>
#include <net/proxy.h>
#include <policy/peers.h>

#include <stdlib.h>
#include <string.h>

struct door {
	struct list link;
	struct smtp_service *service;
	struct conn *conn;
	struct config *config; /* a reference: a reload may come */
	const struct config_listener *listener;
	struct loop_timer timer;
};

static const struct config_listener *listener_of(
    const struct smtp_service *service, size_t listener)
{
	return CONFIG_AT(
	    service->config->listeners, struct config_listener, listener);
}

static void note_error(struct smtp_service *service, const struct conn *c,
    const struct config_listener *l, enum counter_proxy_error error)
{
	counter_add(&smtp_service_counts(service, l)->proxy_errors[error], 1);
	log_info("proxy_error", SMTP_LOG_CLIENT(c),
	    LOG_STR("listener", l->name),
	    LOG_STR("reason", counter_proxy_error_names[error]));
}

/* The connection goes on without it, or is gone. */
static void door_free(struct door *d)
{
	struct smtp_service *service = d->service;

	loop_timer_stop(service->loop, &d->timer);
	list_remove(&d->link);
	peers_leave(service->peers, NULL);
	service->session_count--;
	config_unref(d->config);
	free(d);
}

static void fail(struct door *d, enum counter_proxy_error error)
{
	note_error(d->service, d->conn, d->listener, error);
	conn_abort(d->conn, CONN_END_LOCAL);
}

/* Its place in the snapshot of now; SIZE_MAX when it is gone. */
static size_t place_of(
    const struct smtp_service *service, const struct config_listener *l)
{
	for (size_t i = 0; i < service->config->listeners.count; i++)
		if (strcmp(listener_of(service, i)->name, l->name) == 0)
			return i;
	return SIZE_MAX;
}

/* The header is complete: what follows it is the client's. */
static void let_in(struct door *d, const struct proxy_header *h)
{
	struct smtp_service *service = d->service;
	struct conn *c = d->conn;
	size_t listener = place_of(service, d->listener);

	if (listener == SIZE_MAX) {
		conn_abort(c, CONN_END_LOCAL);
		return;
	}

	if (!h->is_local) {
		conn_set_peer(c, &h->source);
		conn_set_local(c, &h->destination);
	}
	log_debug("proxy_header", SMTP_LOG_CLIENT(c),
	    LOG_STR("listener", d->listener->name),
	    LOG_SPAN("proxy.authority", h->authority),
	    LOG_SPAN("proxy.tls", h->tls_version));
	buf_consume(conn_in(c), h->len);
	door_free(d);
	smtp_service_admit(service, c, listener, h->is_local);
	conn_resume(c); /* there may be more than the header */
}

static void on_data(struct conn *c, void *ctx)
{
	struct door *d = ctx;
	struct proxy_header h;

	switch (proxy_parse(buf_span(conn_in(c)), &h)) {
	case PROXY_MORE:
		break;
	case PROXY_OK:
		let_in(d, &h);
		break;
	case PROXY_BAD:
		fail(d, h.error);
		break;
	}
}

/* Who only tries whether the port is open sends nothing at all. */
static void on_eof(struct conn *c, void *ctx)
{
	if (buf_len(conn_in(c)) > 0)
		fail(ctx, COUNTER_PROXY_MALFORMED);
	else
		conn_abort(c, CONN_END_PEER);
}

static void on_event(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
}

static void on_closed(struct conn *c, enum conn_end why, void *ctx)
{
	struct door *d = ctx;
	struct smtp_service *service = d->service;

	(void)c;
	(void)why;
	service->session_count++; /* for the call below to take back */
	door_free(d);
	smtp_service_left(service);
}

static const struct conn_ops door_ops = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_event,
	.on_tls = on_event,
	.on_closed = on_closed,
};

static void on_late(struct loop_timer *t)
{
	fail(container_of(t, struct door, timer), COUNTER_PROXY_LATE);
}

/* Count it among all, as long as nobody knows whose it is. */
static bool hold(struct smtp_service *service)
{
	const struct config *c = service->config;

	return !service->is_draining &&
	       peers_enter(service->peers, NULL, &c->smtp, &c->auth).verdict ==
		   PEERS_ADMITTED;
}

static struct door *door_new(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	struct door *d = calloc(1, sizeof(*d));

	if (!d) {
		peers_leave(service->peers, NULL);
		return NULL;
	}
	*d = (struct door){ .service = service,
		.conn = c,
		.config = config_ref(service->config),
		.listener = listener_of(service, listener) };
	list_append(&service->doors, &d->link);
	service->session_count++;
	loop_timer_init(&d->timer, on_late);
	loop_timer_start(
	    service->loop, &d->timer, service->config->smtp.proxy_header_ms);
	return d;
}

void smtp_door_open(
    struct smtp_service *service, struct conn *c, size_t listener)
{
	const struct config_listener *l = listener_of(service, listener);
	struct door *d;

	if (!CONFIG_NETWORKS_HAVE(l->proxy_trusted, conn_peer_addr(c))) {
		note_error(service, c, l, COUNTER_PROXY_UNTRUSTED);
		conn_abort(c, CONN_END_LOCAL);
		return;
	}
	d = hold(service) ? door_new(service, c, listener) : NULL;
	if (!d) {
		counter_add(&smtp_service_counts(service, l)
				 ->refused[COUNTER_REFUSED_FULL],
		    1);
		conn_abort(c, CONN_END_LOCAL);
		return;
	}
	conn_set_ops(c, &door_ops, d);
	conn_start(c);
}

void smtp_door_abort_all(struct smtp_service *service)
{
	list_for_each_safe (pos, tmp, &service->doors)
		conn_abort(
		    container_of(pos, struct door, link)->conn, CONN_END_LOCAL);
}
