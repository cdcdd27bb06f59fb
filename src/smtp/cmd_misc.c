/* The small ones. */
#include <smtp/session_internal.h>

enum smtp_next smtp_cmd_rset(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_tx_drop(s, "reset by the client");
	smtp_session_reply(s, 250, "2.0.0", "Ok");
	return SMTP_NEXT;
}

enum smtp_next smtp_cmd_noop(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_session_reply(s, 250, "2.0.0", "Ok");
	return SMTP_NEXT;
}

enum smtp_next smtp_cmd_quit(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_tx_drop(s, "the client quit");
	smtp_session_reply(s, 221, "2.0.0", "Bye");
	return smtp_session_close(s, "quit");
}

/* Always the same, so that it tells nothing. */
enum smtp_next smtp_cmd_vrfy(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_session_reply(
	    s, 252, "2.0.0", "Cannot verify, but will take the message");
	return SMTP_NEXT;
}

enum smtp_next smtp_cmd_help(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_session_reply(s, 214, "2.0.0",
	    "Commands: AUTH BDAT DATA EHLO HELO HELP MAIL NOOP QUIT RCPT RSET "
	    "STARTTLS VRFY");
	return SMTP_NEXT;
}

enum smtp_next smtp_cmd_unimplemented(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	smtp_session_reply(s, 502, "5.5.1", "Command not implemented");
	return SMTP_NEXT;
}
