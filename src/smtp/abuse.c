/*
 * Where sessions meet the limits of policy/peers: who is let in, what is said
 * to the others, and how much patience there is with those inside.
 */
#include <smtp/session_internal.h>

#include <smtp/reply.h>

#include <base/log.h>
#include <net/conn.h>
#include <policy/peers.h>
#include <policy/pressure.h>
#include <store/store.h>

#include <errno.h>
#include <stdio.h>

enum {
	STRESS_COMMAND_MS = 10 * 1000,
	STRESS_HARD_ERRORS = 1,
	STRESS_JUNK_COMMANDS = 1,
	TEXT_MAX = 128
};

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

/* Who comes, and where. */
struct arrival {
	struct smtp_service *service;
	const struct config *config;
	const struct config_listener *listener;
	const struct conn *conn;
	bool is_named; /* by XCLIENT, so this is the client */
};

static struct arrival arrive(
    struct smtp_service *service, const struct conn *c, size_t listener)
{
	const struct config *config = service->config;

	return (struct arrival){ .service = service,
		.config = config,
		.listener = CONFIG_AT(
		    config->listeners, struct config_listener, listener),
		.conn = c };
}

struct refusal {
	enum counter_refusal reason;
	bool is_news; /* worth a line in the log */
};

/* text: for a reply that names the address. */
static struct smtp_reply reply_of(
    enum counter_refusal reason, const struct conn *c, char text[TEXT_MAX])
{
	static const struct smtp_reply replies[COUNTER_REFUSALS] = {
		[COUNTER_REFUSED_ACCESS] = { 554, "5.7.1", "Access denied",
		    NULL },
		[COUNTER_REFUSED_SESSIONS] = { 421, "4.7.0", NULL, NULL },
		[COUNTER_REFUSED_RATE] = { 421, "4.7.0", NULL, NULL },
		[COUNTER_REFUSED_LOGINS] = { 421, "4.7.0",
		    "Too many failed authentications", NULL },
		[COUNTER_REFUSED_FULL] = { 421, "4.3.2",
		    "Too busy, try again later", NULL },
		[COUNTER_REFUSED_PRESSURE] = { 421, "4.3.2",
		    "Too busy, try again later", NULL },
		[COUNTER_REFUSED_STORAGE] = { 421, "4.3.2",
		    "Not accepting mail", NULL },
		[COUNTER_REFUSED_SHUTDOWN] = { 421, "4.3.2", "Shutting down",
		    NULL },
		[COUNTER_REFUSED_MEMORY] = { 421, "4.3.0",
		    "Temporary system problem", NULL },
	};
	struct smtp_reply reply = replies[reason];

	(void)snprintf(
	    text, TEXT_MAX, "Too many connections from %s", conn_peer(c));
	if (!reply.text)
		reply.text = text;
	return reply;
}

/* What an address did to itself is abuse; that we are full is not. */
static void log_refused(
    const struct arrival *a, const struct refusal *r, const char *id)
{
	bool is_ours = r->reason == COUNTER_REFUSED_FULL;

	if (!r->is_news)
		return;
	if (r->reason == COUNTER_REFUSED_ACCESS) /* by allow_from */
		log_info("access_denied", SMTP_LOG_CLIENT(a->conn),
		    LOG_STR("session_id", id),
		    LOG_STR("listener", a->listener->name));
	else
		log_warn(is_ours ? "connection_refused" : "abuse_limit",
		    SMTP_LOG_CLIENT(a->conn), LOG_STR("session_id", id),
		    LOG_STR("listener", a->listener->name),
		    LOG_STR("kind", counter_refusal_names[r->reason]));
}

static void note_refused(
    const struct arrival *a, const struct refusal *r, const char *id)
{
	log_refused(a, r, id);
	counter_add(
	    &smtp_service_counts(a->service, a->listener)->refused[r->reason],
	    1);
}

static void turn_away(
    const struct arrival *a, struct conn *c, const struct refusal *r)
{
	char text[TEXT_MAX], line[SMTP_REPLY_MAX], id[ID_TEXT_SIZE];
	struct smtp_reply reply = reply_of(r->reason, c, text);

	id_format(id_make(), id);
	reply.ref = id;
	note_refused(a, r, id);
	conn_set_ops(c, &refused_ops, NULL);
	/* Before a handshake there is no way to say it. */
	if (a->listener->tls != CONFIG_TLS_IMPLICIT)
		conn_write(c, line, smtp_reply_format(&reply, line));
	conn_close(c);
}

void smtp_abuse_refuse(struct smtp_service *service, struct conn *c,
    size_t listener, enum counter_refusal reason)
{
	struct arrival a = arrive(service, c, listener);

	turn_away(&a, c, &(struct refusal){ .reason = reason });
}

/* --- who is let in --- */

static enum counter_refusal refusal_of(enum peers_verdict verdict)
{
	switch (verdict) {
	case PEERS_TOO_MANY:
		return COUNTER_REFUSED_SESSIONS;
	case PEERS_TOO_FAST:
		return COUNTER_REFUSED_RATE;
	case PEERS_FAILED_LOGINS:
		return COUNTER_REFUSED_LOGINS;
	case PEERS_ADMITTED:
	case PEERS_FULL:
		break;
	}
	return COUNTER_REFUSED_FULL;
}

/* Whether someone on this listener may send what is never stored. */
static bool has_direct_mode(const struct arrival *a)
{
	const struct config *c = a->config;
	int mode = a->listener->mode;

	if (mode == CONFIG_MODE_INHERIT)
		mode = c->queue.mode;
	for (size_t i = 0; i < c->users.count; i++) {
		int own = CONFIG_AT(c->users, struct config_user, i)->mode;

		if (own == CONFIG_MODE_DIRECT ||
		    (own == CONFIG_MODE_INHERIT && mode == CONFIG_MODE_DIRECT))
			return true;
	}
	return false;
}

