/*
 * What the one who sends may have: size and recipients of a message, whom to
 * write to. What of it does not depend on the session is in user.c.
 */
#include <smtp/session_internal.h>

#include <smtp/user.h>

uint64_t smtp_rights_size(const struct smtp_session *s)
{
	return smtp_user_size(s->config, smtp_session_identity(s));
}

const char *smtp_rights_size_code(const struct smtp_session *s)
{
	bool is_own = smtp_rights_size(s) < s->config->smtp.max_message_size;

	return is_own ? "5.2.3" : "5.3.4";
}

int64_t smtp_rights_recipients(const struct smtp_session *s)
{
	return smtp_user_recipients(s->config, smtp_session_identity(s));
}

bool smtp_rights_allow(struct smtp_session *s, struct span recipient)
{
	switch (smtp_user_rcpt(s->config, s->tx->user, recipient)) {
	case SMTP_USER_RCPT_OK:
		return true;
	case SMTP_USER_RCPT_FOREIGN:
		smtp_session_reply(
		    s, 550, "5.7.1", "Recipient address not allowed for user");
		break;
	case SMTP_USER_RCPT_SUPPRESSED:
		smtp_session_reply(s, 550, "5.1.1", "Recipient suppressed");
		break;
	}
	return false;
}
