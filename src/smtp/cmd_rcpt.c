/* RCPT. */
#include <smtp/session_internal.h>

#include <smtp/address.h>
#include <smtp/param.h>

enum {
	SHOWN_MAX = 40
};

static bool parse(struct smtp_session *s, struct span args,
    struct smtp_address *out, struct span *out_rest)
{
	enum smtp_address_result result = SMTP_ADDRESS_NO_PATH;

	if (span_istarts_with(args, SPAN("TO:")))
		result = smtp_address_parse_path(
		    span_trim(span_from(args, 3)), out, out_rest);
	if (result == SMTP_ADDRESS_NO_PATH) {
		smtp_session_reply(
		    s, 501, "5.5.4", "Syntax: RCPT TO:<address>");
		return false;
	}
	if (result == SMTP_ADDRESS_BAD || out->whole.len == 0) {
		smtp_session_reply(
		    s, 501, "5.1.3", "Bad recipient address syntax");
		return false;
	}
	return true;
}

static bool check_params(struct smtp_session *s, struct span args)
{
	struct span culprit = SPAN("");

	switch (smtp_param_parse_rcpt(args, &culprit)) {
	case SMTP_PARAM_OK:
		return true;
	case SMTP_PARAM_UNKNOWN:
		culprit = span_first(culprit, SHOWN_MAX);
		smtp_session_reply(s, 555, "5.5.4",
		    "Unsupported parameter %.*s", SPAN_FMT(culprit));
		return false;
	case SMTP_PARAM_BAD:
	case SMTP_PARAM_SYNTAX:
		break;
	}
	smtp_session_reply(s, 501, "5.5.4", "Syntax: RCPT TO:<address>");
	return false;
}

static bool check_address(struct smtp_session *s, const struct smtp_address *a)
{
	if (a->is_utf8) {
		smtp_session_reply(s, 553, "5.6.7",
		    "Recipient address is not ASCII and SMTPUTF8 is not "
		    "offered");
		return false;
	}
	if (!smtp_address_is_qualified(a)) {
		smtp_session_reply(
		    s, 554, "5.1.2", "Recipient domain is not fully qualified");
		return false;
	}
	return true;
}

enum smtp_next smtp_cmd_rcpt(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct smtp_tx *tx = s->tx;
	int64_t limit = s->config->smtp.max_recipients;
	struct smtp_address a;
	struct span rest;

	tx->rcpt_tried++;
	if (!parse(s, cmd->args, &a, &rest) || !check_params(s, rest) ||
	    !check_address(s, &a))
		return SMTP_NEXT;
	/* Earlier ones stay valid (RFC 5321 4.5.3.1.10). */
	if (limit > 0 && tx->envelope.recipient_count >= (size_t)limit) {
		smtp_session_reply(s, 452, "4.5.3", "Too many recipients");
		return SMTP_NEXT;
	}
	if (envelope_add_recipient(&tx->envelope,
		&(struct envelope_recipient){ .address = a.whole }) < 0) {
		smtp_session_reply(
		    s, 452, "4.3.1", "Insufficient system storage");
		return SMTP_NEXT;
	}
	if (s->state == SMTP_ST_MAIL)
		smtp_session_set_state(s, SMTP_ST_RCPT);
	smtp_session_reply(s, 250, "2.1.5", "Ok");
	return SMTP_NEXT;
}
