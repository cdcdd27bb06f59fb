/* The parameters of MAIL and RCPT. */
#include "fuzz.h"

#include <smtp/param.h>

static void check_mail(struct span args)
{
	struct smtp_params params;
	struct span culprit = SPAN("");

	switch (smtp_param_parse_mail(args, &params, &culprit)) {
	case SMTP_PARAM_OK:
		fuzz_claim(params.has_size || params.size == 0);
		fuzz_claim(params.size <= INT64_MAX);
		fuzz_claim(fuzz_is_within(params.auth, args));
		break;
	case SMTP_PARAM_UNKNOWN:
	case SMTP_PARAM_BAD:
		/* It is quoted in the reply. */
		fuzz_claim(culprit.len > 0 && span_is_ascii(culprit));
		fuzz_claim(fuzz_is_within(culprit, args));
		break;
	case SMTP_PARAM_SYNTAX:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span args = span_make(data, size), culprit = SPAN("");

	check_mail(args);
	if (smtp_param_parse_rcpt(args, &culprit) == SMTP_PARAM_UNKNOWN)
		fuzz_claim(culprit.len > 0 && span_is_ascii(culprit));
	return 0;
}
