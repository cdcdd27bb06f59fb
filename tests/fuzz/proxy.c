/*
 * PROXY headers of both versions, whole and as they grow byte by byte. The
 * verdict must not depend on what follows the header, nor come too early.
 */
#include "fuzz.h"

#include <net/proxy.h>

static bool is_known(const struct conn_name *name)
{
	return name->addr.family != NETADDR_NONE;
}

static void check_good(struct span in, const struct proxy_header *h)
{
	struct proxy_header again;

	fuzz_claim(h->len > 0 && h->len <= in.len);
	fuzz_claim(h->len <= 16 + PROXY_BLOCK_MAX);
	fuzz_claim(
	    h->is_local || (is_known(&h->source) && is_known(&h->destination)));
	fuzz_claim(fuzz_is_within(h->authority, span_first(in, h->len)));
	fuzz_claim(fuzz_is_within(h->tls_version, span_first(in, h->len)));
	/* It ends where it says: with less there is more to come. */
	fuzz_claim(proxy_parse(span_first(in, h->len), &again) == PROXY_OK);
	fuzz_claim(again.len == h->len);
	fuzz_claim(
	    proxy_parse(span_first(in, h->len - 1), &again) == PROXY_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct proxy_header h;
	bool is_decided = false;

	for (size_t len = 0; len <= in.len && !is_decided; len++)
		is_decided = proxy_parse(span_first(in, len), &h) != PROXY_MORE;
	/* What was decided early stays so when all is there. */
	struct proxy_header whole;
	enum proxy_verdict verdict = proxy_parse(in, &whole);

	fuzz_claim((verdict != PROXY_MORE) == is_decided);
	if (verdict == PROXY_OK) {
		fuzz_claim(h.len == whole.len);
		check_good(in, &whole);
	} else if (verdict == PROXY_BAD) {
		fuzz_claim(h.error == whole.error);
		fuzz_claim(h.error < COUNTER_PROXY_LATE);
	}
	return 0;
}
