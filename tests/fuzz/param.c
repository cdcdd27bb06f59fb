/* The parameters of MAIL and RCPT. */
#include "fuzz.h"

#include <smtp/param.h>

static void check_fault(enum smtp_param_result result,
    const struct smtp_param_fault *fault, struct span args)
{
	if (result == SMTP_PARAM_OK || result == SMTP_PARAM_SYNTAX)
		return;
	/* It is quoted in the reply. */
	fuzz_claim(fault->keyword.len > 0 && span_is_ascii(fault->keyword));
	fuzz_claim(fuzz_is_within(fault->keyword, args));
}

static void check_mail(struct span args, const struct smtp_param_rules *rules)
{
	struct smtp_mail_params p;
	struct smtp_param_fault fault;
	enum smtp_param_result result =
	    smtp_param_parse_mail(args, rules, &p, &fault);

	check_fault(result, &fault, args);
	if (result != SMTP_PARAM_OK)
		return;
	fuzz_claim(p.has_size || p.size == 0);
	fuzz_claim(p.size <= INT64_MAX);
	fuzz_claim(p.auth.len == 0 || fuzz_is_within(p.auth, args));
	fuzz_claim(p.terms.priority >= ENVELOPE_PRIORITY_MIN &&
		   p.terms.priority <= ENVELOPE_PRIORITY_MAX);
	fuzz_claim(p.terms.envid.len <= 100 && span_is_ascii(p.terms.envid));
	fuzz_claim(p.terms.release_ms == 0 ||
		   (p.terms.release_ms > rules->now_ms &&
		       p.terms.release_ms <=
			   rules->now_ms + (int64_t)rules->max_hold_ms));
}

static void check_rcpt(struct span args, const struct smtp_param_rules *rules)
{
	struct smtp_rcpt_params p;
	struct smtp_param_fault fault;
	enum smtp_param_result result =
	    smtp_param_parse_rcpt(args, rules, &p, &fault);

	check_fault(result, &fault, args);
	if (result != SMTP_PARAM_OK)
		return;
	fuzz_claim(p.orcpt.len <= 500);
	fuzz_claim(!(p.notify & ENVELOPE_NOTIFY_NEVER) ||
		   p.notify == ENVELOPE_NOTIFY_NEVER);
}

/* The first byte says what is offered. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_param_rules rules = { .offered = size ? data[0] : 0,
		.is_stored = true,
		.max_hold_ms = 604800000,
		.now_ms = INT64_C(1795341600000),
		.is_utf8 = size > 1 && (data[0] & 0x80) };
	struct span args = span_make(data, size);

	check_mail(args, &rules);
	check_rcpt(args, &rules);
	rules.offered = ~0U;
	check_mail(args, &rules);
	check_rcpt(args, &rules);
	return 0;
}
