/*
 * What the sender wants to be told (RFC 3461 4). ENVID and ORCPT are kept as
 * they came and come back in reports, so what they stand for must be text: no
 * line break gets into a report that way.
 */
#include <smtp/param_internal.h>

enum {
	ENVID_MAX = 100,
	ORCPT_MAX = 500
};

static unsigned hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* xtext of printable ASCII, space and tab. */
static bool is_text(struct span s)
{
	if (!smtp_param_is_xtext(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned c;

		if (s.ptr[i] != '+')
			continue;
		c = hex_value(s.ptr[i + 1]) * 16 + hex_value(s.ptr[i + 2]);
		if ((c < 0x20 && c != '\t') || c > 0x7e)
			return false;
		i += 2;
	}
	return true;
}

bool smtp_param_take_ret(struct smtp_param_taker *t, const struct smtp_param *p)
{
	if (span_ieq(p->value, SPAN("FULL")))
		t->mail->terms.ret = ENVELOPE_RET_FULL;
	else if (span_ieq(p->value, SPAN("HDRS")))
		t->mail->terms.ret = ENVELOPE_RET_HDRS;
	else
		return false;
	return true;
}

bool smtp_param_take_envid(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	t->mail->terms.envid = p->value;
	return p->value.len <= ENVID_MAX && is_text(p->value);
}

/* One word of NOTIFY, or 0. */
static unsigned notify_bit(struct span word)
{
	if (span_ieq(word, SPAN("NEVER")))
		return ENVELOPE_NOTIFY_NEVER;
	if (span_ieq(word, SPAN("SUCCESS")))
		return ENVELOPE_NOTIFY_SUCCESS;
	if (span_ieq(word, SPAN("FAILURE")))
		return ENVELOPE_NOTIFY_FAILURE;
	if (span_ieq(word, SPAN("DELAY")))
		return ENVELOPE_NOTIFY_DELAY;
	return 0;
}

bool smtp_param_take_notify(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	struct span rest = p->value;
	unsigned bits = 0;

	while (rest.ptr) {
		unsigned bit = notify_bit(span_cut(&rest, ','));

		if (!bit)
			return false;
		bits |= bit;
	}
	t->rcpt->notify = bits;
	if (!(bits & ENVELOPE_NOTIFY_NEVER) || bits == ENVELOPE_NOTIFY_NEVER)
		return true;
	t->why = "NEVER stands alone";
	return false;
}

/*
 * RFC 6533 3: an address of type utf-8 may hold UTF-8 as it is when the
 * message has SMTPUTF8. All of a command line is valid UTF-8.
 */
static bool is_unitext(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 33 || c == '=' || c == 0x7f)
			return false;
	}
	return s.len > 0;
}

bool smtp_param_take_orcpt(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	struct span address = p->value;
	struct span type = span_cut(&address, ';');
	bool is_unicode = t->rules->is_utf8 && span_ieq(type, SPAN("utf-8"));

	t->rcpt->orcpt = p->value;
	if (p->value.len > ORCPT_MAX || !address.ptr ||
	    !smtp_param_is_keyword(type))
		return false;
	return is_text(address) || (is_unicode && is_unitext(address));
}