/* Nothing can be taken: a client with several servers should ask another. */
static bool is_broken(const struct arrival *a)
{
	int rc = store_check(a->service->store);

	return rc < 0 && rc != -ENOSPC && !has_direct_mode(a);
}

/*
 * Where there is no TLS to ask for and not everybody may do without it, only
 * those may who are named.
 */
static bool is_allowed(const struct arrival *a)
{
	const struct config_listener *l = a->listener;
	const struct netaddr *peer = conn_peer_addr(a->conn);
	bool is_named_only = l->tls == CONFIG_TLS_NONE && !l->allow_insecure;

	if (is_named_only && !CONFIG_NETWORKS_HAVE(l->plaintext_from, peer))
		return false;
	return l->allow_from.count == 0 ||
	       CONFIG_NETWORKS_HAVE(l->allow_from, peer);
}

/* What stands against a client, other than how many there are. */
static bool is_unwelcome(const struct arrival *a, struct refusal *out)
{
	if (a->service->is_draining)
		out->reason = COUNTER_REFUSED_SHUTDOWN;
	else if (!is_allowed(a))
		out->reason = COUNTER_REFUSED_ACCESS;
	else if (is_broken(a))
		out->reason = COUNTER_REFUSED_STORAGE;
	else if (pressure_asks(a->service->pressure, PRESSURE_NO_SESSIONS))
		out->reason = COUNTER_REFUSED_PRESSURE;
	else
		return false;
	out->is_news = out->reason == COUNTER_REFUSED_ACCESS;
	return true;
}

/*
 * Whose limits count. Who may name another client is not one itself: what its
 * clients do must not shut it out, so it counts in the total only until it has
 * named one.
 */
static const struct netaddr *counted(const struct arrival *a)
{
	const struct netaddr *peer = conn_peer_addr(a->conn);

	return a->is_named ||
		       !CONFIG_NETWORKS_HAVE(a->listener->xclient_trusted, peer)
		   ? peer
		   : NULL;
}

/* Count it in, or say what stands against that. */
static bool enter(
    const struct arrival *a, struct peer **out_peer, struct refusal *out)
{
	struct peers_visit visit;

	if (is_unwelcome(a, out))
		return false;
	visit = peers_enter(
	    a->service->peers, counted(a), &a->config->smtp, &a->config->auth);
	*out_peer = visit.peer;
	*out = (struct refusal){ .reason = refusal_of(visit.verdict),
		.is_news = visit.is_news };
	return visit.verdict == PEERS_ADMITTED;
}

bool smtp_abuse_admit(struct smtp_service *service, struct conn *c,
    size_t listener, struct peer **out_peer)
{
	struct arrival a = arrive(service, c, listener);
	struct refusal r;

	if (enter(&a, out_peer, &r))
		return true;
	turn_away(&a, c, &r);
	return false;
}

bool smtp_abuse_readmit(struct smtp_session *s)
{
	/* By the session's own snapshot: the service's may be a later one. */
	struct arrival a = { .service = s->service,
		.config = s->config,
		.listener = s->listener,
		.conn = s->conn,
		.is_named = true };
	struct refusal r;
	struct smtp_reply reply;
	char text[TEXT_MAX];

	smtp_abuse_leave(s->service, s->peer);
	s->peer = NULL;
	s->is_admitted = enter(&a, &s->peer, &r);
	if (s->is_admitted)
		return true;
	note_refused(&a, &r, s->id);
	reply = reply_of(r.reason, s->conn, text);
	smtp_session_reply(s, reply.code, reply.enhanced, "%s", reply.text);
	return false;
}

void smtp_abuse_leave(struct smtp_service *service, struct peer *peer)
{
	peers_leave(service->peers, peer);
}

/* --- inside --- */

void smtp_abuse_log(const struct smtp_session *s, const char *kind)
{
	log_warn("abuse_limit", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name), LOG_STR("kind", kind));
}

bool smtp_abuse_log_in(struct smtp_session *s, const struct config_user *user)
{
	if (!peers_user_enter(s->service->peers, user->name,
		s->config->smtp.sessions_per_user))
		return false;
	s->user = user;
	return true;
}

void smtp_abuse_log_out(struct smtp_session *s)
{
	if (s->user)
		peers_user_leave(s->service->peers, s->user->name);
	s->user = NULL;
}

bool smtp_abuse_is_locked_out(const struct smtp_session *s)
{
	return peers_is_locked_out(
	    s->service->peers, s->peer, &s->config->auth);
}

/* Exempt clients are those we are here for: stress is not their doing. */
static bool is_stressed(const struct smtp_session *s)
{
	return s->peer && peers_is_stressed(s->service->peers);
}

uint64_t smtp_abuse_command_ms(const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	uint64_t ms = limits->command_timeout_ms;

	if (s->state == SMTP_ST_AUTH)
		ms = limits->auth_step_timeout_ms;
	else if (!s->has_spoken)
		ms = limits->first_command_timeout_ms;
	if (is_stressed(s) && (ms == 0 || ms > STRESS_COMMAND_MS))
		ms = STRESS_COMMAND_MS;
	return ms;
}

int64_t smtp_abuse_hard_errors(const struct smtp_session *s)
{
	return is_stressed(s) ? STRESS_HARD_ERRORS
			      : s->config->smtp.hard_errors;
}

int64_t smtp_abuse_junk_commands(const struct smtp_session *s)
{
	return is_stressed(s) ? STRESS_JUNK_COMMANDS
			      : s->config->smtp.junk_commands;
}
