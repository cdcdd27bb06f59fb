/* STARTTLS (RFC 3207). */
#include <smtp/session_internal.h>

#include <net/conn.h>

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
	conn_start_tls(s->conn, s->service->tls);
	return smtp_session_wait(s, SMTP_WAIT_TLS);
}
