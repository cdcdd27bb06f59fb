/* STARTTLS (RFC 3207), and what becomes of handshakes: counted and logged. */
#include <smtp/session_internal.h>

#include <base/log.h>
#include <net/conn.h>
#include <net/tls.h>

enum smtp_next smtp_cmd_starttls(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	if (conn_is_tls(s->conn) || s->listener->tls != CONFIG_TLS_STARTTLS) {
		smtp_session_reply(s, 503, "5.5.1", "STARTTLS is not offered");
		return SMTP_NEXT;
	}
	if (!smtp_session_offers_tls(s)) {
		smtp_session_reply(s, 454, "4.7.0",
		    "TLS not available due to temporary reason");
		return SMTP_NEXT;
	}
	/* What came before the handshake may be somebody else's words. */
	if (buf_len(conn_in(s->conn)) > 0) {
		smtp_session_violation(s, SMTP_INJECTION);
		smtp_session_reply(
		    s, 554, "5.5.0", "SMTP protocol synchronization");
		return smtp_session_close(s, "starttls injection");
	}
	smtp_session_reply(s, 220, "2.0.0", "Ready to start TLS");
	smtp_session_forget(s);
	conn_start_tls(s->conn, s->tls);
	return smtp_session_wait(s, SMTP_WAIT_TLS);
}

void smtp_tls_established(struct smtp_session *s)
{
	const char *doubt = conn_tls_peer_doubt(s->conn);
	struct span version = span_of(conn_tls_version(s->conn));

	for (size_t i = 0; i < COUNTER_TLS_VERSIONS; i++)
		if (span_eq(version, span_of(counter_tls_version_names[i])))
			counter_add(&s->counts->tls_sessions[i], 1);
	if (*doubt)
		log_info("client_certificate_unverified",
		    SMTP_LOG_CLIENT(s->conn), LOG_STR("session_id", s->id),
		    LOG_STR("listener", s->listener->name),
		    LOG_STR("reason", doubt));
}

/* Who leaves in the middle says nothing: a port that is probed is no news. */
void smtp_tls_ended(struct smtp_session *s, enum conn_end why)
{
	bool is_shaking = s->wait == SMTP_WAIT_TLS;
	enum counter_tls_failure kind;
	const char *reason;

	if (why == CONN_END_TLS) {
		kind = conn_tls_failure(s->conn);
		reason = conn_tls_error(s->conn);
	} else if (is_shaking && why == CONN_END_TIMEOUT) {
		kind = COUNTER_TLS_TIMEOUT;
		reason = "the client did not finish the handshake in time";
	} else if (is_shaking &&
		   (why == CONN_END_PEER || why == CONN_END_RESET)) {
		counter_add(
		    &s->service->counters->tls_failures[COUNTER_TLS_CLOSED], 1);
		return;
	} else {
		return;
	}
	counter_add(&s->service->counters->tls_failures[kind], 1);
	log_info("tls_failed", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name),
	    LOG_STR("kind", counter_tls_failure_names[kind]),
	    LOG_STR("reason", reason));
}
