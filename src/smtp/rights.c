/*
 * What the one who sends may have: size and recipients of a message, whom to
 * write to. A user's own limits can only be narrower than those of all.
 */
#include <smtp/session_internal.h>

uint64_t smtp_rights_size(const struct smtp_session *s)
{
	const struct config_user *user = smtp_session_identity(s);
	uint64_t all = s->config->smtp.max_message_size;
	uint64_t own = user ? user->max_message_size : 0;

	return own > 0 && own < all ? own : all;
}

const char *smtp_rights_size_code(const struct smtp_session *s)
{
	bool is_own = smtp_rights_size(s) < s->config->smtp.max_message_size;

	return is_own ? "5.2.3" : "5.3.4";
}

int64_t smtp_rights_recipients(const struct smtp_session *s)
{
	const struct config_user *user = smtp_session_identity(s);
	int64_t all = s->config->smtp.max_recipients;
	int64_t own = user ? user->max_recipients : 0;

	return own > 0 && (all <= 0 || own < all) ? own : all;
}

bool smtp_rights_allow(struct smtp_session *s, struct span recipient)
{
	const struct postern_list *own = &s->tx->user->recipients;

	if (own->count > 0 && !config_patterns_match(own, recipient)) {
		smtp_session_reply(
		    s, 550, "5.7.1", "Recipient address not allowed for user");
		return false;
	}
	if (config_patterns_match(&s->config->suppress, recipient)) {
		smtp_session_reply(s, 550, "5.1.1", "Recipient suppressed");
		return false;
	}
	return true;
}
