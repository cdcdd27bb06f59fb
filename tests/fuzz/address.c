/*
 * Addresses: the path of MAIL and RCPT, and the mailbox lists of From and
 * Sender.
 */
#include "fuzz.h"

#include <smtp/address.h>
#include <smtp/author.h>

static void check_address(const struct smtp_address *a)
{
	struct smtp_address again;

	fuzz_claim(fuzz_is_within(a->local, a->whole));
	fuzz_claim(fuzz_is_within(a->domain, a->whole));
	if (a->whole.len == 0)
		return; /* the null path */
	fuzz_claim(a->local.len > 0 && a->local.len <= SMTP_LOCAL_MAX);
	fuzz_claim(a->domain.len > 0 && a->domain.len <= SMTP_DOMAIN_MAX);
	fuzz_claim(a->local.len + 1 + a->domain.len == a->whole.len);
	fuzz_claim(a->is_utf8 != span_is_ascii(a->whole));
	for (size_t i = 0; i < a->whole.len; i++) {
		unsigned char c = (unsigned char)a->whole.ptr[i];
		fuzz_claim(c >= 0x20 && c != 0x7f);
	}
	/* What was taken for an address stays one. */
	fuzz_claim(smtp_address_parse(a->whole, &again) == SMTP_ADDRESS_OK);
	(void)smtp_address_is_qualified(a);
}

static bool is_allowed(struct span address, void *ctx)
{
	size_t *count = ctx;
	struct smtp_address parsed;

	fuzz_claim(smtp_address_parse(address, &parsed) == SMTP_ADDRESS_OK);
	check_address(&parsed);
	return ++*count < 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), rest;
	struct smtp_address a;
	size_t count = 0;

	if (smtp_address_parse_path(in, &a, &rest) == SMTP_ADDRESS_OK) {
		fuzz_claim(fuzz_is_within(a.whole, in));
		fuzz_claim(fuzz_is_within(rest, in));
		check_address(&a);
	}
	if (smtp_address_parse_bare(in, &a, &rest) == SMTP_ADDRESS_OK) {
		fuzz_claim(fuzz_is_within(a.whole, in));
		fuzz_claim(fuzz_is_within(rest, in));
		check_address(&a);
	}
	if (smtp_author_check(in, is_allowed, &count) == 0)
		fuzz_claim(count > 0);
	return 0;
}
