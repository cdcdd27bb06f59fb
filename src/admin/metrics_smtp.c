/*
 * Metrics of connections, sessions, commands, logins and what was refused.
 * All labels are fixed lists (base/counter_labels.h) or names of listeners,
 * and every series is there from the start.
 */
#include <admin/metrics_internal.h>

#include <config/config.h>
#include <policy/peers.h>

static size_t listener_count(const struct metrics *r)
{
	return r->config->listeners.count;
}

static const struct config_listener *listener_at(
    const struct metrics *r, size_t i)
{
	return CONFIG_AT(r->config->listeners, struct config_listener, i);
}

static const char *listener_name(const struct metrics *r, size_t i)
{
	return listener_at(r, i)->name;
}

/* A member of the block of listener i. */
static const counter_value *listener_value(
    const struct metrics *r, size_t i, size_t offset)
{
	const struct counter_listener *c =
	    &r->c->listeners[listener_at(r, i)->slot];

	return (const void *)((const char *)c + offset);
}

/* One family with a sample per listener. */
static void per_listener(struct metrics *r, const char *name,
    enum exposition_type type, const char *help, size_t offset)
{
	exposition_family(&r->x, name, type, help);
	for (size_t i = 0; i < listener_count(r); i++)
		exposition_u64(&r->x, LABELS("listener", listener_name(r, i)),
		    counter_get(listener_value(r, i, offset)));
}

#define LISTENER(field) offsetof(struct counter_listener, field)

/* What a counter is told apart by, besides the listener. */
struct words {
	const char *label;
	const char *const *names;
	size_t count;
};

/* And one per listener and reason; counters of an array in the block. */
static void per_listener_reason(struct metrics *r, const char *name,
    const char *help, size_t offset, struct words reasons)
{
	exposition_family(&r->x, name, EXPOSITION_COUNTER, help);
	for (size_t i = 0; i < listener_count(r); i++) {
		const counter_value *at = listener_value(r, i, offset);

		for (size_t k = 0; k < reasons.count; k++)
			exposition_u64(&r->x,
			    LABELS("listener", listener_name(r, i),
				reasons.label, reasons.names[k]),
			    counter_get(&at[k]));
	}
}

/* A table of counters, rows by columns. */
static void table(struct metrics *r, const char *name, const char *help,
    const counter_value *at, const struct words words[2])
{
	exposition_family(&r->x, name, EXPOSITION_COUNTER, help);
	for (size_t i = 0; i < words[0].count; i++)
		for (size_t k = 0; k < words[1].count; k++)
			exposition_u64(&r->x,
			    LABELS(words[0].label, words[0].names[i],
				words[1].label, words[1].names[k]),
			    counter_get(&at[i * words[1].count + k]));
}

static void render_sessions(struct metrics *r)
{
	per_listener(r, "smtp_connections", EXPOSITION_COUNTER,
	    "Connections accepted.", LISTENER(connections));
	per_listener(r, "smtp_connections_active", EXPOSITION_GAUGE,
	    "Connections open now.", LISTENER(active));
	per_listener_reason(r, "smtp_connections_refused",
	    "Connections turned away at the door.", LISTENER(refused),
	    (struct words){
		"reason", counter_refusal_names, COUNTER_REFUSALS });
	per_listener_reason(r, "proxy_protocol_errors",
	    "Connections dropped for their PROXY header.",
	    LISTENER(proxy_errors),
	    (struct words){
		"reason", counter_proxy_error_names, COUNTER_PROXY_ERRORS });
	per_listener_reason(r, "smtp_sessions_ended",
	    "Sessions, by how they ended.", LISTENER(ended),
	    (struct words){ "reason", counter_end_names, COUNTER_ENDS });
}

static void render_commands(struct metrics *r)
{
	static const char *const classes[COUNTER_REPLY_CLASSES] = { "2", "3",
		"4", "5" };
	const struct words words[] = {
		{ "verb", counter_verb_names, COUNTER_VERBS },
		{ "class", classes, COUNTER_REPLY_CLASSES },
	};

	table(r, "smtp_commands", "Replies to SMTP commands.",
	    &r->c->replies[0][0], words);
	exposition_family(&r->x, "smtp_protocol_violations", EXPOSITION_COUNTER,
	    "What clients did that the protocol does not allow.");
	for (size_t i = 0; i < COUNTER_VIOLATIONS; i++)
		exposition_u64(&r->x,
		    LABELS("kind", counter_violation_names[i]),
		    counter_get(&r->c->violations[i]));
}

static void render_peers(struct metrics *r)
{
	struct peers_stats stats;

	if (!r->a->services.peers)
		return;
	peers_stats(r->a->services.peers, &stats);
	metrics_gauge(r, "smtp_networks_remembered",
	    "Networks of clients with sessions or a past.", stats.networks);
	metrics_gauge(r, "smtp_stress",
	    "1 while sessions are so many that idle ones must give way.",
	    stats.is_stressed);
}

static void render_messages(struct metrics *r)
{
	const struct words words[] = {
		{ "stage", counter_stage_names, COUNTER_STAGES },
		{ "reason", counter_reject_names, COUNTER_REJECTS },
	};

	per_listener(r, "messages_received", EXPOSITION_COUNTER,
	    "Messages answered with 250.", LISTENER(messages));
	per_listener(r, "messages_received_bytes", EXPOSITION_COUNTER,
	    "Bytes of messages answered with 250.", LISTENER(bytes));
	per_listener(r, "recipients_received", EXPOSITION_COUNTER,
	    "Recipients of messages answered with 250.", LISTENER(recipients));
	table(r, "messages_rejected",
	    "Refusals: of messages at mail and data, of recipients at rcpt.",
	    &r->c->rejects[0][0], words);
	exposition_family(&r->x, "message_accept_duration_seconds",
	    EXPOSITION_HISTOGRAM, "From the end of data to the reply.");
	exposition_histogram(&r->x, NO_LABELS, &r->c->accept_latency);
}

static void render_logins(struct metrics *r)
{
	const struct words words[] = {
		{ "mech", counter_mechanism_names, COUNTER_MECHANISMS },
		{ "result", counter_login_names, COUNTER_LOGINS },
	};

	table(r, "auth_attempts", "Logins tried.", &r->c->logins[0][0], words);
	exposition_family(&r->x, "quota_rejections", EXPOSITION_COUNTER,
	    "Messages refused by what a user may send.");
	exposition_u64(
	    &r->x, LABELS("window", "rate"), counter_get(&r->c->rate_refused));
	exposition_u64(
	    &r->x, LABELS("window", "day"), counter_get(&r->c->quota_refused));
}

void metrics_smtp(struct metrics *r)
{
	render_sessions(r);
	render_commands(r);
	render_peers(r);
	render_messages(r);
	render_logins(r);
}
