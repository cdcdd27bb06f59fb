/*
 * What is offered to a client: one answer for the text of EHLO and for the
 * parameters of MAIL and RCPT, so that the two cannot disagree. And what the
 * two commands have in common otherwise.
 */
#include <smtp/session_internal.h>

#include <base/clock.h>

enum {
	SHOWN_MAX = 40,       /* of a parameter in a reply */
	RELEASE_MIN_MS = 1000 /* it is said in seconds */
};

/* A message waits in the queue, of which direct mode has none. */
static bool is_stored(const struct smtp_session *s)
{
	const struct config_user *user = smtp_session_identity(s);
	int mode = user ? (int)smtp_tx_mode(s, user) : s->listener->mode;

	if (mode == CONFIG_MODE_INHERIT)
		mode = s->config->queue.mode;
	return mode != CONFIG_MODE_DIRECT;
}

unsigned smtp_session_extensions(const struct smtp_session *s)
{
	const struct config_smtp *c = &s->config->smtp;
	bool is_known = s->user || !s->listener->allow_unauthenticated;

	if (!s->is_esmtp)
		return 0;
	return SMTP_EXT_ESMTP | (c->smtputf8 ? SMTP_EXT_UTF8 : 0) |
	       (c->dsn ? SMTP_EXT_DSN : 0) |
	       (c->priority ? SMTP_EXT_PRIORITY : 0) |
	       (is_known && c->future_release_ms >= RELEASE_MIN_MS
		       ? SMTP_EXT_RELEASE
		       : 0);
}

bool smtp_session_offers_release(const struct smtp_session *s)
{
	return (smtp_session_extensions(s) & SMTP_EXT_RELEASE) && is_stored(s);
}

struct smtp_param_rules smtp_session_param_rules(const struct smtp_session *s)
{
	return (struct smtp_param_rules){
		.offered = smtp_session_extensions(s),
		.is_stored = is_stored(s),
		.max_hold_ms = s->config->smtp.future_release_ms,
		.now_ms = clock_wall_ms(),
		.is_utf8 = s->tx && s->tx->envelope.terms.is_utf8,
	};
}

enum smtp_address_result smtp_session_parse_path(const struct smtp_session *s,
    struct span args, struct smtp_address *out, struct span *out_rest)
{
	enum smtp_address_result result;

	args = span_trim(args);
	result = smtp_address_parse_path(args, out, out_rest);
	if (result == SMTP_ADDRESS_NO_PATH && s->listener->lenient_syntax)
		result = smtp_address_parse_bare(args, out, out_rest);
	return result;
}

void smtp_session_refuse_param(struct smtp_session *s,
    enum smtp_param_result result, const struct smtp_param_fault *fault,
    const char *syntax)
{
	struct span keyword = span_first(fault->keyword, SHOWN_MAX);
	const char *enhanced = "5.5.4";

	switch (result) {
	case SMTP_PARAM_UNKNOWN:
		smtp_session_reply(s, 555, "5.5.4",
		    "Unsupported parameter %.*s", SPAN_FMT(keyword));
		return;
	case SMTP_PARAM_MALFORMED:
		enhanced = "5.5.2";
		break;
	case SMTP_PARAM_BAD:
		break;
	case SMTP_PARAM_SYNTAX:
	case SMTP_PARAM_OK:
		smtp_session_reply(s, 501, "5.5.4", "Syntax: %s", syntax);
		return;
	}
	smtp_session_reply(s, 501, enhanced, "Bad %.*s parameter%s%s",
	    SPAN_FMT(keyword), fault->why ? ": " : "",
	    fault->why ? fault->why : "");
}
