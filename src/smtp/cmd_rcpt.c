/* RCPT. */
#include <smtp/session_internal.h>

#define SYNTAX "RCPT TO:<address>"

struct rcpt_args {
	struct smtp_address address;
	struct smtp_rcpt_params params;
};

static bool parse_params(
    struct smtp_session *s, struct span args, struct rcpt_args *out)
{
	struct smtp_param_rules rules = smtp_session_param_rules(s);
	struct smtp_param_fault fault;
	enum smtp_param_result result =
	    smtp_param_parse_rcpt(args, &rules, &out->params, &fault);

	if (result != SMTP_PARAM_OK)
		smtp_session_refuse_param(s, result, &fault, SYNTAX);
	return result == SMTP_PARAM_OK;
}

static bool parse(
    struct smtp_session *s, struct span args, struct rcpt_args *out)
{
	struct span rest;
	enum smtp_address_result result = SMTP_ADDRESS_NO_PATH;

	if (span_istarts_with(args, SPAN("TO:")))
		result = smtp_session_parse_path(
		    s, span_from(args, 3), &out->address, &rest);
	if (result == SMTP_ADDRESS_NO_PATH) {
		smtp_session_reply(s, 501, "5.5.4", "Syntax: " SYNTAX);
		return false;
	}
	if (result == SMTP_ADDRESS_BAD || out->address.whole.len == 0) {
		smtp_session_reply(
		    s, 501, "5.1.3", "Bad recipient address syntax");
		return false;
	}
	return parse_params(s, rest, out);
}

/* For an address that is not ASCII, of the sender or of this recipient. */
static bool is_carried(
    const struct smtp_session *s, const struct smtp_address *a)
{
	const struct envelope *e = &s->tx->envelope;

	if (!a->is_utf8 && span_is_ascii(e->sender))
		return true;
	return deliver_carries_utf8(
	    s->service->deliver, e->user, e->sender, a->whole);
}

static bool check_address(struct smtp_session *s, const struct smtp_address *a)
{
	if (a->is_utf8 && !s->tx->envelope.terms.is_utf8) {
		smtp_session_reply(s, 553, "5.6.7",
		    "Recipient address is not ASCII: MAIL needs SMTPUTF8");
		return false;
	}
	if (!is_carried(s, a)) {
		smtp_session_reply(s, 553, "5.6.7",
		    "No provider can carry addresses that are not ASCII to "
		    "this recipient");
		return false;
	}
	if (!smtp_address_is_qualified(a)) {
		smtp_session_reply(
		    s, 554, "5.1.2", "Recipient domain is not fully qualified");
		return false;
	}
	return true;
}

static int add(struct envelope *e, const struct rcpt_args *r)
{
	struct envelope_recipient recipient = {
		.address = r->address.whole,
		.notify = r->params.notify,
		.orcpt = r->params.orcpt,
	};

	return envelope_add_recipient(e, &recipient);
}

enum smtp_next smtp_cmd_rcpt(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct smtp_tx *tx = s->tx;
	int64_t limit = smtp_rights_recipients(s);
	struct rcpt_args r;

	tx->rcpt_tried++;
	if (!parse(s, cmd->args, &r) || !check_address(s, &r.address) ||
	    !smtp_rights_allow(s, r.address.whole))
		return SMTP_NEXT;
	/* Earlier ones stay valid (RFC 5321 4.5.3.1.10). */
	if (limit > 0 && tx->envelope.recipient_count >= (size_t)limit) {
		smtp_session_reply(s, 452, "4.5.3", "Too many recipients");
		return SMTP_NEXT;
	}
	if (add(&tx->envelope, &r) < 0) {
		smtp_session_reply(
		    s, 452, "4.3.1", "Insufficient system storage");
		return SMTP_NEXT;
	}
	if (s->state == SMTP_ST_MAIL)
		smtp_session_set_state(s, SMTP_ST_RCPT);
	smtp_session_reply(s, 250, "2.1.5", "Ok");
	return SMTP_NEXT;
}
